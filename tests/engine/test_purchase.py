"""Does an order end what it must, whatever it is matched over and whenever it arrives?"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from rekindle.engine.context import Context
from rekindle.store.database import Connection
from rekindle.terms.event import EventKind
from rekindle.terms.shop import ShopSettings

from ..event_factory import added, event, item, ordered, tell, tell_each
from ..factories import make_shop

COLUMNS = {
    "carts": "cart_key, state, stage, items, currency, total_cents, created_at, touched_at, check_at, abandoned_at, closed_at,"
    " visitor_key, shopper_id IS NULL, order_key, checkout_key, recover_url, views, facts - 'heard'",
    "orders": "order_key, state, currency, total_cents, refunded_cents, ordered_at, cart_id IS NULL, shopper_id IS NULL,"
    " matched_by, coupons, items, facts - 'shoppers'",
    "shoppers": "customer_key, last_order_at, order_count, spent_cents, traits - '_carts' - '_origin'",
    "contact_points": "address, consent",
}


def state_of(connection: Connection, shop: ShopSettings) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: connection.execute(f"SELECT {columns} FROM {table} WHERE shop_id = %s ORDER BY 1", [shop.id]).fetchall()  # type: ignore[arg-type]
        for table, columns in COLUMNS.items()
    }


STORIES: dict[str, dict[str, Any]] = {
    "cart and checkout named": {"cart_key": "c-1", "checkout_key": "k-1"},
    "visitor only": {},
    "checkout named": {"checkout_key": "k-1"},
    "cart named and no visitor": {"cart_key": "c-1", "visitor_key": None},
}


@pytest.mark.parametrize("story", list(STORIES))
@pytest.mark.parametrize("email", [None, "ada@example.com"], ids=["anonymous", "known"])
def test_cart_checkout_order_and_cancellation_end_the_same_in_all_24_orders(
    connection: Connection, context: Context, spread: int, story: str, email: str | None
) -> None:
    fields = STORIES[story]
    visitor = {name: value for name, value in fields.items() if name == "visitor_key"}
    cart_only = {name: value for name, value in fields.items() if name != "checkout_key"}
    events = [
        added(item("mug", 2), minute=1, **cart_only),
        event(EventKind.CHECKOUT_STARTED, minute=3, items=(item("mug", 2),), email=email, **fields),
        ordered(total_cents=3900, minute=6, items=(item("mug", 2),), email=email, **fields),
        ordered(kind=EventKind.ORDER_CANCELLED, total_cents=3900, minute=9, **visitor),
    ]
    ends: dict[str, Any] = {}
    for order in permutations(events):
        with connection.transaction(force_rollback=True):
            shop = make_shop(connection, spread=spread)
            tell_each(connection, context, shop, order)
            ends[" ".join(one.kind.value for one in order)] = state_of(connection, shop)
    first_name, first = next(iter(ends.items()))
    assert [len(first[table]) for table in ("carts", "orders")] == [1, 1], first
    for name, end in ends.items():
        for table in COLUMNS:
            assert end[table] == first[table], f"{table}: {name} against {first_name}"
    cart = first["carts"][0]
    assert (cart[1], cart[13], cart[5]) == ("converted", "o-1", 3900)
