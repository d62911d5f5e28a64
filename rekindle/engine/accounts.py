"""By which accounts does a shop send? Saved with their secrets sealed; a secret that is left empty is kept.

SMTP keeps its password as the secret, the providers of the catalogue a JSON object of their secret fields; everything
else lies in the options (`engine.make_provider` reads both).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from rekindle.engine.context import Context
from rekindle.engine.look_again import look_again, wait_for_account
from rekindle.engine.make_provider import DEFAULT_CONNECTIONS, SMTP, account_values, sealed_values, smtp_settings
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import VaultError, open_sealed, seal
from rekindle.providers.catalogue import KINDS
from rekindle.providers.http_client import HttpClient
from rekindle.store.alerts import close_alerts
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import account_of_shop, change_account, insert_account, sealed_account
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


class AccountError(Exception):
    """The account cannot be used like this; the text says why, to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """One SMTP account as typed in. ``tls``: starttls, implicit or none; ``password`` None keeps the stored one;
    ``connections``: most that a worker keeps open at once; ``name`` empty: the host's."""

    host: str
    port: int
    tls: str
    username: str
    password: str | None = field(default=None, repr=False)
    connections: int = DEFAULT_CONNECTIONS
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueAccount:
    """One account at a provider of the catalogue as typed in: ``values`` by the names of its fields. A secret that is
    empty keeps the stored one."""

    kind: str
    name: str
    values: Mapping[str, str] = field(repr=False)


def save_smtp_account(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    account: SmtpAccount,
    *,
    account_id: int | None,
    by: int,
) -> int:
    """Store or change an SMTP account of the shop; a pause of it ends, and its alerts.

    Raises AccountError, nothing is stored then.
    """
    options: dict[str, object] = {
        "host": account.host,
        "port": account.port,
        "tls": account.tls,
        "username": account.username,
        "connections": account.connections,
    }
    try:
        smtp_settings(options, (account.password or "").encode())
    except ValueError as mistake:
        raise AccountError(f"{mistake}".capitalize() + ".") from None
    sealed = None
    if account.password is not None:
        secret = account.password.encode()
        sealed = seal(context.vault_key, secret, secret_owner(shop.id)) if secret else b""
    saved = _Saved(SMTP, Channel.EMAIL, account.name or account.host, options, sealed)
    return _store(connection, context, shop, saved, account_id=account_id, by=by)


def save_account(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    account: CatalogueAccount,
    *,
    account_id: int | None,
    by: int,
) -> int:
    """Store or change an account at a provider of the catalogue; a pause of it ends, and its alerts.

    Raises AccountError, nothing is stored then.
    """
    kind = KINDS.get(account.kind)
    if kind is None:
        raise AccountError("There is no such provider.")
    hidden = {one.name for one in kind.fields if one.is_secret}
    typed = {one.name: account.values.get(one.name, "").strip() for one in kind.fields}
    typed = {name: value for name, value in typed.items() if value}
    kept = _stored_secrets(connection, context, shop, account.kind, account_id) if account_id is not None else {}
    values = {name: value for name, value in kept.items() if name in hidden} | typed
    if account_id is None:
        values = dict(kind.made(values))
    try:
        kind.provider(HttpClient(), values, clock=context.clock)
    except ValueError as mistake:
        raise AccountError(f"{mistake}.") from None
    options: dict[str, object] = {name: value for name, value in values.items() if name not in hidden}
    secret = sealed_values({name: value for name, value in values.items() if name in hidden})
    sealed = seal(context.vault_key, secret, secret_owner(shop.id))
    saved = _Saved(kind.name, kind.channel, account.name or kind.title, options, sealed)
    return _store(connection, context, shop, saved, account_id=account_id, by=by)


@dataclass(frozen=True, slots=True)
class _Saved:
    kind: str
    channel: Channel
    name: str
    options: dict[str, object]
    secret: bytes | None = field(repr=False)


def _stored_secrets(
    connection: Connection, context: Context, shop: ShopSettings, kind: str, account_id: int
) -> dict[str, str]:
    stored = sealed_account(connection, shop_id=shop.id, account_id=account_id)
    if stored is None or stored.kind != kind:
        raise AccountError("This account is gone; reload the page.")
    try:
        return account_values({}, open_sealed(context.vault_key, stored.secret, secret_owner(shop.id)))
    except (VaultError, ValueError):
        return {}  # under another vault key: everything has to be typed in again


def _store(
    connection: Connection, context: Context, shop: ShopSettings, saved: _Saved, *, account_id: int | None, by: int
) -> int:
    """What waited for the account, or for any at all, comes forward: the reason may be gone."""
    now = context.clock.now()
    before = None if account_id is None else account_of_shop(connection, shop.id, account_id)
    if account_id is None:
        account_id = insert_account(
            connection,
            shop_id=shop.id,
            channel=saved.channel.value,
            kind=saved.kind,
            name=saved.name,
            options=saved.options,
            secret=saved.secret or b"",
        )
    elif not change_account(
        connection,
        shop_id=shop.id,
        account_id=account_id,
        name=saved.name,
        options=saved.options,
        secret=saved.secret,
    ):
        raise AccountError("This account is gone; reload the page.")
    if before is not None:
        close_alerts(connection, shop_id=shop.id, subject_id=account_id, at=now, by="the account was changed")
    look_again(connection, context, shop, [saved.channel.value], wait_for_account(before, now))
    log.info("account_saved", extra={"facts": {"shop": shop.id, "account": account_id, "by": by}})
    return account_id
