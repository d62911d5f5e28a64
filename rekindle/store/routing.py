"""How much of a limit is used, and which accounts pause? Typed calls of store/sql/routing.sql, shared by all workers.

Written once a batch for accounts with limits, and when an account begins or ends to pause; never for each message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.copying import array_literal
from rekindle.store.statements import sql


class Scope(NamedTuple):
    """Which limit: the account's own with an empty ``name``, else the one towards a mailbox provider or domain."""

    account_id: int
    name: str = ""


class UsedRow(NamedTuple):
    """As policy.pace.Used."""

    next_at: datetime
    queue_at: datetime
    day: date
    day_count: int


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    account_id: int
    scope: str
    next_at: datetime
    queue_at: datetime
    day: date
    day_count: int


async def lock_quotas(link: AsyncConnection, scopes: Sequence[Scope], now: datetime) -> dict[Scope, UsedRow]:
    """What is used of these limits, locked until the transaction of the caller ends."""
    values = {
        "accounts": array_literal([scope.account_id for scope in scopes]),
        "scopes": [scope.name for scope in scopes],
    }
    await link.execute(sql("begin_quotas"), {**values, "now": now, "day": now.astimezone(UTC).date()})
    cursor = await link.execute(sql("lock_quotas"), values)
    return {Scope(row[0], row[1]): UsedRow(*row[2:]) for row in await cursor.fetchall()}


async def put_quotas(link: AsyncConnection, used: Mapping[Scope, tuple[datetime, datetime, date, int]]) -> None:
    """Store what is used now; in the transaction that locked them."""
    rows = [
        _Row(account_id=scope.account_id, scope=scope.name, next_at=n, queue_at=q, day=day, day_count=count)
        for scope, (n, q, day, count) in used.items()
    ]
    await link.execute(sql("put_quotas"), {"rows": msgspec.json.encode(rows).decode()})


async def pause_account(
    link: AsyncConnection, account_id: int, *, until: datetime, reason: str, kind: str, trips: int
) -> None:
    values = {"id": account_id, "until": until, "reason": reason, "kind": kind, "trips": trips}
    await link.execute(sql("pause_account"), values)


async def take_probe(link: AsyncConnection, account_id: int, *, now: datetime, until: datetime) -> bool:
    """May this worker try one message after the account's pause? False: somebody else does, or it pauses again."""
    cursor = await link.execute(sql("take_probe"), {"id": account_id, "now": now, "probe_until": until})
    return await cursor.fetchone() is not None


async def account_works(link: AsyncConnection, account_id: int, now: datetime) -> int | None:
    """End a pause that is over; the shop whose account it is, None when there was none to end."""
    row = await (await link.execute(sql("account_works"), {"id": account_id, "now": now})).fetchone()
    return int(row[0]) if row else None
