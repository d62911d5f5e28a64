"""How are events stored? By one binary COPY a batch."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from uuid import UUID

from rekindle.store.binary_copy import EPOCH_US, text, whole
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run
from rekindle.store.statements import sql

#: bucket, id (16 bytes), shop_id, kind, name, at and received_at (microseconds since 1970), visitor_key, cart_id,
#: payload (valid JSON without NUL)
EventRow = tuple[int, bytes, int, str, str, int, int, str | None, UUID | None, bytes]


def copy_events(connection: Connection, rows: Iterable[EventRow]) -> None:
    """Append events. Raises psycopg.errors.UniqueViolation when one is there already; then none was stored.

    Rows must come in the order of their ids: two batches that share events then wait for each other in the same order.
    """
    encoded = [_encoded(row) for row in rows]
    if encoded:
        copy_in(connection, "copy_events", whole(encoded))


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


def _encoded(row: EventRow) -> bytes:
    """A row in one call but for its last cell: this runs for every event, and a call a cell costs thrice as much."""
    bucket, event_id, shop_id, kind, name, at_us, received_us, visitor_key, cart_id, payload = row
    words = _words(kind, name)
    key = b"" if visitor_key is None else visitor_key.encode()
    key_size = -1 if visitor_key is None else len(key)
    cart, cart_size = (b"", -1) if cart_id is None else (cart_id.int.to_bytes(16, "big"), 16)
    at, received_at, size = at_us - EPOCH_US, received_us - EPOCH_US, len(payload) + 1
    pack = _packer(len(words), key_size, cart_size)
    start = pack(
        10, 4, bucket, 16, event_id, 8, shop_id, words, 8, at, 8, received_at, key_size, key, cart_size, cart, size, 1
    )  # fmt: skip
    return start + payload


@lru_cache(maxsize=2_048)
def _words(kind: str, name: str) -> bytes:
    """Both cells; a shop has a few dozen names."""
    return text(kind) + text(name)


@lru_cache(maxsize=4_096)
def _packer(words: int, key: int, cart: int) -> Callable[..., bytes]:
    """Packs a row whose texts have these sizes (-1: the cell is missing), up to the version byte of its JSON."""
    return struct.Struct(f"!hiii16siq{words}siqiqi{max(key, 0)}si{max(cart, 0)}sib").pack
