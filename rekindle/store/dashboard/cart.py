"""What is known about one cart? The cart, its shopper, its events, order, runs, sends and every verdict about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from rekindle.lib.ids import natural_id
from rekindle.store.buckets import order_bucket
from rekindle.store.dashboard.sends import SendLine
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.cart import ERASED_KEY
from rekindle.terms.shop import ShopSettings

MOST_EVENTS: Final = 200
MOST_DECISIONS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CartPage:
    """A cart as stored; ``items``: keys of terms.cart.CartItem, what is empty is left out."""

    bucket: int
    id: UUID
    cart_key: str
    state: str
    stage: str
    items: list[dict[str, Any]]
    currency: str | None
    total_cents: int
    created_at: datetime
    touched_at: datetime
    check_at: datetime | None
    abandoned_at: datetime | None
    closed_at: datetime | None
    visitor_key: str | None
    shopper_bucket: int | None
    shopper_id: UUID | None
    order_key: str | None
    checkout_key: str | None
    recover_url: str | None
    facts: dict[str, Any]

    @property
    def is_erased(self) -> bool:
        """Whether an erasure parted it from its shopper, and nobody else is known for it since."""
        return self.shopper_id is None and self.cart_key.startswith(ERASED_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopperPage:
    bucket: int
    id: UUID
    customer_key: str | None
    first_name: str
    last_name: str
    locale: str
    country: str
    timezones: list[str]
    gpc: bool
    first_seen_at: datetime
    seen_at: datetime
    last_order_at: datetime | None
    order_count: int
    spent_cents: int
    opted_out_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactLine:
    """One address; ``suppressed_for`` is the reason it must not be written to, None when it may."""

    id: UUID
    channel: str
    address: str
    consent: str | None
    consent_at: datetime | None
    consent_wording: str
    created_at: datetime
    suppressed_for: str | None
    suppressed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    id: UUID
    kind: str
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """``send_id``: the send that the rule gives the order to; None: it came without one."""

    order_key: str
    state: str
    currency: str
    total_cents: int
    refunded_cents: int
    ordered_at: datetime
    matched_by: str
    send_id: UUID | None
    touched_at: datetime | None
    net_cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentLine:
    bucket: int
    id: UUID
    flow_id: int
    arm: str
    state: str
    exit_reason: str | None
    step: str | None
    due_at: datetime | None
    abandoned_at: datetime
    entered_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLine:
    id: UUID
    at: datetime
    question: str
    outcome: str
    reason: str
    retry_at: datetime | None
    step: str | None
    evidence: dict[str, Any]
    send_id: UUID | None
    enrolment_id: UUID | None


def load_cart(connection: Connection, *, bucket: int, shop_id: int, cart_id: UUID) -> CartPage | None:
    with connection.cursor(row_factory=class_row(CartPage)) as cursor:
        values = {"bucket": bucket, "shop_id": shop_id, "id": cart_id}
        return cursor.execute(sql("cart_of_page"), values).fetchone()


def load_shopper(connection: Connection, *, bucket: int, shop_id: int, shopper_id: UUID) -> ShopperPage | None:
    with connection.cursor(row_factory=class_row(ShopperPage)) as cursor:
        values = {"bucket": bucket, "shop_id": shop_id, "id": shopper_id}
        return cursor.execute(sql("shopper_of_page"), values).fetchone()


def load_contacts(connection: Connection, shopper: ShopperPage, *, shop_id: int) -> list[ContactLine]:
    with connection.cursor(row_factory=class_row(ContactLine)) as cursor:
        values = {"bucket": shopper.bucket, "shop_id": shop_id, "shopper_id": shopper.id}
        rows = cursor.execute(sql("contacts_of_page"), values).fetchall()
    return list({row.id: row for row in rows}.values())


def load_events(connection: Connection, cart: CartPage) -> list[EventLine]:
    """At most `MOST_EVENTS`, the newest, oldest of them first."""
    with connection.cursor(row_factory=class_row(EventLine)) as cursor:
        values = {"bucket": cart.bucket, "cart_id": cart.id, "n": MOST_EVENTS}
        return cursor.execute(sql("events_of_page"), values).fetchall()[::-1]


def load_order(connection: Connection, shop: ShopSettings, order_key: str, *, rule: str) -> OrderPage | None:
    with connection.cursor(row_factory=class_row(OrderPage)) as cursor:
        values = {
            "bucket": order_bucket(shop, order_key),
            "id": natural_id("order", shop.id, order_key),
            "rule": rule,
        }
        return cursor.execute(sql("order_of_page"), values).fetchone()


def load_enrolments(connection: Connection, cart: CartPage, buckets: Sequence[int]) -> list[EnrolmentLine]:
    with connection.cursor(row_factory=class_row(EnrolmentLine)) as cursor:
        values = {"buckets": list(buckets), "cart_id": cart.id}
        return cursor.execute(sql("enrolments_of_page"), values).fetchall()


def load_sends(connection: Connection, cart: CartPage, buckets: Sequence[int]) -> list[SendLine]:
    with connection.cursor(row_factory=class_row(SendLine)) as cursor:
        return cursor.execute(sql("sends_of_page"), {"buckets": list(buckets), "cart_id": cart.id}).fetchall()


def load_decisions(connection: Connection, cart: CartPage, buckets: Sequence[int]) -> list[DecisionLine]:
    with connection.cursor(row_factory=class_row(DecisionLine)) as cursor:
        values = {"buckets": list(buckets), "cart_id": cart.id, "n": MOST_DECISIONS}
        return cursor.execute(sql("decisions_of_page"), values).fetchall()
