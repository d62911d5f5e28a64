"""How are events stored? By one binary COPY a batch."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rekindle.store.binary_copy import EPOCH, US, identifier, jsonb, text, whole
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run
from rekindle.store.statements import sql

_head = struct.Struct("!hiii16siqi").pack  # 10 columns; bucket, id, shop_id; length of kind
_instants = struct.Struct("!iqiq").pack


#: bucket, id (16 bytes), shop_id, kind, name, at, received_at, visitor_key, cart_id, payload (valid JSON without NUL)
EventRow = tuple[int, bytes, int, str, str, datetime, datetime, str | None, UUID | None, bytes]


def copy_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Append events. Raises psycopg.errors.UniqueViolation when one is there already; then none was stored.

    Rows must come in the order of their ids: two batches that share events then wait for each other in the same order.
    """
    if rows:
        parts: list[bytes] = []
        for row in rows:
            _encode(row, parts)
        copy_in(connection, "copy_events", whole(parts))


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
    kind_bytes = kind.encode()
    parts += (
        _head(10, 4, bucket, 16, event_id, 8, shop_id, len(kind_bytes)),
        kind_bytes,
        text(name),
        _instants(8, (at - EPOCH) // US, 8, (received_at - EPOCH) // US),
        text(visitor_key),
        identifier(cart_id),
        jsonb(payload),
    )
