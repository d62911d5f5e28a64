"""Under which key do a shop's browsers subscribe? The public half of the VAPID key of its first web push account."""

from __future__ import annotations

import logging

from rekindle.engine.context import Context
from rekindle.engine.device_kinds import WEB_PUSH
from rekindle.engine.make_provider import account_values
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import VaultError, open_sealed
from rekindle.providers.push.vapid import public_key_of
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import accounts_of_shop, sealed_account
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def push_key(connection: Connection, context: Context, shop: ShopSettings) -> str | None:
    """65 bytes in base64url; None when the shop has no account for web push that can be used."""
    for account in accounts_of_shop(connection, shop.id, Channel.PUSH.value):
        if account.kind != WEB_PUSH or not account.enabled:
            continue
        stored = sealed_account(connection, shop_id=shop.id, account_id=account.id)
        if stored is None:
            continue
        try:
            secret = open_sealed(context.vault_key, stored.secret, secret_owner(shop.id))
            return public_key_of(account_values(stored.options, secret).get("vapid_private_key", ""))
        except (VaultError, ValueError) as fault:
            log.error("account_unusable", extra={"facts": {"account": account.id, "why": str(fault)}})
    return None
