"""How is a shop's row made? Once, with every setting; the columns come from a fixed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

#: What a new shop may be given. Its id is the database's to choose.
SETTABLE: Final = frozenset(field.name for field in fields(ShopSettings)) - {"id", "own_rules"}


def insert_shop(connection: Connection, values: Mapping[str, object], *, write_key: str, at: datetime) -> int | None:
    """Insert a shop; returns its id, or None when its slug or write key is taken.

    Raises KeyError for a column that is not a setting. Settings that are not given keep the defaults of ShopSettings.
    """
    unknown = sorted(values.keys() - SETTABLE)
    if unknown:
        raise KeyError(f"no such setting: {', '.join(unknown)}")
    plain = ShopSettings(id=0, slug="", name="")
    row: dict[str, object] = {name: getattr(plain, name) for name in SETTABLE} | dict(values)
    row = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in row.items()}
    row |= {"write_key": write_key, "created_at": at}
    names = sorted(row)
    statement = sql.SQL("INSERT INTO shops ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join(map(sql.Placeholder, names))
    )
    try:
        with connection.transaction():
            found = connection.execute(statement, row).fetchone()
    except psycopg.errors.UniqueViolation:
        return None
    return int(found[0]) if found else None
