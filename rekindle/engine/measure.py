"""What does it all add up to? Hourly sums per shop, and which products go together.

Sums are never added to, they are counted again: the newest hours every few seconds, and with them the older ones that
changed. What changes an old hour either can be found by its own time (a click on a message of last week) or is noted in
the transaction that changes it (a late event, a refund). So a sum is equal to its source within seconds, and a crash in
the middle costs nothing. The last days once in a while and the last months once a day are counted again all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rekindle.engine.context import Context
from rekindle.lib.ids import natural_id
from rekindle.stats.recommendation import CART_WEIGHT, ORDER_WEIGHT, VIEW_WEIGHT
from rekindle.store import measure as store
from rekindle.store.buckets import base_bucket, buckets_of
from rekindle.store.changed_hours import ChangedHour, changed_hours, drop_changed_hours, hours_of_recent_send_events
from rekindle.store.database import Connection
from rekindle.store.measure import CountedProduct, Hours
from rekindle.store.shops import all_shops
from rekindle.store.work import last_ok_at
from rekindle.terms.shop import ShopSettings

#: A shop in which nothing was noted for this long has no new sums.
NEWS = timedelta(minutes=2)
#: How far back each of the three jobs counts again.
RECENT = timedelta(hours=2)
LATE = timedelta(days=3)
DEEP = timedelta(days=92)
#: Baskets older than this say little about what goes together now.
BASKETS = timedelta(days=90)
MOST_PRODUCTS = 20_000
MOST_OTHERS = 50
_CHUNK = 2_000
#: Notes of changed hours that one turn takes.
MOST_NOTES = 20_000
RECENT_JOB: Final = "measure-recent"
_HOUR = timedelta(hours=1)
_HALF_A_YEAR = timedelta(days=182)
_Named = tuple[UUID, CountedProduct]


def measure_recent(connection: Connection, context: Context) -> int:
    """Count the newest hours of the shops in which something happens again, and older ones that changed; returns the
    number of shops.

    The newest are those since two hours before the last time this was done; the last days when it never was.
    """
    shops, now = all_shops(connection), context.clock.now()
    buckets = sorted({bucket for shop in shops for bucket in buckets_of(shop)})
    since = min(last_ok_at(connection, RECENT_JOB) or now - LATE, now) - NEWS
    busy = store.shops_with_news(connection, buckets, since)
    recent = since + NEWS - RECENT
    touched = {one for one in hours_of_recent_send_events(connection, buckets, since) if one[1] < _hour_of(recent)}
    notes = changed_hours(connection, buckets, MOST_NOTES)
    done = _measure(connection, [shop for shop in shops if shop.id in busy], recent, now)
    for shop in shops:
        noted = {note.hour for note in notes if note.shop_id == shop.id}
        begun = {hour for shop_id, hour in touched if shop_id == shop.id} - noted
        for hours, metrics in ((noted, tuple(store.METRICS)), (begun, store.OF_BEGINNINGS)):
            for start, stop in _stretches(hours):
                measure_shop(connection, shop, start, stop, metrics)
        done += shop.id not in busy and bool(noted or begun)
    _drop(connection, notes)
    return done


def rebuild(connection: Connection, shop: ShopSettings, since: datetime, until: datetime) -> int:
    """Count everything of a shop between two instants again; returns the number of sums. A repair, at any time."""
    return measure_shop(connection, shop, since, until)


def measure_late(connection: Connection, context: Context) -> int:
    """Count the last three days of every shop again."""
    now = context.clock.now()
    return _measure(connection, all_shops(connection), now - LATE, now)


def measure_deep(connection: Connection, context: Context) -> int:
    """Count the last three months of every shop again."""
    now = context.clock.now()
    return _measure(connection, all_shops(connection), now - DEEP, now)


def measure_shop(
    connection: Connection,
    shop: ShopSettings,
    since: datetime,
    until: datetime,
    metrics: Sequence[str] = tuple(store.METRICS),
) -> int:
    """Count a shop's hours from the one of ``since`` to the one of ``until`` again; returns the number of sums.

    One transaction for each week, so that a repair of months holds nothing for long.
    """
    written, base, buckets = 0, base_bucket(shop), buckets_of(shop)
    start, end = _hour_of(since), _hour_of(until) + _HOUR
    while start < end:
        stop = min(start + timedelta(days=7), end)
        with connection.transaction():
            hours = Hours(base, shop.id, start, stop, bin_of(shop.timezone, until))
            sums = store.count_hours(connection, hours, buckets, metrics)
            store.replace_sums(connection, hours, sums, metrics)
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


def bin_of(timezone: str, at: datetime) -> timedelta:
    """How long one sum is: an hour, or a quarter of one where days do not begin with a full hour of UTC.

    >>> [bin_of(zone, datetime(2026, 3, 2, tzinfo=UTC)).seconds for zone in ("Asia/Kolkata", "Europe/Berlin")]
    [900, 3600]
    """
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return _HOUR
    offsets = [at.astimezone(zone).utcoffset() or timedelta(0), (at - _HALF_A_YEAR).astimezone(zone).utcoffset()]
    return _HOUR if all(offset is None or not offset % _HOUR for offset in offsets) else _HOUR / 4


def _stretches(hours: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Hours that follow each other, as first and last."""
    first: datetime | None = None
    last = datetime.min.replace(tzinfo=UTC)
    for hour in sorted(hours):
        if first is not None and hour - last > _HOUR:
            yield first, last
            first = None
        first, last = first or hour, hour
    if first is not None:
        yield first, last


def _drop(connection: Connection, notes: Sequence[ChangedHour]) -> None:
    """After the sums were written: a crash before counts once more, none is forgotten."""
    by_bucket: dict[int, list[UUID]] = defaultdict(list)
    for note in notes:
        by_bucket[note.bucket].append(note.id)
    for bucket, ids in sorted(by_bucket.items()):
        drop_changed_hours(connection, bucket, ids)


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _chunks(rows: Sequence[_Named]) -> Iterator[Sequence[_Named]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
