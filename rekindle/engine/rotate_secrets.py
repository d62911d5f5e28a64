"""How do credentials come under a new vault key while workers run? Each is opened and sealed anew.

Both keys open until this is done: start everything with the new key and the old one as a fallback, rotate, then drop
the old one. The key of the hashes is never changed (docs/adr/0010-the-hash-key-stays.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from rekindle.engine.context import Context
from rekindle.engine.hooks import hook_owner
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import VaultError, is_current, open_sealed, seal
from rekindle.store.database import Connection
from rekindle.store.sealed import SealedAccount, seal_account_anew, sealed_accounts

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Rotation:
    """Of all sealed values: ``current`` were under the current key, ``anew`` are now, ``older`` still need an old key,
    ``lost`` open with none of the keys."""

    current: int = 0
    anew: int = 0
    older: int = 0
    lost: int = 0

    @property
    def is_done(self) -> bool:
        """Whether the old keys can go. What no key opens is lost either way."""
        return self.older == 0


def count_sealed(connection: Connection, context: Context) -> Rotation:
    """Under which keys everything is; nothing is written."""
    found = Rotation()
    for account in sealed_accounts(connection):
        for sealed, owner in _values(account):
            if is_current(context.vault_key, sealed, owner):
                found.current += 1
            elif _opened(context, sealed, owner) is None:
                found.lost += 1
            else:
                found.older += 1
    return found


def rotate(connection: Connection, context: Context) -> Rotation:
    """Seal everything anew that is not under the current key. May be stopped and repeated; may run beside workers."""
    found = Rotation()
    for account in sealed_accounts(connection):
        anew = {owner: _sealed_anew(context, found, sealed, owner) for sealed, owner in _values(account)}
        secret = anew.get(secret_owner(account.shop_id), account.secret)
        hook_secret = anew.get(hook_owner(account.shop_id, account.id), account.hook_secret)
        changed = sum(
            1 for before, after in ((account.secret, secret), (account.hook_secret, hook_secret)) if before != after
        )
        if not changed:
            continue
        if seal_account_anew(connection, account, secret=secret, hook_secret=hook_secret):
            found.anew += changed
        else:  # somebody entered other values just now, by whatever key their process has
            found.older += changed
    log.info("secrets_rotated", extra={"facts": {"anew": found.anew, "older": found.older, "lost": found.lost}})
    return found


def _sealed_anew(context: Context, found: Rotation, sealed: bytes, owner: str) -> bytes:
    if is_current(context.vault_key, sealed, owner):
        found.current += 1
        return sealed
    opened = _opened(context, sealed, owner)
    if opened is None:
        found.lost += 1
        return sealed
    return seal(context.vault_key, opened, owner)


def _values(account: SealedAccount) -> Iterator[tuple[bytes, str]]:
    if account.secret:
        yield account.secret, secret_owner(account.shop_id)
    if account.hook_secret:
        yield account.hook_secret, hook_owner(account.shop_id, account.id)


def _opened(context: Context, sealed: bytes, owner: str) -> bytes | None:
    try:
        return open_sealed(context.vault_key, sealed, owner)
    except VaultError:
        return None
