"""How are orders read and written, and what do they look up? Set-based, one bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from rekindle.policy.order_fold import OrderDraft
from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.prepared import run
from rekindle.store.statements import sql

_COLUMNS = (
    "bucket", "id", "shop_id", "order_key", "ordered_at", "received_at", "currency", "state", "total_cents",
    "refunded_cents", "cart_bucket", "cart_id", "shopper_bucket", "shopper_id", "matched_by", "coupons", "items",
    "facts",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class OrderNote:
    """What orders change about one shopper: changes of count and money, and our notes for their traits."""

    id: UUID
    last_order_at: datetime | None = None
    count_change: int = 0
    spent_change: int = 0
    notes: dict[str, Any]


def open_orders(connection: Connection, bucket: int, drafts: Iterable[OrderDraft]) -> dict[UUID, OrderDraft]:
    """Add the orders that are not known, hold all of them, and return them as they are."""
    ordered = sorted(drafts, key=lambda draft: draft.id)
    body = msgspec.json.encode([_row(draft) for draft in ordered]).decode()
    run(connection, "add_orders", {"bucket": bucket, "rows": body})
    return lock_orders(connection, bucket, [draft.id for draft in ordered])


def lock_orders(connection: Connection, bucket: int, ids: Sequence[UUID]) -> dict[UUID, OrderDraft]:
    rows = run(connection, "lock_orders", {"bucket": bucket, "ids": id_array(ids)})
    return {row[1]: OrderDraft(**dict(zip(_COLUMNS, row, strict=True))) for row in rows}


def write_orders(connection: Connection, bucket: int, drafts: Iterable[OrderDraft]) -> None:
    rows = [_row(draft) for draft in drafts]
    if rows:
        run(connection, "write_orders", {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()})


def meet_unknown_cart(
    connection: Connection, bucket: int, cart_id: UUID, *, shop_id: int, cart_key: str, at: datetime
) -> None:
    """Wait until nobody is adding this cart; leaves nothing behind."""
    values = {"bucket": bucket, "id": cart_id, "shop_id": shop_id, "cart_key": cart_key, "at": at}
    if connection.execute(sql("meet_unknown_cart"), values).fetchone() is not None:
        connection.execute(sql("drop_cart"), {"bucket": bucket, "id": cart_id, "seq": 0})


def reached_carts(connection: Connection, bucket: int, cart_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When each cart that was written about was reached first."""
    rows = run(connection, "reached_carts", {"bucket": bucket, "cart_ids": id_array(cart_ids)})
    return {row[0]: row[1] for row in rows}


def note_orders(connection: Connection, bucket: int, notes: Iterable[OrderNote]) -> None:
    rows = list(notes)
    if rows:
        run(connection, "note_orders", {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()})


def _row(draft: OrderDraft) -> dict[str, Any]:
    return {field.name: getattr(draft, field.name) for field in fields(OrderDraft)}
