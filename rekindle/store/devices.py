"""How are the browsers and apps of shoppers read and written? Set-based, one bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.prepared import run


@dataclass(slots=True, kw_only=True)
class DeviceNews:
    """A device as an event tells it; ``id`` is its contact point's, keys are in hexadecimal."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    public_key: str
    auth: str
    seen_at: datetime


def keep_devices(connection: Connection, bucket: int, news: Iterable[DeviceNews]) -> None:
    rows = sorted(news, key=lambda one: one.id.int)
    if rows:
        run(connection, "keep_devices", {"bucket": bucket, "rows": msgspec.json.encode(rows).decode()})


def drop_devices(connection: Connection, bucket: int, ids: Sequence[UUID]) -> None:
    if ids:
        run(connection, "drop_devices", {"bucket": bucket, "ids": id_array(ids)})


def drop_devices_of_shopper(connection: Connection, bucket: int, shopper_id: UUID) -> None:
    run(connection, "drop_devices_of_shopper", {"bucket": bucket, "shopper_id": shopper_id})
