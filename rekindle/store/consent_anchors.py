"""How are the anchors of the consent ledger kept?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.store.database import Connection
from rekindle.store.statements import sql


class Anchor(NamedTuple):
    """``digest`` is over the ``row_count`` rows written down after ``since`` up to ``until``."""

    seq: int
    since: datetime
    until: datetime
    row_count: int
    digest: bytes
    previous_hash: bytes
    own_hash: bytes


def last_anchor(connection: Connection) -> Anchor | None:
    row = connection.execute(sql("last_anchor")).fetchone()
    return _anchor(row) if row else None


def all_anchors(connection: Connection) -> list[Anchor]:
    return [_anchor(row) for row in connection.execute(sql("all_anchors")).fetchall()]


def add_anchor(connection: Connection, anchor: Anchor) -> bool:
    """False when a neighbour was faster."""
    return connection.execute(sql("add_anchor"), anchor._asdict()).fetchone() is not None


def recorded_between(
    connection: Connection, bucket: int, since: datetime, until: datetime
) -> Iterator[tuple[UUID, bytes, datetime]]:
    """Id, hash and time of what was written down in a bucket; read little by little inside a transaction."""
    with connection.cursor("recorded") as cursor:
        cursor.itersize = 5_000
        for row in cursor.execute(sql("recorded_between"), {"bucket": bucket, "since": since, "until": until}):
            yield row[0], bytes(row[1]), row[2]


def _anchor(row: tuple[object, ...]) -> Anchor:
    anchor = Anchor(*row)  # type: ignore[arg-type]
    return anchor._replace(
        digest=bytes(anchor.digest), previous_hash=bytes(anchor.previous_hash), own_hash=bytes(anchor.own_hash)
    )
