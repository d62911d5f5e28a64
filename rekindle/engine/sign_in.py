"""May somebody try to sign in now? Counts failures per account and address, per address and per account.

The three limits together stop guessing one password from one place, trying one list of passwords over many accounts,
and guessing one account from many places; a person who mistypes waits a quarter of an hour at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rekindle.engine.context import Context
from rekindle.lib.hashing import keyed_hash
from rekindle.store.database import Connection
from rekindle.store.sign_ins import clear_failed_sign_ins, count_failed_sign_in, failed_sign_ins

WINDOW = timedelta(minutes=15)
PER_ACCOUNT_AND_ADDRESS = 5
PER_ADDRESS = 50
PER_ACCOUNT = 100  # high: it locks the account out everywhere, which an attacker could want


@dataclass(frozen=True, slots=True)
class _Limit:
    key: str
    most: int


def sign_in_blocked_until(connection: Connection, context: Context, *, account: str, address: str) -> datetime | None:
    """When this account may be tried again from this network address; None when it may be tried now."""
    since = context.clock.now() - WINDOW
    limits = {limit.key: limit.most for limit in _limits(context, account, address)}
    found = failed_sign_ins(connection, list(limits), since=since)
    return max((row.first_at + WINDOW for row in found if row.failed_count >= limits[row.key]), default=None)


def note_failed_sign_in(connection: Connection, context: Context, *, account: str, address: str) -> None:
    now = context.clock.now()
    with connection.transaction():
        for limit in sorted(_limits(context, account, address), key=lambda each: each.key):  # one lock order
            count_failed_sign_in(connection, limit.key, at=now, since=now - WINDOW)


def note_sign_in(connection: Connection, context: Context, *, account: str, address: str) -> None:
    """A right password clears the account's own count here; the address's count stays, it may guess others."""
    own = _limits(context, account, address)[0]
    clear_failed_sign_ins(connection, [own.key], since=context.clock.now() - WINDOW)


def _limits(context: Context, account: str, address: str) -> list[_Limit]:
    def key(*parts: str) -> str:
        return keyed_hash(context.hash_key, "sign-in", *parts).hex()

    name = account.strip().casefold()
    return [
        _Limit(key("both", name, address), PER_ACCOUNT_AND_ADDRESS),
        _Limit(key("address", address), PER_ADDRESS),
        _Limit(key("account", name), PER_ACCOUNT),
    ]
