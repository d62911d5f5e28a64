"""Where do sealed values lie, and how are they replaced? Typed calls of store/sql/sealed.sql."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rekindle.store.database import Connection
from rekindle.store.statements import sql


class SealedAccount(NamedTuple):
    """An account's sealed values; empty where it has none."""

    id: int
    shop_id: int
    secret: bytes
    hook_secret: bytes


def sealed_accounts(connection: Connection, at_once: int = 200) -> Iterator[SealedAccount]:
    """Every account with anything sealed, read in batches."""
    after = 0
    while True:
        rows = connection.execute(sql("sealed_accounts"), {"after": after, "limit": at_once}).fetchall()
        yield from (SealedAccount(row[0], row[1], bytes(row[2]), bytes(row[3])) for row in rows)
        if len(rows) < at_once:
            return
        after = rows[-1][0]


def seal_account_anew(connection: Connection, old: SealedAccount, *, secret: bytes, hook_secret: bytes) -> bool:
    """False when the values were changed since they were read; nothing is written then."""
    values = {
        "id": old.id,
        "secret": secret,
        "hook_secret": hook_secret,
        "old_secret": old.secret,
        "old_hook_secret": old.hook_secret,
    }
    return connection.execute(sql("seal_account_anew"), values).fetchone() is not None
