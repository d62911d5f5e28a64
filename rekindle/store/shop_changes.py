"""How are a shop's own settings changed? Column by column from a fixed list; everything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Final

from psycopg import sql as compose
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.shop import ShopSettings

#: What may be changed after a shop was made; `spread` would orphan rows, `slug` would break addresses, and `own_rules`
#: change with their history only (store.own_rules).
CHANGEABLE: Final = frozenset(field.name for field in fields(ShopSettings)) - {
    "id", "slug", "spread", "sending_paused", "own_rules",
}  # fmt: skip


def update_shop(connection: Connection, shop_id: int, changes: Mapping[str, object]) -> None:
    """Write these columns. Raises KeyError for a column that may not be changed."""
    unknown = sorted(changes.keys() - CHANGEABLE)
    if unknown:
        raise KeyError(f"not changeable: {', '.join(unknown)}")
    if not changes:
        return
    names = sorted(changes)
    assignments = compose.SQL(", ").join(
        compose.SQL("{} = {}").format(compose.Identifier(name), compose.Placeholder(name)) for name in names
    )
    statement = compose.SQL("UPDATE shops SET {} WHERE id = {}").format(assignments, compose.Placeholder("shop_id"))
    values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in changes.items()}
    connection.execute(statement, {**values, "shop_id": shop_id})


def write_key_of(connection: Connection, shop_id: int) -> str:
    row = connection.execute(sql("write_key_of_shop"), {"shop_id": shop_id}).fetchone()
    return str(row[0]) if row else ""


def replace_write_key(connection: Connection, shop_id: int, write_key: str) -> None:
    connection.execute(sql("replace_write_key"), {"shop_id": shop_id, "write_key": write_key})


def replace_secret_key(connection: Connection, shop_id: int, digest: bytes, at: datetime) -> None:
    values = {"shop_id": shop_id, "secret_key_hash": digest, "at": at}
    connection.execute(sql("replace_secret_key"), values)


def secret_key_made_at(connection: Connection, shop_id: int) -> datetime | None:
    row = connection.execute(sql("secret_key_made_at"), {"shop_id": shop_id}).fetchone()
    return row[0] if row else None


def pause_or_resume(connection: Connection, shop_id: int, *, paused: bool) -> bool:
    """Whether that changed anything."""
    row = connection.execute(sql("pause_or_resume_shop"), {"shop_id": shop_id, "paused": paused}).fetchone()
    return row is not None
