"""Which products does a shop have, and which go together? Read for recommendations, written by `engine.measure`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class ShownProduct(NamedTuple):
    """A product as last seen in the shop's events; ``popularity`` in weighted baskets."""

    product_key: str
    title: str
    url: str
    image_url: str
    unit_cents: int | None
    currency: str | None
    popularity: float


def pairs_of_products(
    connection: Connection, bucket: int, shop_id: int, keys: Sequence[str]
) -> list[tuple[str, str, float]]:
    """(product, other, weight) for each other product that one of these met."""
    parameters = {"bucket": bucket, "shop_id": shop_id, "keys": list(keys)}
    return [(row[0], row[1], row[2]) for row in connection.execute(sql("pairs_of_products"), parameters)]


def products_by_id(connection: Connection, bucket: int, ids: Sequence[UUID]) -> list[ShownProduct]:
    rows = connection.execute(sql("products_by_id"), {"bucket": bucket, "ids": array_literal(ids)}).fetchall()
    return [ShownProduct(*row) for row in rows]


def best_sellers(connection: Connection, bucket: int, shop_id: int, limit: int) -> list[ShownProduct]:
    """The shop's most popular products that have a title and an address."""
    parameters = {"bucket": bucket, "shop_id": shop_id, "limit": limit}
    return [ShownProduct(*row) for row in connection.execute(sql("best_sellers"), parameters).fetchall()]
