"""How is what people did written down and read? Typed calls of store/sql/audit_log.sql."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.log_entry import LogEntry

_WRITING: Final = 723_004  #: advisory lock: one writer of the log at a time
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which entries of a shop: older than ``before``, within [since, until), of one person or action where named."""

    shop_id: int
    since: datetime
    until: datetime
    actor: str = ""
    action: str = ""
    before: int = 2**62
    limit: int = 50


def hold_log(connection: Connection) -> tuple[int, bytes] | None:
    """Be the only writer until the transaction ends; number and hash of the last entry, None when there is none."""
    connection.execute(sql("hold_log"), {"key": _WRITING})
    return last_entry(connection)


def last_entry(connection: Connection) -> tuple[int, bytes] | None:
    row = connection.execute(sql("last_log_entry")).fetchone()
    return (row[0], bytes(row[1])) if row else None


def add_entry(connection: Connection, entry: LogEntry) -> None:
    """Append an entry; the caller holds the log."""
    values: dict[str, object] = {name: getattr(entry, name) for name in LogEntry.__struct_fields__}
    connection.execute(sql("add_log_entry"), values | {"facts": Jsonb(dict(entry.facts))})


def whole_log(connection: Connection) -> Iterator[LogEntry]:
    """Every entry, oldest first, read little by little inside a transaction."""
    with connection.cursor("log", row_factory=dict_row) as cursor:
        cursor.itersize = _AT_ONCE
        for row in cursor.execute(sql("whole_log")):
            yield _entry(row)


def log_of_shop(connection: Connection, query: LogQuery) -> list[LogEntry]:
    """Newest first."""
    values = {name: getattr(query, name) for name in LogQuery.__slots__}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_entry(row) for row in cursor.execute(sql("log_of_shop"), values).fetchall()]


def who_and_what(connection: Connection, shop_id: int) -> tuple[list[str], list[str]]:
    """The people and the actions that occur in a shop's log."""
    rows = connection.execute(sql("who_and_what_of_log"), {"shop_id": shop_id}).fetchall()
    return sorted({row[0] for row in rows}), sorted({row[1] for row in rows})


def _entry(row: dict[str, Any]) -> LogEntry:
    hashes = {name: bytes(row[name]) for name in ("previous_hash", "row_hash")}
    return LogEntry(**row | hashes)
