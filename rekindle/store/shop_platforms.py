"""Where is a shop run? Typed calls of store/sql/shop_platforms.sql."""

from __future__ import annotations

from uuid import UUID

from rekindle.store.database import Connection
from rekindle.store.statements import sql


def platform_of_domain(connection: Connection, kind: str, domain: str) -> tuple[int, bytes] | None:
    """(shop, sealed secrets) of a domain."""
    row = connection.execute(sql("platform_of_domain"), {"kind": kind, "domain": domain}).fetchone()
    return (row[0], bytes(row[1])) if row else None


def put_platform(connection: Connection, shop_id: int, kind: str, domain: str, secret: bytes) -> bool:
    """False when the domain is another shop's."""
    values: dict[str, object] = {"shop_id": shop_id, "kind": kind, "domain": domain, "secret": secret}
    return connection.execute(sql("put_platform"), values).fetchone() is not None


def unerased_shoppers(connection: Connection, bucket: int, shop_id: int, limit: int) -> list[UUID]:
    values = {"bucket": bucket, "shop_id": shop_id, "limit": limit}
    return [row[0] for row in connection.execute(sql("unerased_shoppers"), values)]
