"""Which carts does a shop have? One page of a filtered list, with what each row shows.

Searching never looks into addresses: an address is hashed by the caller and found by its id, all other keys are ids
too. Paging is by key, so that page 1,000 costs what page 1 costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, dict_row

from rekindle.lib.ids import natural_id
from rekindle.store.buckets import address_bucket, order_bucket
from rekindle.store.dashboard.narrow import narrowed
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.cart import ERASED_KEY, CartState, Stage
from rekindle.terms.shop import ShopSettings


class CartOrder(StrEnum):
    """In which order the list is; the only ones there are."""

    NEWEST = "newest"
    LAST_ACTIVE = "active"
    MOST_VALUABLE = "value"


_STATEMENTS = {
    CartOrder.NEWEST: "carts_newest",
    CartOrder.LAST_ACTIVE: "carts_last_active",
    CartOrder.MOST_VALUABLE: "carts_most_valuable",
}
CARTS_ONLY = tuple(stage for stage in Stage if stage is not Stage.BROWSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """One row of the list. ``first_items``: up to four items as stored (keys of terms.cart.CartItem)."""

    bucket: int
    id: UUID
    cart_key: str
    state: str
    stage: str
    currency: str | None
    total_cents: int
    created_at: datetime
    touched_at: datetime
    abandoned_at: datetime | None
    shopper_bucket: int | None
    shopper_id: UUID | None
    order_key: str | None
    line_count: int
    first_items: list[dict[str, Any]]

    @property
    def is_erased(self) -> bool:
        """Whether an erasure parted it from its shopper, and nobody else is known for it since."""
        return self.shopper_id is None and self.cart_key.startswith(ERASED_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search led to; both empty: nothing."""

    cart_ids: Sequence[UUID] = ()
    shopper_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CartFilter:
    """Which carts; None filters nothing. ``known``: whether somebody is known for the cart."""

    states: Sequence[CartState] = tuple(CartState)
    stages: Sequence[Stage] = CARTS_ONLY
    since: datetime | None = None
    least_cents: int | None = None
    known: bool | None = None
    found: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """After which row a page begins: the sort value of that row and its id."""

    value: datetime | int
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What a cart waits for: a flow step that is due then, or a planned send (``state`` of the outbox)."""

    step: str | None
    at: datetime | None
    is_send: bool
    is_held_out: bool = False
    state: str = ""


@dataclass(slots=True, kw_only=True)
class ShopperLine:
    """Who it is: name and addresses by channel, oldest first."""

    id: UUID
    name: str
    is_erased: bool
    addresses: dict[str, list[str]] = field(default_factory=dict)

    @property
    def first_address(self) -> str:
        return next((address for channel in ("email", "sms") for address in self.addresses.get(channel, [])), "")


def list_carts(
    connection: Connection,
    *,
    shop_id: int,
    buckets: Sequence[int],
    wanted: CartFilter,
    order: CartOrder,
    after: PagePlace | None,
    limit: int,
) -> list[CartLine]:
    """One page of the list: at most ``limit`` rows behind the place ``after``."""
    found = wanted.found
    values = {
        "shop_id": shop_id,
        "states": [state.value for state in wanted.states],
        "stages": [stage.value for stage in wanted.stages],
        "since": wanted.since,
        "least_cents": wanted.least_cents,
        "known": wanted.known,
        "cart_ids": None if found is None else list(found.cart_ids),
        "shopper_ids": [] if found is None else list(found.shopper_ids),
        "after": after.value if after else None,
        "after_id": after.id if after else None,
        "n": limit,
    }
    with connection.cursor(row_factory=class_row(CartLine)) as cursor:
        return cursor.execute(*narrowed(_STATEMENTS[order], buckets, values)).fetchall()


def place_of(line: CartLine, order: CartOrder) -> PagePlace:
    """The place behind this row in this order."""
    if order is CartOrder.MOST_VALUABLE:
        return PagePlace(value=line.total_cents, id=line.id)
    return PagePlace(value=line.created_at if order is CartOrder.NEWEST else line.touched_at, id=line.id)


def find_by_key(connection: Connection, shop: ShopSettings, key: str) -> Found:
    """What an exact key leads to: the cart of that key or id, the browse visit, the cart of that order."""
    cart_ids = [natural_id("cart", shop.id, key), natural_id("cart", shop.id, f"browse:{key}")]
    with contextlib.suppress(ValueError):
        cart_ids.append(UUID(key))
    order = {"bucket": order_bucket(shop, key), "order_id": natural_id("order", shop.id, key)}
    row = connection.execute(sql("cart_of_order"), order).fetchone()
    if row and row[0]:
        cart_ids.append(row[0])
    return Found(cart_ids=cart_ids)


def find_by_address(connection: Connection, shop: ShopSettings, *, channel: str, address_hash: bytes) -> Found:
    """The shopper that an address belongs to, found by its keyed hash."""
    contact_id = natural_id("contact", shop.id, f"{channel}:{address_hash.hex()}")
    values = {"bucket": address_bucket(shop, address_hash), "contact_id": contact_id}
    row = connection.execute(sql("shopper_of_contact"), values).fetchone()
    return Found(shopper_ids=[row[0]] if row else [])


def next_steps(connection: Connection, lines: Sequence[CartLine]) -> Mapping[UUID, NextStep]:
    """What each of these carts waits for next, by cart id; carts that wait for nothing are missing."""
    buckets = sorted({line.shopper_bucket for line in lines if line.shopper_bucket is not None})
    if not buckets:
        return {}
    values = {"buckets": buckets, "cart_ids": [line.id for line in lines]}
    steps: dict[UUID, NextStep] = {}
    for cart_id, arm, step, due_at in connection.execute(sql("next_steps_of_carts"), values):
        steps[cart_id] = NextStep(step=step, at=due_at, is_send=False, is_held_out=arm == "holdout")
    for cart_id, step, state, send_at in connection.execute(sql("planned_sends_of_carts"), values):
        steps[cart_id] = NextStep(step=step, at=send_at, is_send=True, state=state)
    return steps


def shoppers_by_id(
    connection: Connection, *, buckets: Sequence[int], shopper_ids: Sequence[UUID]
) -> dict[UUID, ShopperLine]:
    """These shoppers with their addresses, by id; ``buckets``: those the shoppers live in."""
    found: dict[UUID, ShopperLine] = {}
    if not shopper_ids:
        return found
    values = {"buckets": sorted(set(buckets)), "shopper_ids": list(shopper_ids)}
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(sql("shoppers_by_id"), values):
            name = f"{row['first_name']} {row['last_name']}".strip()
            line = found.setdefault(
                row["id"], ShopperLine(id=row["id"], name=name, is_erased=row["erased_at"] is not None)
            )
            if row["address"]:
                line.addresses.setdefault(row["channel"], []).append(row["address"])
    return found
