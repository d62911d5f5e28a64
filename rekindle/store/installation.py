"""Which database is this, and how far has it come? Typed calls of store/sql/installation.sql."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from rekindle.store.database import Connection
from rekindle.store.statements import sql


class Installation(NamedTuple):
    """``key``: made up when the database was first worked with; ``beat``: counts up while it is."""

    key: str
    beat: int


def installation(connection: Connection) -> Installation | None:
    row = connection.execute(sql("installation")).fetchone()
    return Installation._make(row) if row else None


def begin_installation(connection: Connection, key: str, now: datetime) -> None:
    connection.execute(sql("begin_installation"), {"key": key, "now": now})


def count_up(connection: Connection, now: datetime) -> Installation | None:
    row = connection.execute(sql("count_up"), {"now": now}).fetchone()
    return Installation._make(row) if row else None


def catch_up(connection: Connection, beat: int, now: datetime) -> Installation:
    """Raises ValueError when the database has no row yet."""
    row = connection.execute(sql("catch_up"), {"beat": beat, "now": now}).fetchone()
    if row is None:
        raise ValueError("the installation has no row")
    return Installation._make(row)


def has_sends(connection: Connection) -> bool:
    """Whether any message was ever planned here."""
    row = connection.execute(sql("has_sends")).fetchone()
    return bool(row and row[0])
