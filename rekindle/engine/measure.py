"""What does it all add up to? Hourly sums per shop, and which products go together.

Sums are never added to, they are counted again: the hours that can still change much every few seconds, the last days
every few minutes, the last weeks once a day (late webhooks, refunds and recomputed attributions change old hours). So a
sum is always equal to its source, and a crash in the middle costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.lib.ids import natural_id
from rekindle.stats.recommendation import CART_WEIGHT, ORDER_WEIGHT, VIEW_WEIGHT
from rekindle.store import measure as store
from rekindle.store.buckets import base_bucket, buckets_of
from rekindle.store.database import Connection
from rekindle.store.measure import CountedProduct, Hours
from rekindle.store.shops import all_shops
from rekindle.terms.shop import ShopSettings

#: A shop in which nothing was noted for this long has no new sums.
NEWS = timedelta(minutes=2)
#: How far back each of the three jobs counts again.
RECENT = timedelta(hours=2)
LATE = timedelta(days=3)
DEEP = timedelta(days=35)
#: Baskets older than this say little about what goes together now.
BASKETS = timedelta(days=90)
MOST_PRODUCTS = 20_000
MOST_OTHERS = 50
_CHUNK = 2_000
_HOUR = timedelta(hours=1)
_Named = tuple[UUID, CountedProduct]


def measure_recent(connection: Connection, context: Context) -> int:
    """Count the last two hours of the shops in which something happens again; returns the number of shops.

    To be called more often than `NEWS` is long.
    """
    shops, now = all_shops(connection), context.clock.now()
    buckets = sorted({bucket for shop in shops for bucket in buckets_of(shop)})
    busy = store.shops_with_news(connection, buckets, now - NEWS)
    return _measure(connection, [shop for shop in shops if shop.id in busy], now - RECENT, now)


def measure_late(connection: Connection, context: Context) -> int:
    """Count the last three days of every shop again."""
    now = context.clock.now()
    return _measure(connection, all_shops(connection), now - LATE, now)


def measure_deep(connection: Connection, context: Context) -> int:
    """Count the last five weeks of every shop again."""
    now = context.clock.now()
    return _measure(connection, all_shops(connection), now - DEEP, now)


def measure_shop(connection: Connection, shop: ShopSettings, since: datetime, until: datetime) -> int:
    """Count a shop's hours from the one of ``since`` to the one of ``until`` again; returns the number of sums.

    One transaction for each day, so that a repair of months holds nothing for long.
    """
    written, base, buckets = 0, base_bucket(shop), buckets_of(shop)
    start, end = _hour_of(since), _hour_of(until) + _HOUR
    while start < end:
        stop = min(start + timedelta(days=1), end)
        with connection.transaction():
            hours = Hours(base, shop.id, start, stop)
            sums = store.count_hours(connection, hours, buckets)
            store.replace_sums(connection, hours, sums)
        written += len(sums)
        start = stop
    return written


def count_products(connection: Connection, context: Context) -> int:
    """Count anew which products are popular and which go together, shop by shop; returns the number of shops."""
    shops = all_shops(connection)
    for shop in shops:
        count_products_of(connection, shop, context.clock.now())
    return len(shops)


def count_products_of(connection: Connection, shop: ShopSettings, now: datetime) -> int:
    """The same for one shop, in one transaction; returns the number of products."""
    base, since = base_bucket(shop), now - BASKETS
    with connection.transaction():
        weights = (ORDER_WEIGHT, CART_WEIGHT, VIEW_WEIGHT)
        store.count_members(connection, shop.id, buckets_of(shop), since, weights)
        products = store.counted_products(connection, MOST_PRODUCTS)
        named = [(natural_id("product", shop.id, product.product_key), product) for product in products]
        for chunk in _chunks(sorted(named, key=lambda one: one[0])):
            store.put_products(connection, base, shop.id, chunk)
        store.forget_uncounted_products(connection, base, shop.id)
        store.replace_pairs(connection, base, shop.id, MOST_OTHERS)
        store.end_counting(connection)
    return len(products)


def _measure(connection: Connection, shops: Sequence[ShopSettings], since: datetime, until: datetime) -> int:
    for shop in shops:
        measure_shop(connection, shop, since, until)
    return len(shops)


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _chunks(rows: Sequence[_Named]) -> Iterator[Sequence[_Named]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
