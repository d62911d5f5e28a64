"""By which accounts does a shop send? Read for its settings page, written when an owner changes one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account as people see it; the secret stays where it is."""

    id: int
    channel: str
    kind: str
    name: str
    options: dict[str, Any]
    has_secret: bool
    enabled: bool
    paused_until: datetime | None
    paused_reason: str
    position: int
    weight: int
    limits: dict[str, Any] | None
    pause_kind: str
    trip_count: int


class SealedAccount(NamedTuple):
    kind: str
    channel: str
    options: dict[str, Any]
    secret: bytes


def accounts_of_shop(connection: Connection, shop_id: int, channel: str) -> list[AccountLine]:
    with connection.cursor(row_factory=class_row(AccountLine)) as cursor:
        return cursor.execute(sql("accounts_of_shop"), {"shop_id": shop_id, "channel": channel}).fetchall()


def account_of_shop(connection: Connection, shop_id: int, account_id: int) -> AccountLine | None:
    with connection.cursor(row_factory=class_row(AccountLine)) as cursor:
        return cursor.execute(sql("account_of_shop"), {"shop_id": shop_id, "id": account_id}).fetchone()


def insert_account(
    connection: Connection,
    *,
    shop_id: int,
    channel: str,
    kind: str,
    name: str,
    options: dict[str, Any],
    secret: bytes,
) -> int:
    values = {"shop_id": shop_id, "channel": channel, "kind": kind, "name": name, "secret": secret}
    row = connection.execute(sql("insert_account"), {**values, "options": Jsonb(options)}).fetchone()
    assert row is not None
    return int(row[0])


def change_account(
    connection: Connection, *, shop_id: int, account_id: int, name: str, options: dict[str, Any], secret: bytes | None
) -> bool:
    """False when the shop has no such account. ``secret`` None keeps the stored one."""
    values = {"shop_id": shop_id, "id": account_id, "name": name, "options": Jsonb(options), "secret": secret}
    return connection.execute(sql("change_account"), values).fetchone() is not None


def set_route(
    connection: Connection,
    *,
    shop_id: int,
    account_id: int,
    position: int,
    weight: int,
    limits: dict[str, Any] | None,
    enabled: bool,
) -> bool:
    """False when the shop has no such account. ``limits`` as terms.route_limits reads them."""
    values: dict[str, object] = {"shop_id": shop_id, "id": account_id, "position": position, "weight": weight}
    values |= {"enabled": enabled, "limits": Jsonb(limits) if limits else None}
    return connection.execute(sql("set_account_route"), values).fetchone() is not None


def hold(connection: Connection, *, shop_id: int, account_id: int, until: datetime, reason: str) -> bool:
    """Stop an account until a person resumes it. False when the shop has no such account."""
    values = {"shop_id": shop_id, "id": account_id, "until": until, "reason": reason}
    return connection.execute(sql("hold_account"), values).fetchone() is not None


def resume(connection: Connection, *, shop_id: int, account_id: int) -> bool:
    """End a pause of any kind. False when the shop has no such account."""
    return connection.execute(sql("resume_account"), {"shop_id": shop_id, "id": account_id}).fetchone() is not None


def sealed_account(connection: Connection, *, shop_id: int, account_id: int) -> SealedAccount | None:
    row = connection.execute(sql("sealed_account"), {"shop_id": shop_id, "id": account_id}).fetchone()
    return SealedAccount(row[0], row[1], row[2], bytes(row[3])) if row else None
