"""What did a shopper choose about messages, and on which channels can they be written to?"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.preferences import NO_PREFERENCES, Preferences


class Watched(NamedTuple):
    """What decides whether it is noticed which links a shopper follows. ``phone``: a number of theirs, if any."""

    country: str
    state: str
    answer: bool | None
    phone: str | None


def load_preferences(connection: Connection, bucket: int, shopper_id: UUID) -> dict[str, Any] | None:
    """As stored; None for a shopper who is gone or erased."""
    row = connection.execute(sql("preferences_of_shopper"), {"bucket": bucket, "id": shopper_id}).fetchone()
    return (row[0] or {}) if row and row[1] is None else None


def channels_of_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> dict[str, bool]:
    """By channel, whether it is still on."""
    rows = connection.execute(sql("channels_of_shopper"), {"bucket": bucket, "id": shopper_id})
    return {str(row[0]): bool(row[1]) for row in rows}


def store_preferences(connection: Connection, bucket: int, shopper_id: UUID, preferences: Preferences) -> None:
    """The caller holds the shopper's lock."""
    kept = None if preferences == NO_PREFERENCES else Jsonb(msgspec.to_builtins(preferences))
    connection.execute(sql("set_preferences"), {"bucket": bucket, "id": shopper_id, "preferences": kept})


def watched_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> Watched | None:
    """None for a shopper who is gone or erased."""
    row = connection.execute(sql("watched_shopper"), {"bucket": bucket, "id": shopper_id}).fetchone()
    return None if row is None else Watched(*row)


def answer_clicks(connection: Connection, bucket: int, shopper_id: UUID, *, is_yes: bool, at: datetime) -> None:
    """An answer that is older than the one that is kept changes nothing."""
    values = {"bucket": bucket, "id": shopper_id, "clicks": is_yes, "at": at, "clicks_at": at.isoformat()}
    connection.execute(sql("answer_clicks"), values)
