"""How are many rows written at once? As the text form of COPY, made by the caller's f-strings, one block a batch.

One formatted line costs about 2 us; psycopg's row-by-row conversion costs five times that. Cells that come from
outside (JSON, names) go through `cell`; numbers, ids, instants and our own words need nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec

from rekindle.store.database import Connection

NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def copy_lines(connection: Connection, statement: LiteralString, lines: Sequence[str]) -> None:
    """Run a COPY ... FROM STDIN with these lines (cells joined by tabs). No lines, no statement."""
    if lines:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write("\n".join(lines) + "\n")


def cell(text: str) -> str:
    r"""Text that may hold anything, made safe for one cell.

    >>> cell("a\tb\\c")
    'a\\tb\\\\c'
    """
    return text.translate(_ESCAPES)


def json_cell(value: object) -> str:
    """A JSON value for one cell; control characters are already escaped by JSON itself, backslashes are not."""
    return msgspec.json.encode(value).decode().replace("\\", "\\\\")


def instant_cell(at: datetime | None) -> str:
    return NULL if at is None else at.isoformat()


def id_cell(value: object) -> str:
    """An id or number that may be missing."""
    return NULL if value is None else str(value)


def bytes_cell(value: bytes) -> str:
    return "\\\\x" + value.hex()


def array_literal(values: Sequence[object]) -> str:
    """PostgreSQL's text form of an array of ids or numbers, to be cast in the statement.

    psycopg's own conversion of a list costs 1 us per element and more; joining costs a tenth.

    >>> array_literal([1, 2])
    '{1,2}'
    """
    return "{" + ",".join(map(str, values)) + "}"


def id_array(ids: Iterable[UUID]) -> str:
    """`array_literal` of ids, at a third of the cost: UUID's own text form is slow.

    >>> id_array([UUID(int=1)])
    '{00000000000000000000000000000001}'
    """
    return "{" + ",".join([f"{one.int:032x}" for one in ids]) + "}"
