"""How does a test report as a provider does? An account with a hook, and the handler to ask."""

from __future__ import annotations

import pytest

from rekindle.engine.context import Context
from rekindle.engine.hooks import hook_addresses, save_hook_keys
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web import hooks
from rekindle.web.http import Answer, Request
from tests.providers.signed_reports import CERTIFICATE_URL, Account, Sealed, certificate, fresh_key, shown

NOTHING = Sealed(b"", {})


def put_account(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    kind: str,
    *,
    key: str | None = None,
    name: str = "account",
) -> Account:
    channel = "sms" if kind in {"twilio", "vonage"} else "email"
    row = connection.execute(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, %s, %s, %s, '{}', '', 0, true, '') RETURNING id",
        [shop.id, channel, kind, name],
    ).fetchone()
    assert row is not None
    key = fresh_key(kind) if key is None else key
    save_hook_keys(connection, context, shop, row[0], shown(kind, key))
    return Account(kind, row[0], key, hook_addresses(connection, context, shop, row[0]).now)


def forget_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hook, certificate or wrong address of an earlier test; certificates come from the tests' own keys."""
    for kept in (hooks._hooks, hooks._ear, hooks._wrong):
        kept.cache_clear()
    monkeypatch.setattr(hooks._ear(), "_get", {CERTIFICATE_URL: certificate()}.get)


def ask(path: str, sealed: Sealed = NOTHING, *, method: str = "POST", remote: str = "192.0.2.7") -> Answer:
    """The handler's answer."""
    named = {name.lower(): value for name, value in sealed.headers.items()}
    return hooks.receive(
        Request(
            method=method,
            path=path,
            query=sealed.query,
            remote=remote,
            header=lambda name: named.get(name, ""),
            read=lambda limit: sealed.body if len(sealed.body) <= limit else None,
        )
    )
