"""How are runs ended and waiting sends withdrawn? In the shopper's bucket, whoever asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.outbox import SendEventRow
from rekindle.store.statements import sql


class EndedRun(NamedTuple):
    """An enrolment that was ended."""

    id: UUID
    cart_id: UUID
    shopper_id: UUID
    step: str | None


class WithdrawnSend(NamedTuple):
    """A send that was taken out of the outbox before anybody began to send it."""

    id: UUID
    shopper_id: UUID
    enrolment_id: UUID
    cart_id: UUID | None
    step: str | None
    channel: str


def exit_runs_of_carts(
    connection: Connection, bucket: int, cart_ids: Sequence[UUID], reason: str, now: datetime
) -> list[EndedRun]:
    values = {"bucket": bucket, "cart_ids": id_array(cart_ids), "reason": reason, "now": now}
    return [EndedRun._make(row) for row in connection.execute(sql("exit_runs_of_carts"), values)]


def exit_runs_of_shoppers(
    connection: Connection,
    bucket: int,
    shopper_ids: Sequence[UUID],
    *,
    left_before: datetime,
    reason: str,
    now: datetime,
) -> list[EndedRun]:
    values = {"bucket": bucket, "shopper_ids": id_array(shopper_ids), "left_before": left_before}
    values |= {"reason": reason, "now": now}
    return [EndedRun._make(row) for row in connection.execute(sql("exit_runs_of_shoppers"), values)]


def drop_pending_of_carts(
    connection: Connection, bucket: int, cart_ids: Sequence[UUID], shopper_ids: Sequence[UUID]
) -> list[WithdrawnSend]:
    values = {"bucket": bucket, "cart_ids": id_array(cart_ids), "shopper_ids": id_array(shopper_ids)}
    return _sends(connection, sql("drop_pending_of_carts"), values)


def drop_pending_of_shoppers(
    connection: Connection, bucket: int, shopper_ids: Sequence[UUID], left_before: datetime
) -> list[WithdrawnSend]:
    values = {"bucket": bucket, "shopper_ids": id_array(shopper_ids), "left_before": left_before}
    return _sends(connection, sql("drop_pending_of_shoppers"), values)


def drop_pending_of_channels(
    connection: Connection, bucket: int, shopper_id: UUID, channels: Sequence[str]
) -> list[WithdrawnSend]:
    values = {"bucket": bucket, "shopper_id": shopper_id, "channels": list(channels)}
    return _sends(connection, sql("drop_pending_of_channels"), values)


def append_send_events(connection: Connection, bucket: int, rows: Sequence[SendEventRow]) -> None:
    """Write what happened to sends; a repeat changes nothing."""
    if rows:
        body = msgspec.json.encode(rows).decode()
        connection.execute(sql("add_send_events"), {"bucket": bucket, "rows": body})


def _sends(connection: Connection, statement: LiteralString, values: dict[str, object]) -> list[WithdrawnSend]:
    return [WithdrawnSend._make(row) for row in connection.execute(statement, values)]
