"""What became of sends whose worker died, and of those that nobody knows about? Typed calls of store/sql/settle.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class EndedCall(NamedTuple):
    """A send whose worker died while its call was under way."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    account_id: int | None


class Doubt(NamedTuple):
    """An uncertain send; ``uncertain_at`` is also what later changes are conditional on. With ``first_try_at`` and
    ``letter_hash`` it went to an account that knows keys, for the first time then, saying that."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    channel: str
    account_id: int | None
    attempts: int
    uncertain_at: datetime
    first_try_at: datetime | None
    letter_hash: bytes | None
    seed: bytes


class UncertainSend(NamedTuple):
    """A line of the operator's list."""

    bucket: int
    id: UUID
    channel: str
    step: str | None
    cart_bucket: int | None
    cart_id: UUID | None
    shopper_id: UUID
    account_id: int | None
    uncertain_at: datetime
    address: str | None


class TakenSend(NamedTuple):
    """An uncertain send that an operator has decided about."""

    shopper_id: UUID
    enrolment_id: UUID
    channel: str


async def buckets_to_settle(
    link: AsyncConnection, buckets: Sequence[int], now: datetime, settled_before: datetime
) -> list[int]:
    values = {"buckets": array_literal(buckets), "now": now, "settled_before": settled_before}
    cursor = await link.execute(sql("buckets_to_settle"), values)
    return [row[0] for row in await cursor.fetchall()]


async def release_ended_claims(link: AsyncConnection, bucket: int, now: datetime, limit: int) -> int:
    """Returns how many wait again."""
    values = {"bucket": bucket, "now": now, "limit": limit}
    return (await link.execute(sql("release_ended_claims"), values)).rowcount


async def doubt_ended_calls(link: AsyncConnection, bucket: int, now: datetime, limit: int) -> list[EndedCall]:
    cursor = await link.execute(sql("doubt_ended_calls"), {"bucket": bucket, "now": now, "limit": limit})
    return [EndedCall._make(row) for row in await cursor.fetchall()]


async def settled_doubts(link: AsyncConnection, bucket: int, settled_before: datetime, limit: int) -> list[Doubt]:
    values = {"bucket": bucket, "settled_before": settled_before, "limit": limit}
    cursor = await link.execute(sql("settled_doubts"), values)
    return [Doubt._make(row) for row in await cursor.fetchall()]


def phone_of_send(connection: Connection, bucket: int, send_id: UUID) -> str | None:
    """As `number_of_send`."""
    row = connection.execute(sql("number_of_send"), {"bucket": bucket, "id": send_id}).fetchone()
    return row[0] if row else None


async def number_of_send(link: AsyncConnection, bucket: int, send_id: UUID) -> str | None:
    """The number a text message was for; None when it is not known any more."""
    row = await (await link.execute(sql("number_of_send"), {"bucket": bucket, "id": send_id})).fetchone()
    return str(row[0]) if row and row[0] else None


async def clear_doubt_sent(link: AsyncConnection, bucket: int, doubt: Doubt) -> bool:
    """False when somebody else cleared it."""
    values = {"bucket": bucket, "id": doubt.id, "uncertain_at": doubt.uncertain_at}
    return (await link.execute(sql("clear_doubt_sent"), values)).rowcount > 0


async def clear_doubt_not_sent(
    link: AsyncConnection, bucket: int, doubt: Doubt, send_at: datetime, *, only_account: int | None
) -> bool:
    """False when somebody else cleared it."""
    values = {"bucket": bucket, "id": doubt.id, "uncertain_at": doubt.uncertain_at, "send_at": send_at}
    values |= {"account_id": only_account}
    return (await link.execute(sql("clear_doubt_not_sent"), values)).rowcount > 0


def doubt_of_send(connection: Connection, bucket: int, send_id: UUID, shop_id: int) -> Doubt | None:
    values = {"bucket": bucket, "id": send_id, "shop_id": shop_id}
    row = connection.execute(sql("doubt_of_send"), values).fetchone()
    return Doubt._make(row) if row else None


def end_doubt_sent(connection: Connection, bucket: int, doubt: Doubt) -> bool:
    """As `clear_doubt_sent`."""
    values = {"bucket": bucket, "id": doubt.id, "uncertain_at": doubt.uncertain_at}
    return connection.execute(sql("clear_doubt_sent"), values).rowcount > 0


def end_doubt_not_sent(connection: Connection, bucket: int, doubt: Doubt, send_at: datetime) -> bool:
    """As `clear_doubt_not_sent`, for any account."""
    values = {"bucket": bucket, "id": doubt.id, "uncertain_at": doubt.uncertain_at, "send_at": send_at}
    return connection.execute(sql("clear_doubt_not_sent"), values | {"account_id": None}).rowcount > 0


def failed_send(connection: Connection, bucket: int, send_id: UUID, shop_id: int) -> TakenSend | None:
    """A send that failed for certain; None when it did not, or is not this shop's."""
    values = {"bucket": bucket, "id": send_id, "shop_id": shop_id}
    row = connection.execute(sql("failed_send"), values).fetchone()
    return TakenSend._make(row) if row else None


def uncertain_sends(connection: Connection, buckets: Sequence[int], shop_id: int, limit: int) -> list[UncertainSend]:
    values = {"buckets": array_literal(buckets), "shop_id": shop_id, "limit": limit}
    return [UncertainSend._make(row) for row in connection.execute(sql("uncertain_sends"), values).fetchall()]


def take_uncertain_send(connection: Connection, bucket: int, send_id: UUID, shop_id: int) -> TakenSend | None:
    """Take it out of the outbox; None when it is not uncertain any more, or not this shop's."""
    values = {"bucket": bucket, "id": send_id, "shop_id": shop_id}
    row = connection.execute(sql("take_uncertain_send"), values).fetchone()
    return TakenSend._make(row) if row else None


def cart_and_step(connection: Connection, bucket: int, send_id: UUID) -> tuple[UUID | None, str | None]:
    row = connection.execute(sql("send_cart_and_step"), {"bucket": bucket, "id": send_id}).fetchone()
    return (row[0], row[1]) if row else (None, None)


def add_events(connection: Connection, bucket: int, rows: str) -> None:
    """Append events; ``rows`` is the JSON of a list of store.outbox.SendEventRow."""
    connection.execute(sql("add_send_events"), {"bucket": bucket, "rows": rows})


def copy_send(
    connection: Connection,
    bucket: int,
    send_id: UUID,
    new_id: UUID,
    *,
    now: datetime,
    link_hash: bytes,
    optout_hash: bytes,
    seed: bytes,
) -> bool:
    """The same message as a new send, due now; False when it was copied before or its record is gone."""
    values = {"bucket": bucket, "id": send_id, "new_id": new_id, "now": now}
    values |= {"link_hash": link_hash, "optout_hash": optout_hash}
    if connection.execute(sql("copy_send"), values).fetchone() is None:
        return False
    connection.execute(sql("queue_send"), {"bucket": bucket, "id": new_id, "now": now, "seed": seed})
    return True
