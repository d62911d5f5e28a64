"""What is known about a shopper without a send? Typed reads of store/sql/forecast.sql."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.lib.ids import floor_id
from rekindle.store.database import Connection
from rekindle.store.outbox import HistoryRow
from rekindle.store.statements import sql


class Whereabouts(NamedTuple):
    country: str
    region: str
    timezones: list[str] | None
    last_order_at: datetime | None
    opted_out_at: datetime | None
    erased_at: datetime | None
    preferences: dict[str, object] | None


class ContactNow(NamedTuple):
    channel: str
    address: str
    consent: str | None
    consent_at: datetime | None
    consent_wording: str | None
    consent_confirmed: bool
    consent_written: bool
    consent_names_carts: bool
    suppressed: bool


def whereabouts(connection: Connection, bucket: int, shop_id: int, shopper_id: UUID) -> Whereabouts | None:
    values = {"bucket": bucket, "shop_id": shop_id, "id": shopper_id}
    row = connection.execute(sql("shopper_for_forecast"), values).fetchone()
    return Whereabouts._make(row) if row else None


def best_contacts(connection: Connection, bucket: int, shop_id: int, shopper_id: UUID) -> dict[str, ContactNow]:
    """By channel, the address that is best to write to."""
    values = {"bucket": bucket, "shop_id": shop_id, "shopper_id": shopper_id}
    rows = connection.execute(sql("contacts_for_forecast"), values).fetchall()
    found: dict[str, ContactNow] = {}
    for row in map(ContactNow._make, rows):
        found.setdefault(row.channel, row)
    return found


def messages_since(connection: Connection, bucket: int, shopper_id: UUID, since: datetime) -> list[HistoryRow]:
    """Messages that count towards caps, as `deliver` counts them."""
    values = {"bucket": bucket, "shopper_ids": [shopper_id], "ids": [], "since": since, "since_id": floor_id(since)}
    return [HistoryRow._make(row) for row in connection.execute(sql("send_history"), values).fetchall()]
