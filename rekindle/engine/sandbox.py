"""How does a shop try everything out without writing to anybody? An account at the sandbox, where it has no other."""

from __future__ import annotations

import logging

from rekindle.providers.sandbox import KIND
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import accounts_of_shop, insert_account, set_route
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

_CHANNELS = (Channel.EMAIL, Channel.SMS)


class SandboxError(Exception):
    """The shop cannot use the sandbox now; the text says why."""


def switch_on(connection: Connection, shop: ShopSettings) -> list[str]:
    """Give the shop an account at the sandbox on every channel; the channels. Raises SandboxError while it has a real
    account that is switched on: nothing is changed then."""
    with connection.transaction():
        for channel in _CHANNELS:
            real = [a for a in accounts_of_shop(connection, shop.id, channel.value) if a.enabled and a.kind != KIND]
            if real:
                raise SandboxError(f"{shop.slug} has a real {channel.value} account: {real[0].name}.")
        for channel in _CHANNELS:
            known = [a for a in accounts_of_shop(connection, shop.id, channel.value) if a.kind == KIND]
            if known:
                _enable(connection, shop, known[0].id, True)
            else:
                insert_account(
                    connection,
                    shop_id=shop.id,
                    channel=channel.value,
                    kind=KIND,
                    name="Sandbox: sends nothing",
                    options={},
                    secret=b"",
                )
    log.warning("sandbox_on", extra={"facts": {"shop": shop.id}})
    return [channel.value for channel in _CHANNELS]


def switch_off(connection: Connection, shop: ShopSettings) -> int:
    """How many accounts at the sandbox were on."""
    count = 0
    for channel in _CHANNELS:
        for account in accounts_of_shop(connection, shop.id, channel.value):
            if account.kind == KIND and account.enabled:
                _enable(connection, shop, account.id, False)
                count += 1
    log.warning("sandbox_off", extra={"facts": {"shop": shop.id, "accounts": count}})
    return count


def _enable(connection: Connection, shop: ShopSettings, account_id: int, enabled: bool) -> None:
    set_route(connection, shop_id=shop.id, account_id=account_id, position=0, weight=100, limits=None, enabled=enabled)
