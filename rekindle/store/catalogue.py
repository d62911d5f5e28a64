"""How are products written as events show them?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

import msgspec

from rekindle.store.database import Connection
from rekindle.store.prepared import run


@dataclass(slots=True, kw_only=True)
class SeenProduct:
    """A product as an event shows it; what is empty was not told."""

    id: UUID
    shop_id: int
    product_key: str
    title: str
    url: str
    image_url: str
    unit_cents: int | None
    currency: str | None
    category: str
    seen_at: datetime


def see_products(connection: Connection, bucket: int, products: Iterable[SeenProduct], stale: timedelta) -> None:
    rows = sorted(products, key=attrgetter("id"))
    if rows:
        body = msgspec.json.encode(rows).decode()
        run(connection, "see_products", {"bucket": bucket, "rows": body, "stale": stale})
