"""How are the browsers and apps of shoppers read and written? Set-based, one bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.copying import array_literal, id_array
from rekindle.store.database import Connection
from rekindle.store.prepared import run
from rekindle.store.statements import sql


@dataclass(slots=True, kw_only=True)
class DeviceNews:
    """A device as an event tells it; ``id`` is its contact point's, keys are in hexadecimal."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    public_key: str
    auth: str
    seen_at: datetime


class DeviceRow(NamedTuple):
    """A device that a message may go to."""

    shopper_id: UUID
    id: UUID
    address: str
    public_key: bytes
    auth: bytes


async def devices_to_reach(
    link: AsyncConnection, bucket: int, shopper_ids: Sequence[UUID], most: int
) -> list[DeviceRow]:
    """At most ``most`` for each shopper, those that were seen last first."""
    values = {"bucket": bucket, "shopper_ids": array_literal(shopper_ids), "n": most}
    cursor = await link.execute(sql("devices_to_reach"), values)
    return [DeviceRow(row[0], row[1], row[2], bytes(row[3]), bytes(row[4])) for row in await cursor.fetchall()]


async def forget_devices(link: AsyncConnection, bucket: int, ids: Sequence[UUID]) -> None:
    if ids:
        await link.execute(sql("forget_devices"), {"bucket": bucket, "ids": array_literal(ids)})


def keep_devices(connection: Connection, bucket: int, news: Iterable[DeviceNews]) -> None:
    rows = sorted(news, key=lambda one: one.id.int)
    if rows:
        run(connection, "keep_devices", {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()})


def drop_devices(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    if ids:
        run(connection, "drop_devices", {"bucket": bucket, "ids": id_array(ids)})


def drop_devices_of_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> None:
    run(connection, "drop_devices_of_shopper", {"bucket": bucket, "shopper_id": shopper_id})
