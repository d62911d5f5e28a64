"""Which flows does a shop have, and what does each step of one bring?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from rekindle.lib.ids import floor_id
from rekindle.store.dashboard.overview import ReasonCount, Scope
from rekindle.store.database import Connection
from rekindle.store.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLine:
    """A flow with its active version, or with its newest when it is switched off."""

    id: int
    key: str
    name: str
    priority: int
    activated_at: datetime | None
    is_active: bool
    version_id: int
    version_number: int
    definition: dict[str, Any]
    version_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateLine:
    """What is published of a template; ``html`` as compiled, still with its merge fields."""

    key: str
    name: str
    channel: str
    version_id: int
    number: int
    subject: str
    preheader: str
    html: str
    text: str


class FlowEntries(NamedTuple):
    entered: int
    held_out: int
    waiting: int
    done: int
    exited: int


class StepSends(NamedTuple):
    step: str
    planned: int
    sent: int
    skipped: int
    failed: int
    clicked: int


class StepOrders(NamedTuple):
    """Orders given to a step's sends, and their net revenue by currency."""

    order_count: int
    net_cents: dict[str, int]


def flows_of_shop(connection: Connection, shop_id: int) -> list[FlowLine]:
    with connection.cursor(row_factory=class_row(FlowLine)) as cursor:
        return cursor.execute(sql("flows_of_shop"), {"shop_id": shop_id}).fetchall()


def templates_of_shop(connection: Connection, shop_id: int) -> list[TemplateLine]:
    with connection.cursor(row_factory=class_row(TemplateLine)) as cursor:
        return cursor.execute(sql("templates_of_shop"), {"shop_id": shop_id}).fetchall()


def flow_entries(connection: Connection, scope: Scope, flow_id: int) -> FlowEntries:
    with connection.cursor(row_factory=class_row(FlowEntries)) as cursor:
        row = cursor.execute(sql("flow_entries"), _values(scope, flow_id)).fetchone()
    return row or FlowEntries(0, 0, 0, 0, 0)


def flow_exits(connection: Connection, scope: Scope, flow_id: int) -> list[ReasonCount]:
    """Why enrolments left before the end, most frequent first."""
    with connection.cursor(row_factory=class_row(ReasonCount)) as cursor:
        rows = cursor.execute(sql("flow_exits"), _values(scope, flow_id)).fetchall()
    return sorted(rows, key=lambda row: (-row.n, row.reason))


def waiting_by_step(connection: Connection, scope: Scope, flow_id: int) -> dict[str, int]:
    """Enrolments that wait at each step now, whenever they entered."""
    values = {**scope.shop, "flow_id": flow_id}
    return {row[0]: row[1] for row in connection.execute(sql("flow_waiting_by_step"), values)}


def sends_by_step(connection: Connection, scope: Scope, flow_id: int) -> dict[str, StepSends]:
    with connection.cursor(row_factory=class_row(StepSends)) as cursor:
        return {row.step: row for row in cursor.execute(sql("flow_sends_by_step"), _values(scope, flow_id))}


def skips_by_step(connection: Connection, scope: Scope, flow_id: int) -> dict[str, list[ReasonCount]]:
    """Why each step's sends did not go out, most frequent first."""
    found: dict[str, list[ReasonCount]] = {}
    for step, reason, n in connection.execute(sql("flow_skips_by_step"), _values(scope, flow_id)):
        found.setdefault(step, []).append(ReasonCount(reason, n))
    return found


def orders_by_step(connection: Connection, scope: Scope, flow_id: int, *, rule: str) -> dict[str, StepOrders]:
    """Orders that the rule gives to sends of each step, for enrolments that entered since the start."""
    values = {**_values(scope, flow_id), "rule": rule, "since": scope.since}
    rows = connection.execute(sql("flow_orders"), values).fetchall()
    if not rows:
        return {}
    ids = {"buckets": sorted({row[0] for row in rows}), "send_ids": list({row[1] for row in rows})}
    step_of: dict[UUID, str] = dict(connection.execute(sql("steps_of_sends"), ids).fetchall())
    counts: Counter[str] = Counter()
    money: dict[str, Counter[str]] = {}
    for _, send_id, currency, net_cents in rows:
        step = step_of.get(send_id)
        if step is not None:
            counts[step] += 1
            money.setdefault(step, Counter())[currency] += net_cents
    return {step: StepOrders(n, dict(money[step])) for step, n in counts.items()}


def _values(scope: Scope, flow_id: int) -> dict[str, object]:
    return {**scope.shop, "flow_id": flow_id, "since_id": floor_id(scope.since)}
