"""How is a message taken over by another channel? Typed calls of store/sql/fall_back.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class FallBackRow(msgspec.Struct, frozen=True, kw_only=True):
    """A send to make in place of another. Hashes and seed in hex; ``otherwise``: where to turn when it fails too."""

    id: UUID
    failed_id: UUID
    channel: str
    contact_point_id: UUID
    template_version_id: int
    link_hash: str
    optout_hash: str
    seed: str
    otherwise: list[Any]


def sends_with_a_way_on(connection: Connection, bucket: int, ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
    """Those of the sends whose step names a further channel: id, shop, shopper, run, cart, step, channel, context."""
    return connection.execute(sql("sends_with_a_way_on"), {"bucket": bucket, "ids": id_array(ids)}).fetchall()


def fall_back(connection: Connection, bucket: int, rows: Sequence[FallBackRow], now: datetime) -> set[UUID]:
    """Make the sends and put them in line; ids of those that were made. Call inside a transaction."""
    return {row[0] for row in connection.execute(sql("fall_back"), _values(bucket, rows, now))}


async def fall_back_async(link: AsyncConnection, bucket: int, rows: Sequence[FallBackRow], now: datetime) -> set[UUID]:
    """The same on a delivery worker's connection."""
    if not rows:
        return set()
    cursor = await link.execute(sql("fall_back"), _values(bucket, rows, now))
    return {row[0] for row in await cursor.fetchall()}


def _values(bucket: int, rows: Sequence[FallBackRow], now: datetime) -> dict[str, object]:
    return {"bucket": bucket, "rows": msgspec.json.encode(rows).decode(), "now": now}
