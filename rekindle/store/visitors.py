"""How are visitors read and merged? Set-based, one bucket at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from rekindle.store.binary_copy import NULL, id_array, identifier, instant, integer, jsonb, text, whole
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run

_head = struct.Struct("!hiii16siq").pack  # 12 columns; bucket, id, shop_id
_NOBODY, _ONE_VISIT = NULL * 2, integer(1)
_FACTS = msgspec.json.Decoder(dict[str, Any])
_json = msgspec.json.Encoder().encode
#: Silence after which a visitor's next event begins another visit (the usual half hour of web analytics).
VISIT_GAP = timedelta(minutes=30)


class VisitorRow(msgspec.Struct, kw_only=True, gc=False):
    """A visitor as stored. The facts: ``cart_ms`` when the cart was touched, ``order`` (key, products) and
    ``order_ms`` of the latest order, ``gpc``, and one entry ``~<visitor key>`` for each key it is known to be too."""

    bucket: int
    id: UUID
    visitor_key: str
    shopper_bucket: int | None
    shopper_id: UUID | None
    cart_bucket: int | None
    cart_id: UUID | None
    first_seen_at: datetime
    seen_at: datetime
    visit_count: int
    facts: dict[str, Any]

    @property
    def links(self) -> list[str]:
        """The other keys of the same visitor."""
        return [name[1:] for name in self.facts if name.startswith("~")]


class VisitorNews(msgspec.Struct, kw_only=True, gc=False):
    """What is new about a visitor; what is None or empty changes nothing."""

    bucket: int
    id: UUID
    shop_id: int
    visitor_key: str
    first_seen_at: datetime
    seen_at: datetime
    shopper_bucket: int | None = None
    shopper_id: UUID | None = None
    cart_bucket: int | None = None
    cart_id: UUID | None = None
    facts: dict[str, Any] = {}


def load_visitors(connection: Connection, bucket: int, ids: Sequence[UUID]) -> list[VisitorRow]:
    if not ids:
        return []
    return [_row(bucket, row) for row in run(connection, "load_visitors", {"bucket": bucket, "ids": id_array(ids)})]


def copy_visitors(connection: Connection, bucket: int, news: Iterable[VisitorNews]) -> None:
    """Add visitors who were not known by COPY, at half of what `add_visitors` costs.

    Raises psycopg.errors.UniqueViolation when somebody else added one meanwhile; then none was written.
    """
    parts: list[bytes] = []
    for one in sorted(news, key=_id):
        parts += (
            _head(12, 4, bucket, 16, one.id.int.to_bytes(16, "big"), 8, one.shop_id),
            text(one.visitor_key),
            _NOBODY if one.shopper_id is None else integer(one.shopper_bucket) + identifier(one.shopper_id),
            integer(one.cart_bucket),
            identifier(one.cart_id),
            instant(one.first_seen_at),
            instant(one.seen_at),
            _ONE_VISIT,
            jsonb(_json(one.facts)),
        )
    if parts:
        copy_in(connection, "copy_visitors", whole(parts))


def add_visitors(connection: Connection, bucket: int, news: Iterable[VisitorNews]) -> set[UUID]:
    """Add visitors who were not known; returns who was added. The others must be merged by `upsert_visitors`."""
    ordered = sorted(news, key=_id)
    if not ordered:
        return set()
    values = {"bucket": bucket, "rows": msgspec.json.encode([_values(one) for one in ordered]).decode()}
    return {row[0] for row in run(connection, "add_visitors", values)}


def upsert_visitors(connection: Connection, bucket: int, news: Iterable[VisitorNews]) -> list[VisitorRow]:
    """Add or merge; returns the visitors as they are then. One entry per visitor: merge before the call."""
    ordered = sorted(news, key=_id)
    if not ordered:
        return []
    body = msgspec.json.encode([_values(one) for one in ordered]).decode()
    values = {"bucket": bucket, "rows": body, "visit_gap": f"{VISIT_GAP.total_seconds()} seconds"}
    return [_row(bucket, row) for row in run(connection, "upsert_visitors", values)]


def _values(one: VisitorNews) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"{one.id.int:032x}",
        "shop_id": one.shop_id,
        "visitor_key": one.visitor_key,
        "first_seen_at": one.first_seen_at,
        "seen_at": one.seen_at,
        "facts": one.facts,
    }
    if one.shopper_id is not None:
        row |= {"shopper_bucket": one.shopper_bucket, "shopper_id": one.shopper_id}
    if one.cart_id is not None:
        row |= {"cart_bucket": one.cart_bucket, "cart_id": one.cart_id}
    return row


def _row(bucket: int, row: tuple[Any, ...]) -> VisitorRow:
    return VisitorRow(
        bucket=bucket,
        id=row[0],
        visitor_key=row[1],
        shopper_bucket=row[2],
        shopper_id=row[3],
        cart_bucket=row[4],
        cart_id=row[5],
        first_seen_at=row[6],
        seen_at=row[7],
        visit_count=row[8],
        facts=_FACTS.decode(row[9]),
    )


def _id(one: VisitorNews) -> int:
    """For the order of ids, as PostgreSQL sorts them."""
    return one.id.int
