"""How are the anchors of the consent ledger kept, and what is said about rows that were deleted lawfully?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from rekindle.policy.consent_removal import Left, Removal
from rekindle.store.database import Connection
from rekindle.store.statements import sql

_SEALING: Final = 723_020  #: advisory lock: one that seals or deletes old rows at a time
#: Id, hash and time of a row of the ledger.
Recorded = tuple[UUID, bytes, datetime]


class Anchor(NamedTuple):
    """``digest`` is over the ``row_count`` rows written down after ``since`` up to ``until``."""

    seq: int
    since: datetime
    until: datetime
    row_count: int
    digest: bytes
    previous_hash: bytes
    own_hash: bytes


def hold_anchors(connection: Connection) -> None:
    """Be the only one that seals or deletes old rows until the transaction ends."""
    connection.execute(sql("hold_log"), {"key": _SEALING})


def last_anchor(connection: Connection) -> Anchor | None:
    row = connection.execute(sql("last_anchor")).fetchone()
    return _anchor(row) if row else None


def all_anchors(connection: Connection) -> list[Anchor]:
    return [_anchor(row) for row in connection.execute(sql("all_anchors")).fetchall()]


def add_anchor(connection: Connection, anchor: Anchor) -> bool:
    """False when a neighbour was faster."""
    return connection.execute(sql("add_anchor"), anchor._asdict()).fetchone() is not None


def recorded_between(connection: Connection, bucket: int, since: datetime, until: datetime) -> Iterator[Recorded]:
    """Id, hash and time of what was written down in a bucket; read little by little inside a transaction."""
    with connection.cursor("recorded") as cursor:
        cursor.itersize = 5_000
        for row in cursor.execute(sql("recorded_between"), {"bucket": bucket, "since": since, "until": until}):
            yield row[0], bytes(row[1]), row[2]


def delete_old_consents(connection: Connection, bucket: int, shop_id: int, before: datetime) -> list[Recorded]:
    """Delete whole chains to which nothing was added since; what went, in the order of ids."""
    values = {"bucket": bucket, "shop_id": shop_id, "before": before}
    rows = connection.execute(sql("delete_old_consents"), values).fetchall()
    return sorted((row[0], bytes(row[1]), row[2]) for row in rows)


def last_removal(connection: Connection) -> tuple[int, bytes] | None:
    """Number and hash of the newest removal."""
    row = connection.execute(sql("last_removal")).fetchone()
    return (row[0], bytes(row[1])) if row else None


def all_removals(connection: Connection) -> list[Removal]:
    """Every removal, oldest first; one whose spans make no sense is one without spans, which its hash then shows."""
    rows = connection.execute(sql("all_removals")).fetchall()
    return [
        Removal(seq, at, shop_id, before, count, _spans(told), bytes(previous), bytes(own))
        for seq, at, shop_id, before, count, told, previous, own in rows
    ]


def add_removal(connection: Connection, removal: Removal) -> None:
    spans = [[span.anchor, span.gone, span.row_count, span.digest.hex()] for span in removal.spans]
    connection.execute(sql("add_removal"), removal._asdict() | {"spans": Jsonb(spans)})


def _spans(told: object) -> list[Left]:
    try:
        return [Left(anchor, gone, left, bytes.fromhex(digest)) for anchor, gone, left, digest in told]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return []


def _anchor(row: tuple[object, ...]) -> Anchor:
    anchor = Anchor(*row)  # type: ignore[arg-type]
    return anchor._replace(
        digest=bytes(anchor.digest), previous_hash=bytes(anchor.previous_hash), own_hash=bytes(anchor.own_hash)
    )
