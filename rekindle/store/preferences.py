"""What did a shopper choose about messages, and on which channels can they be written to?"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.preferences import NO_PREFERENCES, Preferences


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
