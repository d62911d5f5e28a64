"""Which account is behind a hook's address, and what was seen there already?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class HookAccount(NamedTuple):
    """An account as a hook needs it. ``serial_before``: of the address before the present one, while both are good."""

    id: int
    shop_id: int
    channel: str
    kind: str
    serial: int
    serial_before: int | None
    secret: bytes


class HookSerials(NamedTuple):
    """Under which numbers an account's reports may come."""

    kind: str
    serial: int
    serial_before: int | None


class StrangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Reports under one name that nothing is known about."""

    name: str
    times: int
    sample: dict[str, Any]


class StrangeLine(NamedTuple):
    """The same, as people see it."""

    account_name: str
    kind: str
    name: str
    times: int
    first_at: datetime
    last_at: datetime


def hook_account(connection: Connection, account_id: int) -> HookAccount | None:
    row = connection.execute(sql("hook_account"), {"id": account_id}).fetchone()
    return HookAccount._make((*row[:6], bytes(row[6]))) if row else None


def set_hook_secret(connection: Connection, shop_id: int, account_id: int, secret: bytes) -> bool:
    """False when the shop has no such account."""
    values = {"shop_id": shop_id, "id": account_id, "secret": secret}
    return connection.execute(sql("set_hook_secret"), values).fetchone() is not None


def hook_serials(connection: Connection, shop_id: int, account_id: int) -> HookSerials | None:
    row = connection.execute(sql("hook_serials"), {"shop_id": shop_id, "id": account_id}).fetchone()
    return HookSerials._make(row) if row else None


def renew_hook(connection: Connection, shop_id: int, account_id: int) -> bool:
    """False when the shop has no such account."""
    return connection.execute(sql("renew_hook"), {"shop_id": shop_id, "id": account_id}).fetchone() is not None


def drop_old_hook(connection: Connection, shop_id: int, account_id: int) -> bool:
    """False when the shop has no such account."""
    return connection.execute(sql("drop_old_hook"), {"shop_id": shop_id, "id": account_id}).fetchone() is not None


def came_with_another_body(
    connection: Connection, *, bucket: int, account_id: int, token_hash: bytes, body_hash: bytes, at: datetime
) -> bool:
    """Remember a token that counts once; True when it came before, and with something else."""
    values: dict[str, object] = {"bucket": bucket, "account_id": account_id, "token_hash": token_hash}
    if connection.execute(sql("remember_token"), values | {"body_hash": body_hash, "at": at}).fetchone() is not None:
        return False
    row = connection.execute(sql("body_of_token"), values).fetchone()
    return row is not None and bytes(row[0]) != body_hash


def forget_tokens(connection: Connection, buckets: Sequence[int], before: datetime) -> int:
    """Returns how many were forgotten."""
    values = {"buckets": array_literal(buckets), "before": before}
    return connection.execute(sql("forget_tokens"), values).rowcount


def note_strange_reports(
    connection: Connection, *, account_id: int, shop_id: int, at: datetime, rows: Sequence[StrangeRow]
) -> None:
    if rows:
        told = msgspec.json.encode(sorted(rows, key=lambda row: row.name)).decode()
        values = {"account_id": account_id, "shop_id": shop_id, "at": at, "rows": told}
        connection.execute(sql("note_strange_reports"), values)


def strange_reports_of_shop(connection: Connection, shop_id: int) -> list[StrangeLine]:
    rows = connection.execute(sql("strange_reports_of_shop"), {"shop_id": shop_id}).fetchall()
    return [StrangeLine._make(row) for row in rows]
