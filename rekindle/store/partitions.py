"""Which partitions must exist now? Made ahead of time, dropped by retention; never deleted from row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from rekindle.lib.ids import floor_id

DAILY = ("events", "send_events", "decisions")
MONTHLY = ("sends",)
DAYS_BEHIND = 2  # late events of the last two days still find their own partition; older ones go to the default one
DAYS_AHEAD = 7


def ensure_partitions(connection: psycopg.Connection[Any], now: datetime) -> list[str]:
    """Create the daily and monthly partitions around ``now`` that are missing; returns the names made.

    Rows that already lie in the default partition for a period keep that period there: PostgreSQL refuses such a
    partition and it is left out. Safe to run by many at once.
    """
    made = []
    today = now.astimezone(UTC).date()
    existing = _existing(connection)
    for name, parent, start, end in _wanted(today):
        if name not in existing and _create(connection, name, parent, start, end):
            made.append(name)
    return made


def _existing(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = ANY(%s)",
        [list(DAILY + MONTHLY)],
    ).fetchall()
    return {row[0] for row in rows}


def _wanted(today: date) -> list[tuple[str, str, date, date]]:
    wanted = []
    for offset in range(-DAYS_BEHIND, DAYS_AHEAD + 1):
        day = today + timedelta(days=offset)
        wanted += [(f"{parent}_{day:%Y%m%d}", parent, day, day + timedelta(days=1)) for parent in DAILY]
    first = (today - timedelta(days=DAYS_BEHIND)).replace(day=1)
    for _ in range(3):
        following = (first + timedelta(days=32)).replace(day=1)
        wanted += [(f"{parent}_{first:%Y%m}", parent, first, following) for parent in MONTHLY]
        first = following
    return wanted


def _create(connection: psycopg.Connection[Any], name: str, parent: str, start: date, end: date) -> bool:
    statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
        sql.Identifier(name),
        sql.Identifier(parent),
        sql.Literal(str(floor_id(_midnight(start)))),
        sql.Literal(str(floor_id(_midnight(end)))),
    )
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute(statement)
    except (psycopg.errors.CheckViolation, psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation):
        return False  # rows of the period lie in the default partition, or a neighbour was faster
    return True


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
