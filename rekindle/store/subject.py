"""What is kept about one person, as requests about their data change it? Typed calls of store/sql/subject.sql."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


def home_of_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> tuple[str, str]:
    """(country, region) as far as known."""
    row = connection.execute(sql("home_of_shopper"), {"bucket": bucket, "id": shopper_id}).fetchone()
    return (row[0], row[1]) if row else ("", "")


def note_objection(connection: Connection, bucket: int, shopper_id: UUID, at: datetime) -> None:
    connection.execute(sql("note_objection"), {"bucket": bucket, "id": shopper_id, "at": at})


def stop_sale(connection: Connection, bucket: int, shopper_id: UUID) -> None:
    connection.execute(sql("stop_sale"), {"bucket": bucket, "id": shopper_id})


def blank_requests(
    connection: Connection, bucket: int, shop_id: int, hashes: Sequence[bytes], shopper_id: UUID | None
) -> None:
    """Requests of an erased person, by address hash or shopper, keep neither address nor words nor files."""
    values: dict[str, object] = {"bucket": bucket, "shop_id": shop_id, "shopper_id": shopper_id}
    values["hashes"] = [one.hex() for one in hashes]
    ids = [row[0] for row in connection.execute(sql("blank_privacy_requests"), values).fetchall()]
    if ids:
        connection.execute(sql("blank_privacy_events"), {"bucket": bucket, "ids": id_array(ids)})
        connection.execute(sql("drop_exports_of_requests"), {"bucket": bucket, "ids": id_array(ids)})


class Counted(NamedTuple):
    """What a shopper had bought."""

    order_count: int
    spent_cents: int
    last_order_at: datetime | None


class Home(Protocol):
    """Where a shopper's row lies."""

    @property
    def bucket(self) -> int: ...
    @property
    def id(self) -> UUID: ...


def suppression_reason(
    connection: Connection, bucket: int, shop_id: int, channel: str, address_hash: bytes
) -> str | None:
    values = {"bucket": bucket, "shop_id": shop_id, "channel": channel, "address_hash": address_hash}
    row = connection.execute(sql("suppression_reason"), values).fetchone()
    return row[0] if row else None


def correct_names(connection: Connection, bucket: int, shopper_id: UUID, names: Mapping[str, str]) -> None:
    values: dict[str, object] = {"bucket": bucket, "id": shopper_id}
    values |= {"first_name": names.get("first_name"), "last_name": names.get("last_name")}
    connection.execute(sql("correct_names"), values)


def move_carts(connection: Connection, bucket: int, ids: Sequence[UUID], from_id: UUID, to: Home) -> None:
    values = {"bucket": bucket, "ids": id_array(ids), "from_id": from_id, "to_bucket": to.bucket, "to_id": to.id}
    connection.execute(sql("move_carts"), values)


def move_visitor(connection: Connection, bucket: int, visitor_id: UUID, from_id: UUID, to: Home) -> None:
    values = {"bucket": bucket, "id": visitor_id, "from_id": from_id, "to_bucket": to.bucket, "to_id": to.id}
    connection.execute(sql("move_visitor"), values)


def move_order(connection: Connection, bucket: int, order_id: UUID, to: Home) -> None:
    values = {"bucket": bucket, "id": order_id, "to_bucket": to.bucket, "to_id": to.id}
    connection.execute(sql("move_order"), values)


def empty_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> Counted:
    """Take everything off a shopper's row; what it had counted."""
    row = connection.execute(sql("empty_shopper"), {"bucket": bucket, "id": shopper_id}).fetchone()
    return Counted(*row) if row else Counted(0, 0, None)


def add_counts(connection: Connection, bucket: int, shopper_id: UUID, counted: Counted) -> None:
    connection.execute(sql("add_counts"), {"bucket": bucket, "id": shopper_id} | counted._asdict())
