"""How does a test tell a story of shop events? One builder for events and one for products, keyword overrides."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.engine.ingest import IngestResult, ingest
from rekindle.store.database import Connection
from rekindle.terms.cart import CartItem
from rekindle.terms.event import EventKind, OrderFacts, ShopEvent
from rekindle.terms.shop import ShopSettings

from .conftest import START

_numbers = itertools.count(1)


def item(product_key: str = "mug", quantity: int = 1, unit_cents: int | None = 1950, **fields: Any) -> CartItem:
    return CartItem(
        product_key=product_key, quantity=quantity, unit_cents=unit_cents, **{"title": product_key.title()} | fields
    )


def event(kind: EventKind, at: datetime = START, **fields: Any) -> ShopEvent:
    """An event of visitor a:1, received as it happened; ``minute`` counts from START instead of ``at``."""
    minute = fields.pop("minute", None)
    if minute is not None:
        at = START + timedelta(minutes=minute)
    values: dict[str, Any] = {
        "shop_id": 1,
        "message_key": f"m-{next(_numbers)}",
        "kind": kind,
        "name": kind.value,
        "at": at,
        "stamped_at": at,
        "received_at": at,
        "visitor_key": "a:1",
        "currency": "EUR",
    }
    return ShopEvent(**values | fields)


def added(*items: CartItem, **fields: Any) -> ShopEvent:
    return event(EventKind.PRODUCT_ADDED, items=items or (item(),), **fields)


def removed(*items: CartItem, **fields: Any) -> ShopEvent:
    return event(EventKind.PRODUCT_REMOVED, items=items or (item(),), **fields)


def snapshot(*items: CartItem, **fields: Any) -> ShopEvent:
    return event(EventKind.CART_UPDATED, items=items, **fields)


def viewed(*items: CartItem, **fields: Any) -> ShopEvent:
    return event(EventKind.PRODUCT_VIEWED, items=items or (item(),), **fields)


def ordered(
    order_key: str = "o-1", total_cents: int = 1950, *, kind: EventKind = EventKind.ORDER_COMPLETED, **fields: Any
) -> ShopEvent:
    refunded = fields.pop("refunded_cents", 0)
    order = OrderFacts(order_key=order_key, currency="EUR", total_cents=total_cents, refunded_cents=refunded)
    return event(kind, order=order, **fields)


def identified(email: str | None = "ada@example.com", **fields: Any) -> ShopEvent:
    return event(EventKind.IDENTIFIED, email=email, **fields)


def tell(connection: Connection, context: Context, shop: ShopSettings, *events: ShopEvent) -> IngestResult:
    """All events in one batch, as this shop's."""
    return ingest(connection, context, shop, [replace(one, shop_id=shop.id) for one in events])


def tell_each(connection: Connection, context: Context, shop: ShopSettings, events: Sequence[ShopEvent]) -> None:
    """Each event in a batch of its own, in this order."""
    for one in events:
        tell(connection, context, shop, one)
