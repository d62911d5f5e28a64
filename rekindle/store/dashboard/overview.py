"""What does a shop's overview add up? Raw counts over carts, enrolments, sends, their events and attributions.

Every function asks one question, over all buckets of the shop. ``since_id`` is `rekindle.lib.ids.floor_id` of the
period's start: ids made of time cut partitions and index ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from rekindle.lib.ids import floor_id
from rekindle.store.database import Connection
from rekindle.store.statements import sql

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which shop, in which buckets, since when; ``flow_ids``: the flows that follow carts (not only visits)."""

    shop_id: int
    buckets: Sequence[int]
    since: datetime
    flow_ids: Sequence[int] = ()

    @property
    def shop(self) -> dict[str, object]:
        return {"shop_id": self.shop_id, "buckets": list(self.buckets)}

    @property
    def since_id(self) -> UUID:
        return floor_id(self.since)


class DayOfRevenue(NamedTuple):
    day: date
    currency: str
    order_count: int
    net_cents: int


class CartCounts(NamedTuple):
    """``detected`` and ``reachable`` since the start of the period; the rest as it is now."""

    detected: int
    reachable: int
    open_now: int
    abandoned_now: int
    waiting_cents: int
    carts_ever: int


class FunnelCounts(NamedTuple):
    entered: int
    held_out: int
    sent: int
    clicked: int


class SendCounts(NamedTuple):
    sent: int
    clicked: int
    bounced: int
    failed: int
    unsubscribed: int


class ReasonCount(NamedTuple):
    reason: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredOrder:
    """An order that the rule gives to a send; ``touched_at``: the click."""

    bucket: int
    order_id: UUID
    order_key: str
    ordered_at: datetime
    currency: str
    net_cents: int
    touched_at: datetime | None
    cart_bucket: int | None
    cart_id: UUID | None
    shopper_bucket: int | None
    shopper_id: UUID | None


def revenue_by_day(
    connection: Connection, scope: Scope, *, rule: str, until: datetime, timezone: str
) -> list[DayOfRevenue]:
    """Net revenue per local day and currency under an attribution rule; days without orders are missing."""
    values = {**scope.shop, "rule": rule, "since": scope.since, "until": until, "timezone": timezone}
    with connection.cursor(row_factory=class_row(DayOfRevenue)) as cursor:
        return cursor.execute(sql("overview_revenue_by_day"), values).fetchall()


def count_carts(connection: Connection, scope: Scope, *, currency: str) -> CartCounts:
    with connection.cursor(row_factory=class_row(CartCounts)) as cursor:
        values = {**scope.shop, "since": scope.since, "currency": currency}
        return _one(cursor.execute(sql("overview_carts"), values).fetchone())


def count_funnel(connection: Connection, scope: Scope) -> FunnelCounts:
    """How far the carts left behind since the start came; each cart counts once in each number."""
    with connection.cursor(row_factory=class_row(FunnelCounts)) as cursor:
        values = {**scope.shop, "since_id": scope.since_id, "flow_ids": list(scope.flow_ids)}
        return _one(cursor.execute(sql("overview_funnel"), values).fetchone())


def count_ordered_carts(connection: Connection, scope: Scope, *, rule: str) -> int:
    """Of the carts left behind since the start: those whose send the rule gives an order to."""
    values = {
        **scope.shop,
        "rule": rule,
        "since": scope.since,
        "since_id": scope.since_id,
        "flow_ids": list(scope.flow_ids),
    }
    ids = [row[0] for row in connection.execute(sql("overview_ordering_enrolments"), values)]
    if not ids:
        return 0
    buckets = list(scope.buckets)
    row = connection.execute(sql("count_carts_of_enrolments"), {"buckets": buckets, "enrolment_ids": ids}).fetchone()
    return int(row[0]) if row else 0


def count_sends(connection: Connection, scope: Scope) -> SendCounts:
    with connection.cursor(row_factory=class_row(SendCounts)) as cursor:
        values = {**scope.shop, "since_id": scope.since_id}
        return _one(cursor.execute(sql("overview_sends"), values).fetchone())


def count_waiting_sends(connection: Connection, scope: Scope) -> int:
    row = connection.execute(sql("overview_waiting_sends"), scope.shop).fetchone()
    return int(row[0]) if row else 0


def count_cart_refusals(connection: Connection, scope: Scope) -> list[ReasonCount]:
    """Why carts entered no flow, most frequent first."""
    return _reasons(connection, "overview_cart_refusals", scope)


def count_send_refusals(connection: Connection, scope: Scope) -> list[ReasonCount]:
    """Why planned sends did not go out, most frequent first."""
    return _reasons(connection, "overview_send_refusals", scope)


def latest_recovered(connection: Connection, scope: Scope, *, rule: str, limit: int) -> list[RecoveredOrder]:
    """The newest orders that the rule gives to a send, whenever they were made."""
    with connection.cursor(row_factory=class_row(RecoveredOrder)) as cursor:
        return cursor.execute(sql("latest_recovered_orders"), {**scope.shop, "rule": rule, "n": limit}).fetchall()


def _reasons(connection: Connection, name: str, scope: Scope) -> list[ReasonCount]:
    with connection.cursor(row_factory=class_row(ReasonCount)) as cursor:
        rows = cursor.execute(sql(name), {**scope.shop, "since_id": scope.since_id}).fetchall()
    return sorted(rows, key=lambda row: (-row.n, row.reason))


def _one(row: _Row | None) -> _Row:
    if row is None:
        raise LookupError("an aggregate without GROUP BY always has one row")
    return row
