"""How are the files kept that people may ask for? Typed calls of store/sql/subject_exports.sql."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rekindle.lib.hashing import BUCKETS
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql

_ALL = array_literal(list(range(BUCKETS)))


class ExportPlace(NamedTuple):
    """Where a file's row lies, and whose request it answers."""

    bucket: int
    id: UUID
    shop_id: int
    request_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLine:
    """A file without what is in it. ``state``: ordered, ready, taken, expired or failed."""

    id: UUID
    request_id: UUID
    state: str
    ordered_at: datetime
    ordered_by: str
    ready_at: datetime | None
    expires_at: datetime | None
    taken_at: datetime | None
    taken_by: str
    manifest: Mapping[str, object] = field(default_factory=dict)


def order_export(connection: Connection, place: ExportPlace, *, at: datetime, by: str) -> None:
    connection.execute(sql("order_export"), place._asdict() | {"at": at, "by": by})


def exports_of_request(connection: Connection, bucket: int, request_id: UUID) -> list[ExportLine]:
    with connection.cursor(row_factory=class_row(ExportLine)) as cursor:
        values = {"bucket": bucket, "request_id": request_id}
        return cursor.execute(sql("exports_of_request"), values).fetchall()


def ordered_exports(connection: Connection, now: datetime, limit: int) -> list[ExportPlace]:
    values = {"buckets": _ALL, "now": now, "limit": limit}
    return [ExportPlace._make(row) for row in connection.execute(sql("first_ordered_exports"), values)]


def claim_export(connection: Connection, place: ExportPlace, *, now: datetime, lease_until: datetime) -> bool:
    values = {"bucket": place.bucket, "id": place.id, "now": now, "lease_until": lease_until}
    return connection.execute(sql("claim_export"), values).fetchone() is not None


def finish_export(
    connection: Connection,
    place: ExportPlace,
    *,
    at: datetime,
    expires_at: datetime,
    manifest: Mapping[str, object],
    content: bytes | None,
) -> bool:
    """``content`` None: it cannot be made. False when the person was erased while it was made."""
    values: dict[str, object] = {"bucket": place.bucket, "id": place.id, "ready_at": at, "expires_at": expires_at}
    values |= {"state": "failed" if content is None else "ready", "manifest": Jsonb(dict(manifest)), "content": content}
    return connection.execute(sql("finish_export"), values).fetchone() is not None


def hold_export(
    connection: Connection, bucket: int, export_id: UUID, shop_id: int, now: datetime
) -> tuple[UUID, bytes] | None:
    """(request, sealed content) of a file that may be taken now."""
    values = {"bucket": bucket, "id": export_id, "shop_id": shop_id, "now": now}
    row = connection.execute(sql("hold_export"), values).fetchone()
    return (row[0], bytes(row[1])) if row else None


def has_export(connection: Connection, bucket: int, export_id: UUID, shop_id: int) -> bool:
    values = {"bucket": bucket, "id": export_id, "shop_id": shop_id}
    return connection.execute(sql("has_export"), values).fetchone() is not None


def note_export_taken(connection: Connection, bucket: int, export_id: UUID, *, at: datetime, by: str) -> None:
    connection.execute(sql("note_export_taken"), {"bucket": bucket, "id": export_id, "at": at, "by": by})


def expire_exports(connection: Connection, now: datetime) -> list[ExportPlace]:
    rows = connection.execute(sql("expire_exports"), {"buckets": _ALL, "now": now}).fetchall()
    return [ExportPlace._make(row) for row in rows]
