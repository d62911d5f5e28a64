"""Which messages did a shop send, plan or hold back? One page of a list by state, with what happened to each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from rekindle.store.dashboard.narrow import narrowed
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.send import SendEventKind, SendState


class SendList(StrEnum):
    """Which sends a list shows; the only lists there are."""

    ALL = "all"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    WAITING = "waiting"
    SENT = "sent"
    CLICKED = "clicked"
    SKIPPED = "skipped"


_IN_OUTBOX: Final = {
    SendList.UNCERTAIN: (SendState.UNCERTAIN,),
    SendList.WAITING: (SendState.SCHEDULED, SendState.CLAIMED, SendState.SENDING),
}
_BY_EVENT: Final = {
    SendList.FAILED: (SendEventKind.FAILED, SendEventKind.BOUNCED, SendEventKind.DROPPED),
    SendList.SENT: (SendEventKind.HANDED_OVER,),
    SendList.CLICKED: (SendEventKind.CLICKED, SendEventKind.RESTORED),
    SendList.SKIPPED: (SendEventKind.SKIPPED,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLine:
    """One send as it was planned."""

    bucket: int
    id: UUID
    step: str
    channel: str
    flow_id: int
    enrolment_id: UUID
    shopper_id: UUID
    cart_bucket: int
    cart_id: UUID
    planned_at: datetime


class OutboxLine(NamedTuple):
    """How a send lies in the outbox."""

    id: UUID
    state: str
    send_at: datetime
    uncertain_at: datetime | None
    attempts: int
    account_id: int | None


class SendFact(NamedTuple):
    """One thing that happened to a send."""

    send_id: UUID
    kind: str
    at: datetime
    reason: str | None
    detail: dict[str, Any]


def list_sends(
    connection: Connection,
    *,
    shop_id: int,
    buckets: Sequence[int],
    which: SendList,
    step: str | None,
    after: UUID | None,
    limit: int,
) -> list[SendLine]:
    """One page of a list, newest enrolment first; ``after``: id of the last row of the page before."""
    values: dict[str, object] = {
        "shop_id": shop_id,
        "step": step,
        "after_id": after,
        "n": limit,
    }
    with connection.cursor(row_factory=class_row(SendLine)) as cursor:
        if which in _IN_OUTBOX:
            values["states"] = [state.value for state in _IN_OUTBOX[which]]
            return cursor.execute(*narrowed("sends_in_outbox", buckets, values)).fetchall()
        if which in _BY_EVENT:
            values["kinds"] = [kind.value for kind in _BY_EVENT[which]]
            return cursor.execute(*narrowed("sends_with_event", buckets, values)).fetchall()
        return cursor.execute(*narrowed("sends_newest", buckets, values)).fetchall()


def outbox_of_sends(connection: Connection, lines: Sequence[SendLine]) -> dict[UUID, OutboxLine]:
    """The outbox rows of these sends that still have one."""
    if not lines:
        return {}
    with connection.cursor(row_factory=class_row(OutboxLine)) as cursor:
        return {row.id: row for row in cursor.execute(sql("outbox_of_sends"), _where(lines))}


def events_of_sends(connection: Connection, lines: Sequence[SendLine]) -> dict[UUID, list[SendFact]]:
    """What happened to each of these sends, oldest first."""
    found: dict[UUID, list[SendFact]] = defaultdict(list)
    if lines:
        with connection.cursor(row_factory=class_row(SendFact)) as cursor:
            for row in cursor.execute(sql("events_of_sends"), _where(lines)):
                found[row.send_id].append(row)
    return found


def is_send_of_shop(connection: Connection, *, shop_id: int, bucket: int, send_id: UUID) -> bool:
    row = connection.execute(sql("is_send_of_shop"), {"bucket": bucket, "id": send_id, "shop_id": shop_id}).fetchone()
    return bool(row and row[0])


def count_in_outbox(connection: Connection, *, shop_id: int, buckets: Sequence[int]) -> dict[str, int]:
    values = {"buckets": list(buckets), "shop_id": shop_id}
    rows: list[tuple[str, int]] = connection.execute(sql("count_sends_in_outbox"), values).fetchall()
    return dict(rows)


def _where(lines: Sequence[SendLine]) -> dict[str, object]:
    return {"buckets": sorted({line.bucket for line in lines}), "send_ids": [line.id for line in lines]}
