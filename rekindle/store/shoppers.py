"""How are shoppers and their addresses read and written? Set-based, one bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.prepared import run

#: A shopper's `seen_at` is moved on in steps of this, so that a visit does not rewrite the row at every click.
SEEN_STEP = timedelta(minutes=10)


class ContactRow(NamedTuple):
    """What is known of an address. ``shopper_id`` is None for one nobody gave yet; ``suppression`` a reason or None."""

    id: UUID
    shopper_bucket: int | None
    shopper_id: UUID | None
    has_address: bool | None
    consent: str | None
    consent_at: datetime | None
    suppression: str | None


class ShopperRow(NamedTuple):
    """The parts of a shopper that ingest and orders look at; ``traits`` keeps our own notes under ``_`` names.

    ``has_email`` is not told by `hold_shoppers`.
    """

    id: UUID
    customer_key: str | None
    gpc: bool
    last_order_at: datetime | None
    opted_out_at: datetime | None
    erased_at: datetime | None
    traits: dict[str, Any]
    has_email: bool | None = None


class AddressRow(NamedTuple):
    """One address of a shopper, as it lies in the shopper's bucket; ``address`` is empty after erasure."""

    id: UUID
    channel: str
    address: str
    address_hash: bytes
    consent: str | None
    consent_at: datetime | None
    consent_wording: str
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class ShopperNews:
    """What events say about a shopper; what is empty changes nothing."""

    id: UUID
    shop_id: int
    seen_at: datetime
    customer_key: str | None = None
    first_name: str = ""
    last_name: str = ""
    locale: str = ""
    country: str = ""
    region: str = ""
    timezones: list[str] = field(default_factory=list)
    gpc: bool = False
    traits: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class NewContact:
    """An address that becomes a shopper's; ``hash`` in hexadecimal."""

    id: UUID
    shop_id: int
    shopper_bucket: int
    shopper_id: UUID
    channel: str
    address: str
    hash: str
    created_at: datetime
    consent: str | None = None
    consent_at: datetime | None = None
    consent_wording: str = ""


def find_contacts(
    connection: Connection, bucket: int, shop_id: int, asked: Iterable[tuple[UUID, str, bytes]]
) -> list[ContactRow]:
    """One row for each asked (contact id, channel, address hash), also for addresses that are not known."""
    rows = [{"id": contact_id, "channel": channel, "hash": digest.hex()} for contact_id, channel, digest in asked]
    values = {"bucket": bucket, "shop_id": shop_id, "rows": _json(rows)}
    return [ContactRow._make(row) for row in run(connection, "find_contacts", values)]


def load_shoppers(connection: Connection, bucket: int, ids: Sequence[UUID]) -> dict[UUID, ShopperRow]:
    return _shoppers(connection, "load_shoppers", bucket, ids)


def hold_shoppers(connection: Connection, bucket: int, ids: Sequence[UUID]) -> dict[UUID, ShopperRow]:
    """As `load_shoppers`, with the lock that orders, opt-outs, erasures and sends share."""
    return _shoppers(connection, "hold_shoppers", bucket, ids)


def add_shoppers(connection: Connection, bucket: int, news: Iterable[ShopperNews]) -> None:
    rows = sorted(news, key=_id)
    if rows:
        run(connection, "add_shoppers", {"bucket": bucket, "rows": _json(rows)})


def improve_shoppers(connection: Connection, bucket: int, news: Iterable[ShopperNews]) -> None:
    rows = list(news)
    if rows:
        run(connection, "improve_shoppers", {"bucket": bucket, "rows": _json(rows), "stale": SEEN_STEP})


def add_contacts(connection: Connection, bucket: int, contacts: Iterable[NewContact]) -> set[UUID]:
    """Ids of the addresses added; one that is missing was given by somebody else meanwhile."""
    rows = list(contacts)
    if not rows:
        return set()
    return {row[0] for row in run(connection, "add_contacts", {"bucket": bucket, "rows": _json(rows)})}


def move_contact(
    connection: Connection, bucket: int, contact_id: UUID, *, from_id: UUID, to_bucket: int, to_id: UUID
) -> None:
    values = {"bucket": bucket, "id": contact_id, "from_id": from_id, "to_bucket": to_bucket, "to_id": to_id}
    run(connection, "move_contact", values)


def drop_contacts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    run(connection, "drop_contacts", {"bucket": bucket, "ids": id_array(ids)})


def contacts_of_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> list[AddressRow]:
    rows = run(connection, "contacts_of_shopper", {"bucket": bucket, "shopper_id": shopper_id})
    return [AddressRow._make(row) for row in rows]


def remember_carts(connection: Connection, bucket: int, carts: dict[UUID, list[tuple[int, UUID]]]) -> None:
    """Note for each shopper the (bucket, id) of carts that became theirs."""
    rows = [
        {"id": shopper_id, "carts": [{"bucket": b, "id": i} for b, i in places]}
        for shopper_id, places in sorted(carts.items())
    ]
    if rows:
        run(connection, "remember_carts", {"bucket": bucket, "rows": _json(rows)})


def _shoppers(connection: Connection, statement: str, bucket: int, ids: Sequence[UUID]) -> dict[UUID, ShopperRow]:
    if not ids:
        return {}
    rows = run(connection, statement, {"bucket": bucket, "ids": id_array(ids)})
    return {row[0]: ShopperRow(*row) for row in rows}


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()


def _id(one: ShopperNews) -> int:
    """For the order of ids, as PostgreSQL sorts them."""
    return one.id.int
