"""What does a shop's overview add up? Read from the hourly sums that `engine.measure` keeps, so that it costs the same
for a shop of any size; only what is short by itself (what waits, the newest orders) is read as it is.

Each number counts something once, in the period in which it began: an abandonment, a run with all that came of it
later, a message with all that became of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.cart import CartState, Stage

_SINCE = (
    "carts_abandoned",
    "carts_reachable",
    "carts_refused",
    "runs",
    "runs_ordered",
    "sends_became",
    "sends_skipped",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which shop (``bucket``: its base bucket, in which sums lie), in which buckets, since when; ``flow_ids``: flows
    that follow carts (not only visits)."""

    shop_id: int
    bucket: int
    buckets: Sequence[int]
    since: datetime
    flow_ids: Sequence[int] = ()

    @property
    def shop(self) -> dict[str, object]:
        return {"shop_id": self.shop_id, "buckets": list(self.buckets)}

    @property
    def sums(self) -> dict[str, object]:
        return {"shop_id": self.shop_id, "bucket": self.bucket, "since": self.since}


class DayOfRevenue(NamedTuple):
    day: date
    currency: str
    order_count: int
    net_cents: int


class CartCounts(NamedTuple):
    """``detected`` and ``reachable``: abandonments since the start of the period; the rest as it is now."""

    detected: int
    reachable: int
    open_now: int
    abandoned_now: int
    waiting_cents: int
    any_ever: bool


class FunnelCounts(NamedTuple):
    """How far the runs came that began since the start; each counts once in each number."""

    entered: int
    held_out: int
    sent: int
    clicked: int
    ordered: int


class SendCounts(NamedTuple):
    sent: int
    clicked: int
    bounced: int
    failed: int
    unsubscribed: int


class ReasonCount(NamedTuple):
    reason: str
    n: int


class OverviewSums(NamedTuple):
    """Everything that is added up over a period. Refusals: most frequent first."""

    carts: CartCounts
    funnel: FunnelCounts
    sends: SendCounts
    cart_refusals: list[ReasonCount]
    send_refusals: list[ReasonCount]


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
    values = {**scope.sums, "rule": rule, "until": until, "timezone": timezone}
    with connection.cursor(row_factory=class_row(DayOfRevenue)) as cursor:
        return cursor.execute(sql("overview_revenue_by_day"), values).fetchall()


def load_sums(connection: Connection, scope: Scope, *, currency: str) -> OverviewSums:
    """All sums of the page; ``currency``: of what waits in abandoned carts."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for metric, label, n in connection.execute(sql("overview_sums"), {**scope.sums, "metrics": list(_SINCE)}):
        found[metric][label] += n
    runs = {
        mark: sum(found["runs"][f"{flow_id}:{mark}"] for flow_id in scope.flow_ids)
        for mark in ("entered", "held_out", "sent", "clicked")
    }
    ordered = sum(found["runs_ordered"][str(flow_id)] for flow_id in scope.flow_ids)
    became = found["sends_became"]
    return OverviewSums(
        carts=_carts(connection, scope, found, currency),
        funnel=FunnelCounts(**runs, ordered=ordered),
        sends=SendCounts(**{kind: became[kind] for kind in SendCounts._fields}),
        cart_refusals=_reasons(found["carts_refused"]),
        send_refusals=_reasons(found["sends_skipped"]),
    )


def _carts(connection: Connection, scope: Scope, found: Mapping[str, Counter[str]], currency: str) -> CartCounts:
    states: Counter[str] = Counter()
    waiting_cents = 0
    for label, n, total in connection.execute(sql("overview_carts_now"), scope.sums):
        state, _, own = label.partition(":")
        states[state] += n
        if own == currency:
            waiting_cents += total
    row = connection.execute(sql("overview_any_cart"), scope.shop).fetchone()
    return CartCounts(
        detected=_of_carts(found["carts_abandoned"]),
        reachable=_of_carts(found["carts_reachable"]),
        open_now=states[CartState.OPEN.value],
        abandoned_now=states[CartState.ABANDONED.value],
        waiting_cents=waiting_cents,
        any_ever=bool(row and row[0]),
    )


def _of_carts(counted: Counter[str]) -> int:
    """Without browse visits; labels are stage:currency."""
    return sum(n for label, n in counted.items() if label.partition(":")[0] != Stage.BROWSE.value)


def count_waiting_sends(connection: Connection, scope: Scope) -> int:
    row = connection.execute(sql("overview_waiting_sends"), scope.shop).fetchone()
    return int(row[0]) if row else 0


def latest_recovered(connection: Connection, scope: Scope, *, rule: str, limit: int) -> list[RecoveredOrder]:
    """The newest orders that the rule gives to a send, whenever they were made."""
    with connection.cursor(row_factory=class_row(RecoveredOrder)) as cursor:
        return cursor.execute(sql("latest_recovered_orders"), {**scope.shop, "rule": rule, "n": limit}).fetchall()


def _reasons(counted: Counter[str]) -> list[ReasonCount]:
    return sorted((ReasonCount(*pair) for pair in counted.items()), key=lambda row: (-row.n, row.reason))
