"""How are idle carts claimed and their findings written? One statement per batch and kind, nothing per cart.

Ids pass through as text: nothing here looks into them, and making objects of them would cost more than the decision.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from rekindle.policy.assignment import HOLDOUT_EXPERIMENT
from rekindle.store.binary_copy import EPOCH, NULL, US, id_bytes, text, whole
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in
from rekindle.store.statements import sql
from rekindle.terms.send import EnrolmentState

_run_head = struct.Struct("!hiii16siq").pack  # 17 columns; bucket, id, shop_id
_run_of = struct.Struct("!iqiqiii16si16s").pack  # flow_id, flow_version_id, cart_bucket, cart_id, shopper_id
_run_times = struct.Struct("!iqiqiqiqi").pack  # due_at, abandoned_at, entered_at, step_at, ended_at missing
_drawn_head = struct.Struct("!hiii16siq").pack  # 10 columns; bucket, id, shop_id
_drawn_tail = struct.Struct("!iqi16si16si16s").pack  # at, shopper_id, enrolment_id, cart_id


class ClaimedCart(NamedTuple):
    """A locked cart whose timer rang; states and stages as stored."""

    id: str
    shop_id: int
    state: str
    stage: str
    created_at: datetime
    touched_at: datetime
    check_at: datetime
    shopper_bucket: int | None
    shopper_id: str | None
    visitor_key: str | None
    is_empty: bool
    currency: str | None
    total_cents: int


class LockedShopper(NamedTuple):
    """What enrolling asks of a shopper, read under the shopper's lock."""

    id: str
    country: str
    locale: str
    order_count: int
    last_order_at: datetime | None
    erased_at: datetime | None
    objected_at: datetime | None


class PastEnrolment(NamedTuple):
    """One run of a shopper, over or running."""

    shopper_id: str
    flow_id: int
    cart_id: str
    abandoned_at: datetime
    entered_at: datetime
    is_running: bool
    id: str


class CartChange(NamedTuple):
    """What many carts have in common after a look. Seconds count from each cart's last activity.

    ``abandoned_s`` None: keeps its abandoned_at; ``check_s`` None: the timer stops.
    """

    state: str
    abandoned_s: int | None
    check_s: int | None
    closed_at: datetime | None


class NewEnrolment(NamedTuple):
    """A run to add, with its holdout assignment (``probability``: of the drawn arm), whose row has the same id."""

    bucket: int
    id: str
    shop_id: int
    flow_id: int
    flow_version_id: int
    cart_bucket: int
    cart_id: str
    shopper_id: str
    arm: str
    probability: float
    step: str
    due_at: datetime
    abandoned_at: datetime


class EndedEnrolment(NamedTuple):
    """A run that was ended, for its decision."""

    id: str
    shop_id: int
    cart_id: str
    shopper_id: str
    step: str | None


def claim_idle_carts(connection: Connection, bucket: int, now: datetime, limit: int) -> list[ClaimedCart]:
    """Lock the carts of a bucket whose timer rang; call inside a transaction."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("claim_idle_carts"), {"bucket": bucket, "now": now, "limit": limit})
        return list(map(ClaimedCart._make, cursor.fetchall()))


def entry_filter_facts(
    connection: Connection, bucket: int, ids: Sequence[str]
) -> dict[str, tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Items and facts of carts, by id."""
    rows = connection.execute(sql("carts_for_entry_filters"), {"bucket": bucket, "ids": array_literal(ids)})
    return {row[0]: (row[1], row[2]) for row in rows}


def carts_of_visitors(connection: Connection, bucket: int, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Visitor id -> bucket and id of the latest cart."""
    rows = connection.execute(sql("carts_of_visitors"), {"bucket": bucket, "ids": array_literal(ids)})
    return {row[0]: (row[1], row[2]) for row in rows}


def activity_of_carts(connection: Connection, bucket: int, ids: Sequence[str]) -> dict[str, datetime]:
    rows = connection.execute(sql("activity_of_carts"), {"bucket": bucket, "ids": array_literal(ids)})
    return dict(rows.fetchall())


def lock_shoppers(connection: Connection, bucket: int, ids: Iterable[str]) -> dict[str, LockedShopper]:
    """Lock the shoppers in id order; those that do not exist are missing from the answer."""
    parameters = {"bucket": bucket, "ids": array_literal(sorted(ids))}
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("lock_shoppers_to_enrol"), parameters)
        return {row[0]: LockedShopper._make(row) for row in cursor.fetchall()}


def enrolments_of_shoppers(
    connection: Connection, bucket: int, ids: Iterable[str]
) -> Mapping[str, list[PastEnrolment]]:
    """All runs of these shoppers, by shopper; call after `lock_shoppers`."""
    found: dict[str, list[PastEnrolment]] = {}
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("enrolments_of_shoppers"), {"bucket": bucket, "ids": array_literal(list(ids))})
        for row in cursor:
            found.setdefault(row[0], []).append(PastEnrolment._make(row))
    return found


def existing_enrolments(connection: Connection, bucket: int, ids: Sequence[str]) -> set[str]:
    rows = connection.execute(sql("existing_enrolments"), {"bucket": bucket, "ids": array_literal(ids)})
    return {row[0] for row in rows}


def settle_carts(connection: Connection, bucket: int, ids: Sequence[str], change: CartChange) -> None:
    """Write one finding to all carts that share it."""
    connection.execute(
        sql("settle_idle_carts"),
        {
            "bucket": bucket,
            "ids": array_literal(ids),
            "state": change.state,
            "abandoned_after": _span(change.abandoned_s),
            "check_after": _span(change.check_s),
            "closed_at": change.closed_at,
        },
    )


def end_enrolments_of_carts(
    connection: Connection, bucket: int, ids: Sequence[str], reason: str, now: datetime
) -> list[EndedEnrolment]:
    """End the waiting runs of these carts in a shopper's bucket."""
    parameters = {"bucket": bucket, "ids": array_literal(ids), "reason": reason, "now": now}
    rows = connection.execute(sql("end_enrolments_of_carts"), parameters).fetchall()
    return [EndedEnrolment(*row) for row in rows]


def end_enrolments(
    connection: Connection, bucket: int, ids: Sequence[str], reason: str, now: datetime
) -> list[EndedEnrolment]:
    """End these runs where they still wait; the caller holds their shoppers."""
    parameters = {"bucket": bucket, "ids": array_literal(ids), "reason": reason, "now": now}
    return [EndedEnrolment(*row) for row in connection.execute(sql("end_enrolments"), parameters).fetchall()]


def add_enrolments(connection: Connection, rows: Sequence[NewEnrolment], entered_at: datetime) -> None:
    """Add runs that begin now, and their holdout assignments."""
    if not rows:
        return
    entered = _moment(entered_at)
    runs: list[bytes] = []
    exposures: list[bytes] = []
    for row in rows:
        key, cart, shopper = id_bytes(row.id), id_bytes(row.cart_id), id_bytes(row.shopper_id)
        abandoned = _moment(row.abandoned_at)
        runs += (
            _run_head(17, 4, row.bucket, 16, key, 8, row.shop_id),
            _run_of(8, row.flow_id, 8, row.flow_version_id, 4, row.cart_bucket, 16, cart, 16, shopper),
            _begins(row.arm, row.step),
            _run_times(8, _moment(row.due_at), 8, abandoned, 8, entered, 8, abandoned, -1),
        )
        exposures += (
            _drawn_head(10, 4, row.bucket, 16, key, 8, row.shop_id),
            _drawn(row.arm, row.probability),
            _drawn_tail(8, entered, 16, shopper, 16, key, 16, cart),
        )
    copy_in(connection, "copy_enrolments", whole(runs))
    copy_in(connection, "copy_exposures", whole(exposures))


def _moment(at: datetime) -> int:
    return (at - EPOCH) // US


@lru_cache(maxsize=4096)
def _begins(arm: str, step: str) -> bytes:
    """Arm, state, exit reason and step of a run that begins."""
    return text(arm) + text(EnrolmentState.WAITING.value) + NULL + text(step)


@lru_cache(maxsize=1024)
def _drawn(arm: str, probability: float) -> bytes:
    return text(HOLDOUT_EXPERIMENT) + text(arm) + struct.pack("!id", 8, probability)


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
