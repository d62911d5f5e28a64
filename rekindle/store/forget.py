"""How is a person taken out of the rows? One bucket at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


def erase_shopper(connection: Connection, bucket: int, shopper_id: UUID, now: datetime) -> bool:
    values = {"bucket": bucket, "id": shopper_id, "now": now}
    return connection.execute(sql("erase_shopper"), values).fetchone() is not None


def erase_contacts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    connection.execute(sql("erase_contacts"), {"bucket": bucket, "ids": array_literal(ids)})


def carts_of_shopper_ever(connection: Connection, bucket: int, shopper_id: UUID) -> list[UUID]:
    values = {"bucket": bucket, "shopper_id": shopper_id}
    return [row[0] for row in connection.execute(sql("carts_of_shopper_ever"), values)]


def blank_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    """Also the events of these carts."""
    connection.execute(sql("blank_carts"), {"bucket": bucket, "ids": array_literal(ids)})
    connection.execute(sql("blank_events"), {"bucket": bucket, "cart_ids": array_literal(ids)})
