"""How is the place of a cart's one text message taken? Typed calls of store/sql/text_slots.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class SlotWish(msgspec.Struct, frozen=True, kw_only=True):
    """A send that needs the place of its cart."""

    shop_id: int
    cart_id: UUID
    send_id: UUID


async def take_text_slots(
    link: AsyncConnection, bucket: int, wishes: Sequence[SlotWish], *, now: datetime, until_at: datetime
) -> set[UUID]:
    """The sends that hold their cart's place now. ``wishes``: at most one for each cart."""
    rows = msgspec.json.encode(sorted(wishes, key=lambda one: (one.shop_id, one.cart_id))).decode()
    values = {"bucket": bucket, "rows": rows, "now": now, "until_at": until_at}
    cursor = await link.execute(sql("take_text_slots"), values)
    return {row[0] for row in await cursor.fetchall()}


def drop_free_text_slots(connection: Connection, buckets: Sequence[int], now: datetime) -> int:
    """Forget places that nobody holds; how many there were."""
    return connection.execute(sql("drop_free_text_slots"), {"buckets": list(buckets), "now": now}).rowcount
