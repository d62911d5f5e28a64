"""How often did signing in fail lately? Counted under keyed hashes: the table names nobody."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.store.statements import sql


class FailedSignIns(NamedTuple):
    key: str
    failed_count: int
    first_at: datetime


def failed_sign_ins(connection: Connection, keys: Sequence[str], *, since: datetime) -> list[FailedSignIns]:
    """Counts of the windows that began after ``since``."""
    with connection.cursor(row_factory=class_row(FailedSignIns)) as cursor:
        return cursor.execute(sql("failed_sign_ins"), {"keys": list(keys), "since": since}).fetchall()


def count_failed_sign_in(connection: Connection, key: str, *, at: datetime, since: datetime) -> None:
    connection.execute(sql("count_failed_sign_in"), {"key": key, "at": at, "since": since})


def clear_failed_sign_ins(connection: Connection, keys: Sequence[str], *, since: datetime) -> None:
    connection.execute(sql("clear_failed_sign_ins"), {"keys": list(keys), "since": since})
