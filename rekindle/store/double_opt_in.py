"""How is it kept which addresses were asked to confirm? In the shopper's bucket, beside the send that asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.database import Connection
from rekindle.store.statements import sql


class ContactNow(NamedTuple):
    """An address as it stands, with its shopper's place; ``address`` is empty after erasure."""

    address: str
    consent: str | None
    consent_at: datetime | None
    is_confirmed: bool
    names_carts: bool
    country: str
    region: str
    locale: str


class NewConfirmation(NamedTuple):
    """A message that asks an address to confirm, as it is queued."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    contact_id: UUID
    channel: str
    now: datetime
    link_hash: bytes
    optout_hash: bytes
    seed: bytes
    context: dict[str, Any]


def contact_now(connection: Connection, bucket: int, contact_id: UUID) -> ContactNow | None:
    row = connection.execute(sql("contact_now"), {"bucket": bucket, "id": contact_id}).fetchone()
    return ContactNow._make(row) if row else None


def ask_network(
    connection: Connection, shop_id: int, network: str, *, now: datetime, span: timedelta, most: int
) -> bool:
    values = {"shop_id": shop_id, "network": network, "now": now, "span": span, "most": most}
    return connection.execute(sql("ask_network"), values).fetchone() is not None


def forget_networks(connection: Connection, before: datetime) -> None:
    connection.execute(sql("forget_networks"), {"before": before})


def note_opt_in_request(
    connection: Connection,
    bucket: int,
    new: NewConfirmation,
    *,
    open_since: datetime,
    answered_before: datetime,
    most: int,
) -> bool:
    """False when the address must not be asked (again) now."""
    values = {"bucket": bucket, "id": new.contact_id, "shop_id": new.shop_id, "send_id": new.id, "now": new.now}
    values |= {"open_since": open_since, "answered_before": answered_before, "most": most}
    return connection.execute(sql("note_opt_in_request"), values).fetchone() is not None


def queue_confirmation(connection: Connection, bucket: int, new: NewConfirmation) -> None:
    values = {**new._asdict(), "bucket": bucket, "context": msgspec.json.encode(new.context).decode()}
    connection.execute(sql("queue_confirmation"), values)


def open_opt_in_request(connection: Connection, bucket: int, contact_id: UUID, open_since: datetime) -> UUID | None:
    values = {"bucket": bucket, "id": contact_id, "open_since": open_since}
    row = connection.execute(sql("open_opt_in_request"), values).fetchone()
    return row[0] if row else None


def answer_opt_in_request(connection: Connection, bucket: int, contact_id: UUID, send_id: UUID, now: datetime) -> None:
    values = {"bucket": bucket, "id": contact_id, "send_id": send_id, "now": now}
    connection.execute(sql("answer_opt_in_request"), values)


def drop_opt_in_requests(connection: Connection, bucket: int, contact_ids: Sequence[UUID]) -> None:
    connection.execute(sql("drop_opt_in_requests"), {"bucket": bucket, "ids": list(contact_ids)})
