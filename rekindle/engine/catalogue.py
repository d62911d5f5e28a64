"""Which products does the shop have, as its events show them?

Called after a batch is stored, in a transaction of its own: a lost look at a product is told again by the next one.
Each process remembers what it wrote, so that a product is written when something about it changed, and at most once an
hour otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rekindle.lib.ids import natural_id
from rekindle.store.buckets import base_bucket
from rekindle.store.catalogue import SeenProduct, see_products
from rekindle.store.database import Connection
from rekindle.terms.cart import CartItem
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings

STALE: Final = timedelta(hours=1)
_SHOWING: Final = frozenset(
    {
        EventKind.PRODUCT_VIEWED,
        EventKind.PRODUCT_ADDED,
        EventKind.CART_VIEWED,
        EventKind.CART_UPDATED,
        EventKind.CHECKOUT_STARTED,
        EventKind.ORDER_COMPLETED,
    }
)
_MAX_REMEMBERED: Final = 50_000
_Look = tuple[str, str, str, int | None, str | None, str]


class _Shown(NamedTuple):
    """How a product looked when it was written, by an event of ``at``; the same look is old news ``until``."""

    look: _Look
    at: datetime
    until: datetime


_remembered: dict[tuple[str, int], dict[str, _Shown]] = {}  # database and shop -> product -> how it looked


def notice_products(connection: Connection, shop: ShopSettings, events: Iterable[ShopEvent]) -> int:
    """Bring the catalogue up to date with what these events show; returns how many products were written."""
    place = (f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}", shop.id)
    known = _remembered.get(place, {})
    news: dict[str, SeenProduct] = {}
    looks: dict[str, _Shown] = {}
    for event in events:
        items, at = event.items, event.at
        if not items or event.kind not in _SHOWING:
            continue
        for item in items:
            key, look = item.product_key, _look(item, event)
            shown = looks.get(key) or known.get(key)
            if shown is not None and (at < shown.at or (at < shown.until and shown.look == look)):
                continue
            looks[key] = _Shown(look, at, at + STALE)
            news[key] = _seen(shop, item, event)
    if news:
        bucket = base_bucket(shop)
        with connection.transaction():
            see_products(connection, bucket, news.values(), STALE)
        if sum(map(len, _remembered.values())) + len(looks) > _MAX_REMEMBERED:
            _remembered.clear()
        _remembered.setdefault(place, {}).update(looks)
    return len(news)


def _look(item: CartItem, event: ShopEvent) -> _Look:
    return (item.title, item.url, item.image_url, item.unit_cents, event.currency, item.category)


def _seen(shop: ShopSettings, item: CartItem, event: ShopEvent) -> SeenProduct:
    return SeenProduct(
        id=natural_id("product", shop.id, item.product_key),
        shop_id=shop.id,
        product_key=item.product_key,
        title=item.title,
        url=item.url,
        image_url=item.image_url,
        unit_cents=item.unit_cents,
        currency=event.currency,
        category=item.category,
        seen_at=event.at,
    )
