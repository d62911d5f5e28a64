"""What is kept about one person, as requests about their data change it? Typed calls of store/sql/subject.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
