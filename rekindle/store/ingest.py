"""How are events stored? By one binary COPY a batch: nothing has to be escaped, and PostgreSQL parses only the JSON."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run
from rekindle.store.statements import sql

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_ID = struct.pack("!i", 16)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's own
_US = timedelta(microseconds=1)
_head = struct.Struct("!hiii16siqi").pack  # 10 columns; bucket, id, shop_id; length of kind
_instants = struct.Struct("!iqiq").pack
_length = struct.Struct("!i").pack
_jsonb = struct.Struct("!ib").pack  # length, and the version byte of jsonb's binary form


#: bucket, id (16 bytes), shop_id, kind, name, at, received_at, visitor_key, cart_id, payload (valid JSON without NUL)
EventRow = tuple[int, bytes, int, str, str, datetime, datetime, str | None, UUID | None, bytes]


def copy_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Append events. Raises psycopg.errors.UniqueViolation when one is there already; then none was stored.

    Rows must come in the order of their ids: two batches that share events then wait for each other in the same order.
    """
    if rows:
        parts = [_HEADER]
        for row in rows:
            _encode(row, parts)
        parts.append(_TRAILER)
        copy_in(connection, "copy_events", b"".join(parts))


def known_events(connection: Connection, bucket: int, ids: Sequence[bytes]) -> set[bytes]:
    """Those of the ids that are stored."""
    values = {"bucket": bucket, "ids": array_literal([one.hex() for one in ids])}
    return {row[0].bytes for row in run(connection, "known_events", values)}


def move_events(connection: Connection, bucket: int, from_id: UUID, to_id: UUID) -> None:
    """Hand the events of one cart over to another."""
    connection.execute(sql("events_go_along"), {"bucket": bucket, "from_id": from_id, "to_id": to_id})


def drop_cart(connection: Connection, bucket: int, cart_id: UUID, seq: int) -> bool:
    """Remove a cart that became part of another; False when somebody changed it since it was read."""
    values = {"bucket": bucket, "id": cart_id, "seq": seq}
    return connection.execute(sql("drop_cart"), values).fetchone() is not None


def flow_patience(connection: Connection, shop_id: int) -> dict[str, int]:
    """Seconds of silence by kind of abandonment, where an active flow has a threshold of its own."""
    return {row[0]: row[1] for row in connection.execute(sql("flow_patience"), {"shop_id": shop_id})}


def _encode(row: EventRow, parts: list[bytes]) -> None:
    bucket, event_id, shop_id, kind, name, at, received_at, visitor_key, cart_id, payload = row
    kind_bytes, name_bytes = kind.encode(), name.encode()
    if visitor_key is None:
        visitor = _NULL
    else:
        visitor = visitor_key.encode()
        visitor = _length(len(visitor)) + visitor
    parts += (
        _head(10, 4, bucket, 16, event_id, 8, shop_id, len(kind_bytes)),
        kind_bytes,
        _length(len(name_bytes)),
        name_bytes,
        _instants(8, (at - _EPOCH) // _US, 8, (received_at - _EPOCH) // _US),
        visitor,
        _NULL if cart_id is None else _ID + cart_id.int.to_bytes(16, "big"),
        _jsonb(len(payload) + 1, 1),
        payload,
    )
