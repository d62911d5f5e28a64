"""What does a row look like in the binary form of COPY? Nothing has to be escaped, and PostgreSQL parses only the JSON.

A row is its number of cells (16 bits), then each cell as its length (32 bits) and its bytes; a missing one has length
-1. Callers put the cells of fixed size together with one `struct` each, and the others with these.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER: Final = struct.pack("!h", -1)
NULL: Final = struct.pack("!i", -1)
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)  #: PostgreSQL's own
EPOCH_US: Final = 946_684_800_000_000  #: the same, in microseconds since 1970
US: Final = timedelta(microseconds=1)
_ID: Final = struct.pack("!i", 16)
#: The numbers of PostgreSQL's own types, the same everywhere (pg_type.dat).
INT4, INT8, TEXT, TIMESTAMPTZ, UUIDS, JSONB = 23, 20, 25, 1184, 2950, 3802
_array = struct.Struct("!iiiii").pack  # dimensions, there may be NULLs, element type, size, lower bound
_length = struct.Struct("!i").pack
_jsonb = struct.Struct("!ib").pack  # length, and the version byte of jsonb's binary form
_instant = struct.Struct("!iq").pack
_int4 = struct.Struct("!ii").pack


def whole(parts: Iterable[bytes]) -> bytes:
    """Rows as one COPY stream."""
    return b"".join((_HEADER, *parts, _TRAILER))


def text(value: str | None) -> bytes:
    if value is None:
        return NULL
    coded = value.encode()
    return _length(len(coded)) + coded


def array(kind: int, cells: Sequence[bytes]) -> bytes:
    """One-dimensional array in binary form, as a value for `prepared.run`; ``kind`` is the oid of its elements."""
    return _array(1, 1, kind, len(cells), 1) + b"".join(cells)


def id_array(ids: Iterable[UUID]) -> bytes:
    """`array` of ids."""
    return array(UUIDS, [_ID + one.int.to_bytes(16, "big") for one in ids])


def jsonb(document: bytes) -> bytes:
    """``document`` is valid JSON without NUL."""
    return _jsonb(len(document) + 1, 1) + document


def instant(at: datetime | None) -> bytes:
    return NULL if at is None else _instant(8, (at - EPOCH) // US)


def integer(value: int | None) -> bytes:
    return NULL if value is None else _int4(4, value)


def identifier(value: UUID | None) -> bytes:
    return NULL if value is None else _ID + value.int.to_bytes(16, "big")


def id_bytes(value: UUID | str) -> bytes:
    """The 16 bytes of an id, which may come as text with or without dashes.

    >>> id_bytes(UUID(int=1)) == id_bytes(str(UUID(int=1))) == id_bytes(UUID(int=1).hex)
    True
    """
    return bytes.fromhex(value.replace("-", "")) if isinstance(value, str) else value.int.to_bytes(16, "big")
