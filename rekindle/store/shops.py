"""Which shop is this? Settings by id or write key; small, read often, cached for seconds by the caller."""

from __future__ import annotations

from dataclasses import fields
from hashlib import sha256
from typing import Final

from psycopg import sql
from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.terms.shop import KeyOwner, ShopSettings

#: What a secret key begins with, so that people and scanners tell it from the public write key.
SERVER_KEY_PREFIX: Final = "rks_"
_COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(ShopSettings))


def load_shop(connection: Connection, shop_id: int) -> ShopSettings | None:
    return _one(connection, sql.SQL("id = %s"), shop_id)


def shop_by_write_key(connection: Connection, write_key: str) -> ShopSettings | None:
    return _one(connection, sql.SQL("write_key = %s"), write_key)


def owner_of_key(connection: Connection, key: str) -> KeyOwner | None:
    """The shop whose write key or secret key this is."""
    if key.startswith(SERVER_KEY_PREFIX):
        shop = _one(connection, sql.SQL("secret_key_hash = %s"), hash_of_secret_key(key))
        return KeyOwner(shop, is_secret=True) if shop is not None else None
    shop = shop_by_write_key(connection, key)
    return KeyOwner(shop) if shop is not None else None


def hash_of_secret_key(key: str) -> bytes:
    """SHA-256 of a secret key: it has 256 random bits, so nobody guesses it from its hash."""
    return sha256(key.encode()).digest()


def shop_by_slug(connection: Connection, slug: str) -> ShopSettings | None:
    return _one(connection, sql.SQL("slug = %s"), slug)


def all_shops(connection: Connection) -> list[ShopSettings]:
    """Every shop, oldest first."""
    with connection.cursor(row_factory=class_row(ShopSettings)) as cursor:
        return cursor.execute(sql.SQL("SELECT {} FROM shops ORDER BY id").format(_COLUMNS)).fetchall()


def _one(connection: Connection, where: sql.SQL, value: int | str | bytes) -> ShopSettings | None:
    with connection.cursor(row_factory=class_row(ShopSettings)) as cursor:
        statement = sql.SQL("SELECT {} FROM shops WHERE ").format(_COLUMNS) + where
        return cursor.execute(statement, [value]).fetchone()
