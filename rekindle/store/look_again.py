"""Which sends waited for something, and when are they looked at instead? Typed calls of store/sql/look_again.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class Waiting(NamedTuple):
    """A send that waits, and for when it was planned."""

    id: UUID
    planned_at: datetime


def sends_to_look_at(
    connection: Connection,
    bucket: int,
    *,
    shop_id: int,
    channel: str,
    after: datetime,
    until: datetime,
    now: datetime,
    limit: int,
) -> list[Waiting]:
    """Those that would be looked at in (after, until]; locked until the transaction ends."""
    values = {"bucket": bucket, "shop_id": shop_id, "channel": channel, "after": after, "until": until}
    values |= {"now": now, "limit": limit}
    return [Waiting(*row) for row in connection.execute(sql("sends_to_look_at"), values).fetchall()]


def look_at_sends(connection: Connection, bucket: int, ids: Sequence[UUID], ats: Sequence[datetime]) -> None:
    """``ids`` sorted; ``ats`` beside them."""
    connection.execute(sql("look_at_sends"), {"bucket": bucket, "ids": id_array(ids), "ats": list(ats)})
