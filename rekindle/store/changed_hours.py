"""Which hours have to be counted again? Noted beside the change itself, so that no sum stays wrong for long.

What happens now needs no note: the last two hours are counted every few seconds anyway. A note is one narrow row, never
updated, so that changes of one shop do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from rekindle.lib.ids import floor_id
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.binary_copy import EPOCH
from rekindle.store.copying import array_literal, id_array
from rekindle.store.database import Connection
from rekindle.store.prepared import run
from rekindle.store.statements import sql
from rekindle.terms.send import SendEventKind

#: What is younger is new enough to be found by its own time.
FRESH = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
#: What changes the sums of the hour in which a run began or its message was handed over.
_TELLING = (
    SendEventKind.HANDED_OVER,
    SendEventKind.CLICKED,
    SendEventKind.RESTORED,
    SendEventKind.BOUNCED,
    SendEventKind.FAILED,
    SendEventKind.UNSUBSCRIBED,
)


class ChangedHour(NamedTuple):
    """One note."""

    bucket: int
    id: UUID
    shop_id: int
    hour: datetime


def note_changed_hours(
    connection: Connection, bucket: int, shop_id: int, instants: Iterable[datetime | None], *, now: datetime
) -> None:
    """Something of these instants changed; call in the transaction that changes it. Fresh ones are left out."""
    fresh = now - FRESH
    # counted in numbers: a batch has thousands of instants in a few hours, and hashing those costs more than this
    hours = {(at - EPOCH) // _HOUR for at in instants if at is not None and at < fresh}
    if hours:
        told = array_literal([(EPOCH + number * _HOUR).isoformat() for number in sorted(hours)])
        run(connection, "note_changed_hours", {"bucket": bucket, "shop_id": shop_id, "hours": told})


def note_hours_of_sends(connection: Connection, bucket: int, send_ids: Sequence[UUID]) -> None:
    """Something that is not fresh was written down of these sends; call in the same transaction, afterwards."""
    if send_ids:
        connection.execute(sql("note_hours_of_sends"), {"bucket": bucket, "send_ids": id_array(send_ids)})


async def note_hours_of_sends_later(link: AsyncConnection, bucket: int, send_ids: Sequence[UUID]) -> None:
    """As `note_hours_of_sends`, on an asynchronous connection."""
    if send_ids:
        await link.execute(sql("note_hours_of_sends"), {"bucket": bucket, "send_ids": id_array(send_ids)})


def hours_of_recent_send_events(
    connection: Connection, buckets: Sequence[int], since: datetime
) -> set[tuple[int, datetime]]:
    """(shop, hour) of everything that what happened to sends since an instant, by its own time, changes."""
    values = {
        "buckets": array_literal(buckets),
        "since_id": floor_id(since),
        "kinds": [kind.value for kind in _TELLING],
    }
    return {(row[0], row[1]) for row in connection.execute(sql("hours_of_recent_send_events"), values)}


def changed_hours(connection: Connection, buckets: Sequence[int], limit: int) -> list[ChangedHour]:
    values = {"buckets": array_literal(buckets), "limit": limit}
    return [ChangedHour._make(row) for row in connection.execute(sql("changed_hours"), values)]


def drop_changed_hours(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    connection.execute(sql("drop_changed_hours"), {"bucket": bucket, "ids": id_array(ids)})
