"""Which shop is this? Settings by id or write key; small, read often, cached for seconds by the caller."""

from __future__ import annotations

from dataclasses import fields

from psycopg import sql
from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(ShopSettings))


def load_shop(connection: Connection, shop_id: int) -> ShopSettings | None:
    return _one(connection, sql.SQL("id = %s"), shop_id)


def shop_by_write_key(connection: Connection, write_key: str) -> ShopSettings | None:
    return _one(connection, sql.SQL("write_key = %s"), write_key)


def shop_by_slug(connection: Connection, slug: str) -> ShopSettings | None:
    return _one(connection, sql.SQL("slug = %s"), slug)


def all_shops(connection: Connection) -> list[ShopSettings]:
    """Every shop, oldest first."""
    with connection.cursor(row_factory=class_row(ShopSettings)) as cursor:
        return cursor.execute(sql.SQL("SELECT {} FROM shops ORDER BY id").format(_COLUMNS)).fetchall()


def _one(connection: Connection, where: sql.SQL, value: int | str) -> ShopSettings | None:
    with connection.cursor(row_factory=class_row(ShopSettings)) as cursor:
        statement = sql.SQL("SELECT {} FROM shops WHERE ").format(_COLUMNS) + where
        return cursor.execute(statement, [value]).fetchone()
