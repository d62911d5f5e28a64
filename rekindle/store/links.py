"""Which send and cart does a link belong to, and how is it noted that it was followed?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class SendBehindLink:
    """The part of a send that its links need. ``context["links"]`` are the targets of its product links."""

    bucket: int
    id: UUID
    shop_id: int
    shopper_id: UUID
    channel: str
    cart_bucket: int
    cart_id: UUID
    created_at: datetime
    link_hash: bytes
    optout_hash: bytes
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CartBehindLink:
    """``items`` as they are stored: see `policy.cart_draft.Line`."""

    cart_key: str
    state: str
    items: list[dict[str, Any]]
    currency: str | None
    recover_url: str | None


class LinkEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a link, to be recorded."""

    id: UUID
    shop_id: int
    send_id: UUID
    shopper_id: UUID
    kind: str
    at: datetime
    detail: dict[str, object]


def send_behind_link(connection: Connection, bucket: int, send_id: UUID) -> SendBehindLink | None:
    row = connection.execute(sql("send_behind_link"), {"bucket": bucket, "id": send_id}).fetchone()
    return None if row is None else _send(bucket, send_id, row)


def send_behind_short_link(connection: Connection, bucket: int, link_hash: bytes) -> SendBehindLink | None:
    row = connection.execute(sql("send_behind_short_link"), {"bucket": bucket, "link_hash": link_hash}).fetchone()
    return None if row is None else _send(bucket, row[0], row[1:])


def sends_behind_links(connection: Connection, bucket: int, ids: Iterable[UUID]) -> dict[UUID, SendBehindLink]:
    rows = connection.execute(sql("sends_behind_links"), {"bucket": bucket, "ids": id_array(ids)})
    return {row[0]: _send(bucket, row[0], row[1:]) for row in rows}


def carts_behind_links(connection: Connection, bucket: int, ids: Iterable[UUID]) -> dict[UUID, CartBehindLink]:
    """Only where they lead back to: without what was in them."""
    rows = connection.execute(sql("carts_behind_links"), {"bucket": bucket, "ids": id_array(ids)})
    return {row[0]: CartBehindLink(row[1], row[2], [], None, row[3]) for row in rows}


def record_link_events(connection: Connection, bucket: int, rows: Sequence[LinkEvent]) -> None:
    """A use that is there already counts once."""
    if rows:
        values = {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()}
        connection.execute(sql("record_link_events"), values)


def _send(bucket: int, send_id: UUID, row: tuple[Any, ...]) -> SendBehindLink:
    shop_id, shopper_id, channel, cart_bucket, cart_id, created_at, link_hash, optout_hash, context = row
    return SendBehindLink(
        bucket=bucket,
        id=send_id,
        shop_id=shop_id,
        shopper_id=shopper_id,
        channel=channel,
        cart_bucket=cart_bucket,
        cart_id=cart_id,
        created_at=created_at,
        link_hash=bytes(link_hash),
        optout_hash=bytes(optout_hash),
        context=context,
    )


def cart_behind_link(connection: Connection, bucket: int, cart_id: UUID) -> CartBehindLink | None:
    row = connection.execute(sql("cart_behind_link"), {"bucket": bucket, "id": cart_id}).fetchone()
    return CartBehindLink(*row) if row else None


def record_link_event(
    connection: Connection,
    send: SendBehindLink,
    *,
    event_id: UUID,
    kind: str,
    at: datetime,
    detail: Mapping[str, object],
) -> bool:
    """False when the same event was there already."""
    values = {"bucket": send.bucket, "id": event_id, "shop_id": send.shop_id, "send_id": send.id}
    values |= {"shopper_id": send.shopper_id, "kind": kind, "at": at, "detail": msgspec.json.encode(detail).decode()}
    return connection.execute(sql("record_link_event"), values).fetchone() is not None
