"""Which send and cart does a link belong to, and how is it noted that it was followed?"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg.pq import TransactionStatus

from rekindle.store.binary_copy import EPOCH, US, jsonb, whole
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run, run_raw
from rekindle.store.statements import sql

Cart = tuple[str, str, str | None]
_head = struct.Struct("!hiii16siqi16si16si").pack  # 8 columns; bucket, id, shop_id, send_id, shopper_id; length of kind
_ANSWERS: Final = {b"true": True, b"false": False}
_instant = struct.Struct("!iq").pack


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


class LinkedSend(NamedTuple):
    """`SendBehindLink` for one of many: ids as their 16 bytes, instants as microseconds since `EPOCH`. ``context``
    (JSON) where it was asked for; ``cart`` is (cart_key, state, recover_url), None when it is gone.
    ``clicks``: the shopper's answer, None without one."""

    id: bytes
    shop_id: int
    shopper_id: bytes
    created_us: int
    link_hash: bytes
    cart_bucket: int
    cart_id: bytes
    context: bytes | None
    cart: Cart | None
    channel: str
    country: str
    region: str
    clicks: bool | None


class LinkUse(NamedTuple):
    """One followed link, to be recorded; ``detail`` is JSON."""

    id: bytes
    shop_id: int
    send_id: bytes
    shopper_id: bytes
    detail: bytes


def send_behind_link(connection: Connection, bucket: int, send_id: UUID) -> SendBehindLink | None:
    row = connection.execute(sql("send_behind_link"), {"bucket": bucket, "id": send_id}).fetchone()
    return None if row is None else _send(bucket, send_id, row)


def send_behind_short_link(connection: Connection, bucket: int, link_hash: bytes) -> SendBehindLink | None:
    row = connection.execute(sql("send_behind_short_link"), {"bucket": bucket, "link_hash": link_hash}).fetchone()
    return None if row is None else _send(bucket, row[0], row[1:])


def linked_sends(
    connection: Connection, bucket: int, ids: Iterable[bytes], full: Iterable[bytes]
) -> dict[bytes, LinkedSend]:
    """Sends by their ids, with their carts; with their context where the id is in ``full`` too."""
    named = sorted([one.hex() for one in ids])
    values = {"bucket": bucket, "ids": array_literal(named), "first": named[0], "last": named[-1]}
    values["full"] = array_literal([one.hex() for one in full])
    result = run_raw(connection, "linked_sends", values)
    cell, number = result.get_value, int.from_bytes
    found: dict[bytes, LinkedSend] = {}
    elsewhere: dict[int, list[bytes]] = {}
    for row in range(result.ntuples):
        send_id, shop_id, shopper_id, created_us, link_hash, cart_bucket, cart_id, context = [
            cell(row, column) or b"" for column in range(8)
        ]
        home = number(cart_bucket)
        found[send_id] = LinkedSend(
            send_id,
            number(shop_id),
            shopper_id,
            number(created_us, signed=True),
            link_hash,
            home,
            cart_id,
            context or None,
            _cart(cell(row, 8), cell(row, 9), cell(row, 10)),
            (cell(row, 11) or b"").decode(),
            (cell(row, 12) or b"").decode(),
            (cell(row, 13) or b"").decode(),
            _ANSWERS.get(cell(row, 14) or b""),
        )
        if home != bucket:
            elsewhere.setdefault(home, []).append(send_id)
    for home, sends in sorted(elsewhere.items()):  # a shop over many buckets
        carts = _carts(connection, home, {found[one].cart_id for one in sends})
        for one in sends:
            found[one] = found[one]._replace(cart=carts.get(found[one].cart_id))
    return found


def record_link_uses(connection: Connection, bucket: int, uses: Sequence[LinkUse], *, kind: str, at: datetime) -> None:
    """Note what many links were used for at one instant; a use that is there already counts once."""
    if not uses:
        return
    ordered = sorted(uses)
    word, instant_us = kind.encode(), (at - EPOCH) // US
    parts: list[bytes] = []
    for use_id, shop_id, send_id, shopper_id, detail in ordered:
        parts += (
            _head(8, 4, bucket, 16, use_id, 8, shop_id, 16, send_id, 16, shopper_id, len(word)),
            word,
            _instant(8, instant_us),
            jsonb(detail),
        )
    try:
        with _undone_alone(connection):
            copy_in(connection, "copy_clicks", whole(parts))
    except psycopg.errors.UniqueViolation:
        rows = [_told(use, kind, at) for use in ordered]
        run(connection, "record_link_events", {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()})


def _undone_alone(connection: Connection) -> AbstractContextManager[object]:
    """A statement that fails undoes itself; within a transaction of the caller it needs a savepoint for that."""
    is_alone = connection.pgconn.transaction_status == TransactionStatus.IDLE
    return nullcontext() if is_alone else connection.transaction()


def _told(use: LinkUse, kind: str, at: datetime) -> dict[str, object]:
    told: dict[str, object] = {"id": use.id.hex(), "shop_id": use.shop_id, "send_id": use.send_id.hex()}
    return told | {"shopper_id": use.shopper_id.hex(), "kind": kind, "at": at, "detail": msgspec.Raw(use.detail)}


def _carts(connection: Connection, bucket: int, ids: Iterable[bytes]) -> dict[bytes, Cart | None]:
    """Only where they lead back to: without what was in them."""
    values = {"bucket": bucket, "ids": array_literal([one.hex() for one in ids])}
    result = run_raw(connection, "carts_behind_links", values)
    cell = result.get_value
    return {cell(row, 0) or b"": _cart(cell(row, 1), cell(row, 2), cell(row, 3)) for row in range(result.ntuples)}


def _cart(cart_key: bytes | None, state: bytes | None, recover_url: bytes | None) -> Cart | None:
    if cart_key is None or state is None:
        return None
    return cart_key.decode(), state.decode(), None if recover_url is None else recover_url.decode()


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
