"""How is a person taken out of the tables? One kind of row at a time; each write names its bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rekindle.policy.consent_chain import ConsentRow
from rekindle.store.copying import array_literal, id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class CartOfErased(NamedTuple):
    """Where a cart of the shopper lies, and the keys that name its visitor."""

    bucket: int
    id: UUID
    cart_key: str
    visitor_key: str | None


def carts_of_erased(connection: Connection, buckets: Sequence[int], shopper_id: UUID) -> list[CartOfErased]:
    values = {"buckets": array_literal(buckets), "shopper_id": shopper_id}
    return [CartOfErased._make(row) for row in connection.execute(sql("carts_of_erased"), values)]


def visitors_of_erased(connection: Connection, buckets: Sequence[int], shopper_id: UUID) -> list[str]:
    """Visitor keys of a shopper, checkout tokens among them."""
    values = {"buckets": array_literal(buckets), "shopper_id": shopper_id}
    rows = connection.execute(sql("visitors_of_erased"), values).fetchall()
    return [row[0] for row in rows] + [link.removeprefix("~") for row in rows for link in row[1]]


def blank_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    connection.execute(sql("blank_carts"), {"bucket": bucket, "ids": id_array(ids)})


def blank_events(connection: Connection, bucket: int, cart_ids: Sequence[UUID]) -> None:
    connection.execute(sql("blank_events"), {"bucket": bucket, "cart_ids": id_array(cart_ids)})


def drop_visitors(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    connection.execute(sql("drop_visitors"), {"bucket": bucket, "ids": id_array(ids)})


def blank_lonely_events(
    connection: Connection, buckets: Sequence[int], shop_id: int, order_keys: Sequence[str]
) -> None:
    values = {"buckets": array_literal(buckets), "shop_id": shop_id, "order_keys": list(order_keys)}
    connection.execute(sql("blank_lonely_events"), values)


def orders_of_erased(connection: Connection, buckets: Sequence[int], shopper_id: UUID) -> list[tuple[int, UUID, str]]:
    """(bucket, id, key) of each."""
    values = {"buckets": array_literal(buckets), "shopper_id": shopper_id}
    return [(row[0], row[1], row[2]) for row in connection.execute(sql("orders_of_erased"), values)]


def blank_order(connection: Connection, bucket: int, order_id: UUID) -> None:
    connection.execute(sql("blank_order"), {"bucket": bucket, "id": order_id})


def consents_of_erased(
    connection: Connection, bucket: int, shop_id: int, channels: Sequence[str], address_hash: bytes
) -> list[ConsentRow]:
    values = {"bucket": bucket, "shop_id": shop_id, "channels": list(channels), "address_hash": address_hash}
    with connection.cursor(row_factory=class_row(ConsentRow)) as cursor:
        return cursor.execute(sql("consents_of_erased"), values).fetchall()


def redact_consent(connection: Connection, bucket: int, row: ConsentRow) -> None:
    values: dict[str, object] = {"bucket": bucket, "shop_id": row.shop_id, "channel": row.channel, "seq": row.seq}
    values |= {"address_hash": row.address_hash, "wording": row.wording, "evidence": Jsonb(dict(row.evidence))}
    connection.execute(sql("redact_consent"), values)


def visitors_of_carts(
    connection: Connection, buckets: Sequence[int], cart_ids: Sequence[UUID]
) -> list[tuple[int, UUID]]:
    """(bucket, id) of every visitor that leads to one of the carts."""
    values = {"buckets": array_literal(buckets), "cart_ids": id_array(cart_ids)}
    return [(row[0], row[1]) for row in connection.execute(sql("visitors_of_carts"), values)]


def part_visitors_from_carts(
    connection: Connection, bucket: int, ids: Sequence[UUID], cart_ids: Sequence[UUID]
) -> None:
    values = {"bucket": bucket, "ids": id_array(ids), "cart_ids": id_array(cart_ids)}
    connection.execute(sql("part_visitors_from_carts"), values)


def part_carts_from_shopper(connection: Connection, bucket: int, ids: Sequence[UUID], shopper_id: UUID) -> None:
    values = {"bucket": bucket, "ids": id_array(ids), "shopper_id": shopper_id}
    connection.execute(sql("part_carts_from_shopper"), values)


def blank_shopper(connection: Connection, bucket: int, shopper_id: UUID, at: datetime) -> None:
    connection.execute(sql("blank_shopper"), {"bucket": bucket, "id": shopper_id, "at": at})


def blank_contacts(connection: Connection, bucket: int, ids: Sequence[UUID], at: datetime) -> None:
    connection.execute(sql("blank_contacts"), {"bucket": bucket, "ids": id_array(ids), "at": at})


def blank_sends(connection: Connection, bucket: int, shopper_id: UUID) -> None:
    connection.execute(sql("blank_sends"), {"bucket": bucket, "shopper_id": shopper_id})
    connection.execute(sql("blank_send_events"), {"bucket": bucket, "shopper_id": shopper_id})
