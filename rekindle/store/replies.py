"""What did shoppers write back, and who has decided about it? Typed calls of store/sql/replies.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.store.consents import Subject
from rekindle.store.dashboard.narrow import narrowed
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class WaitingReply(NamedTuple):
    """A reply that a person has to read; ``address`` is None for a number nobody gave."""

    bucket: int
    id: UUID
    channel: str
    shopper_bucket: int | None
    shopper_id: UUID | None
    text: str
    at: datetime
    address: str | None


class HeardReply(NamedTuple):
    """A reply and what it was taken for."""

    at: datetime
    channel: str
    text: str
    verdict: str
    settled_as: str
    settled_by: str


class SettledReply(NamedTuple):
    """A reply that was decided about just now."""

    channel: str
    address_hash: bytes
    shopper_bucket: int | None
    shopper_id: UUID | None
    text: str


def put_reply(
    connection: Connection,
    bucket: int,
    reply_id: UUID,
    subject: Subject,
    *,
    account_id: int | None,
    shopper: tuple[int, UUID] | None,
    text: str,
    verdict: str,
    at: datetime,
) -> bool:
    """False when it was there already."""
    values: dict[str, object] = {"bucket": bucket, "id": reply_id, **subject.values, "account_id": account_id}
    values |= {"shopper_bucket": shopper[0] if shopper else None, "shopper_id": shopper[1] if shopper else None}
    values |= {"text": text, "verdict": verdict, "at": at}
    return connection.execute(sql("put_reply"), values).fetchone() is not None


def has_reply(connection: Connection, bucket: int, reply_id: UUID, shop_id: int) -> bool:
    values = {"bucket": bucket, "id": reply_id, "shop_id": shop_id}
    return connection.execute(sql("has_reply"), values).fetchone() is not None


def asked_for_help_since(connection: Connection, bucket: int, subject: Subject, since: datetime) -> bool:
    values = {"bucket": bucket, **subject.values, "since": since}
    return connection.execute(sql("asked_for_help_since"), values).fetchone() is not None


def replies_waiting(connection: Connection, buckets: Sequence[int], shop_id: int, limit: int) -> list[WaitingReply]:
    text, values = narrowed("replies_waiting", buckets, {"shop_id": shop_id, "limit": limit})
    return [WaitingReply._make(row) for row in connection.execute(text, values)]


def replies_heard(
    connection: Connection, buckets: Sequence[int], shop_id: int, since: datetime, limit: int
) -> list[HeardReply]:
    text, values = narrowed("replies_heard", buckets, {"shop_id": shop_id, "since": since, "limit": limit})
    return [HeardReply._make(row) for row in connection.execute(text, values)]


def count_replies_waiting(connection: Connection, buckets: Sequence[int], shop_id: int) -> int:
    text, values = narrowed("count_replies_waiting", buckets, {"shop_id": shop_id})
    row = connection.execute(text, values).fetchone()
    return int(row[0]) if row else 0


def settle_replies(
    connection: Connection, bucket: int, reply_id: UUID, shop_id: int, *, now: datetime, decided: str, by: str
) -> list[SettledReply]:
    """All that waited from the same address; none when somebody has decided already."""
    values = {"bucket": bucket, "id": reply_id, "shop_id": shop_id, "now": now, "decided": decided, "person": by}
    rows = connection.execute(sql("settle_replies"), values).fetchall()
    return [SettledReply(row[0], bytes(row[1]), row[2], row[3], row[4]) for row in rows]


def blank_replies(connection: Connection, bucket: int, shop_id: int, address_hashes: Sequence[bytes]) -> None:
    values = {"bucket": bucket, "shop_id": shop_id, "address_hashes": list(address_hashes)}
    connection.execute(sql("blank_replies"), values)
