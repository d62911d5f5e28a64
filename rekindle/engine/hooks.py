"""To which address does a provider report, and what proves that a report is its own? Per account, both replaceable.

A replacement never loses a report: the new address or key is added, both are good, then the old one is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import msgspec

from rekindle.engine.context import Context
from rekindle.lib.hook_tokens import make_hook_token, read_hook_token
from rekindle.lib.vault import VaultError, open_sealed, seal
from rekindle.providers.catalogue import KINDS
from rekindle.providers.feedback import Receiver
from rekindle.store import hooks as store
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.shops import all_shops, load_shop
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

#: Longer than any provider repeats a report whose token counts once.
TOKEN_LIFE: Final = timedelta(days=1)
MAX_KEYS: Final = 8_000  #: characters of an account's hook keys


class HookError(Exception):
    """This cannot be an account's hook; the text says why, to a person."""


@dataclass(frozen=True, slots=True)
class HookAddresses:
    """Where an account's provider reports; ``before`` is the older address while both are good, else empty."""

    now: str
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An account that may be reported to. ``receiver`` is None when its keys are missing or mean nothing: then nobody
    is believed."""

    shop: ShopSettings
    account_id: int
    kind: str
    channel: str
    serials: frozenset[int]
    receiver: Receiver | None = field(repr=False)


def account_of_token(context: Context, token: str) -> tuple[int, int] | None:
    """The account and the serial that a token names, without asking the database; None for a forged one."""
    return read_hook_token(context.hash_key, token)


def load_hook(
    connection: Connection, context: Context, account_id: int, certificates: Mapping[str, bytes]
) -> Hook | None:
    """The account's hook; ``certificates`` are those of SNS by URL, as far as they were fetched."""
    account = store.hook_account(connection, account_id)
    shop = load_shop(connection, account.shop_id) if account is not None else None
    if account is None or shop is None or account.kind not in KINDS:
        return None
    serials = {account.serial} | ({account.serial_before} if account.serial_before is not None else set())
    return Hook(
        shop=shop,
        account_id=account.id,
        kind=account.kind,
        channel=account.channel,
        serials=frozenset(serials),
        receiver=_receiver(context, account, certificates),
    )


def hook_addresses(connection: Connection, context: Context, shop: ShopSettings, account_id: int) -> HookAddresses:
    """What to enter at the provider. Raises HookError for an account without one."""
    serials = store.hook_serials(connection, shop.id, account_id)
    if serials is None or serials.kind not in KINDS:
        raise HookError("This account's provider does not report to an address.")
    before = serials.serial_before
    return HookAddresses(
        now=hook_url(context, serials.kind, account_id, serials.serial),
        before=hook_url(context, serials.kind, account_id, before) if before is not None else "",
    )


def hook_url(context: Context, kind: str, account_id: int, serial: int) -> str:
    """The public address of an account's hook: also what a message names when its provider asks for it every time."""
    return f"{context.public_url}/hooks/{kind}/{make_hook_token(context.hash_key, account_id, serial)}"


def save_hook_keys(connection: Connection, context: Context, shop: ShopSettings, account_id: int, keys: str) -> None:
    """Store what proves the reports of an account, sealed: one key, or two with a blank between while it is changed.

    Raises HookError, nothing is stored then; an empty text means that nobody is believed.
    """
    serials = store.hook_serials(connection, shop.id, account_id)
    if serials is None or serials.kind not in KINDS:
        raise HookError("This account's provider does not report to an address.")
    told = keys.strip()
    if len(told) > MAX_KEYS or len(told.split()) > 4:
        raise HookError("These are too many keys: one, or two while it is changed.")
    try:
        KINDS[serials.kind].receiver({"hook_keys": told})
    except ValueError as mistake:
        raise HookError(f"{mistake}.") from None
    secret = msgspec.json.encode({"hook_keys": told})
    store.set_hook_secret(
        connection, shop.id, account_id, seal(context.vault_key, secret, hook_owner(shop.id, account_id))
    )
    log.info("hook_keys_saved", extra={"facts": {"shop": shop.id, "account": account_id, "count": len(told.split())}})


def renew_hook(connection: Connection, context: Context, shop: ShopSettings, account_id: int) -> HookAddresses:
    """A new address beside the present one. Raises HookError, also while there are two already."""
    if hook_addresses(connection, context, shop, account_id).before:
        raise HookError("There are two addresses already; drop the old one first.")
    store.renew_hook(connection, shop.id, account_id)
    return hook_addresses(connection, context, shop, account_id)


def drop_old_hook(connection: Connection, context: Context, shop: ShopSettings, account_id: int) -> HookAddresses:
    """From now on (within seconds, in every process) only the newest address is good. Raises HookError."""
    store.drop_old_hook(connection, shop.id, account_id)
    return hook_addresses(connection, context, shop, account_id)


def forget_old_tokens(connection: Connection, context: Context) -> int:
    """Tokens that would be refused for their age anyway; returns how many were forgotten."""
    before = context.clock.now() - TOKEN_LIFE
    buckets = {bucket for shop in all_shops(connection) for bucket in buckets_of(shop)}
    return store.forget_tokens(connection, sorted(buckets), before)


def _receiver(context: Context, account: store.HookAccount, certificates: Mapping[str, bytes]) -> Receiver | None:
    if not account.secret:
        return None
    try:
        secret = open_sealed(context.vault_key, account.secret, hook_owner(account.shop_id, account.id))
        return KINDS[account.kind].receiver(msgspec.json.decode(secret, type=dict[str, str]), certificates)
    except (VaultError, ValueError) as mistake:
        facts = {"account": account.id, "kind": account.kind, "error": type(mistake).__name__}
        log.warning("hook_keys_unusable", extra={"facts": facts})
        return None


def hook_owner(shop_id: int, account_id: int) -> str:
    return f"hook of account {account_id} of shop {shop_id}"
