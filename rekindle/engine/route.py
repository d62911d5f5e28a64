"""By which account does a message leave? Per shop and channel the first one that is switched on and not pausing.

Holds the opened providers. What a provider says about itself (too fast, wrong password) becomes a pause of its account,
stored for everybody to see; no send uses up an attempt by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rekindle.engine.batch import Going
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.make_provider import MakeProvider, Provider, needs_parts
from rekindle.lib.vault import VaultError, open_sealed
from rekindle.providers.base import Capabilities, NotStarted, Pause
from rekindle.store.configuration import ProviderAccountRow
from rekindle.store.outbox import Claimed
from rekindle.terms.send_facts import RouteFacts
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

#: First pause when a provider asks for less pressure without saying how long; doubles up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
#: When a person has to act: asked again so seldom that a wrong password does not lock the account.
OPERATOR_PAUSE = timedelta(hours=1)
SHOP_PAUSE = timedelta(minutes=15)


def secret_owner(shop_id: int) -> str:
    """Whom a sealed credential belongs to (lib.vault)."""
    return f"provider account of shop {shop_id}"


@dataclass(slots=True)
class Ready:
    """Who can start now (``wave``) and who cannot (``rest``): for want of width, because the account is in trouble, or
    because it is ``busy``: every connection still waits for a reply."""

    wave: list[Going] = field(default_factory=list)
    rest: list[Going] = field(default_factory=list)
    troubles: dict[int, NotStarted] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Open:
    account: ProviderAccountRow
    provider: Provider


class Routes:
    """Accounts, the providers opened for them, and the pauses this worker has seen."""

    def __init__(self, context: Context, books: Books, make: MakeProvider) -> None:
        self._context, self._books, self._make = context, books, make
        self._open: dict[int, _Open] = {}
        self._paused: dict[int, tuple[datetime, str]] = {}
        self._failures: dict[int, int] = {}

    def route(self, shop: ShopSettings | None, held: Claimed, now: datetime) -> tuple[RouteFacts, int | None]:
        """Facts about the way out, and the account it leads to when there is one."""
        if shop is None:
            return RouteFacts(exists=False, why="the shop is not known"), None
        if shop.sending_paused:
            return RouteFacts(exists=True, paused_until=now + SHOP_PAUSE, why="sending is paused for the shop"), None
        accounts = self._books.accounts_of(shop.id, held.channel)
        if held.only_account is not None:
            accounts = tuple(account for account in accounts if account.id == held.only_account)
        if not accounts:
            return RouteFacts(exists=False, why="no provider account"), None
        pauses = [self._pause_of(account) for account in accounts]
        for account, (until, _) in zip(accounts, pauses, strict=True):
            if until is None or until <= now:
                return RouteFacts(exists=True), account.id
        until, why = min((until, why) for until, why in pauses if until is not None)
        return RouteFacts(exists=True, paused_until=until, why=why), None

    async def ready(self, going: Sequence[Going]) -> Ready:
        """Get the providers of these ready."""
        groups: dict[int, list[Going]] = {}
        for one in going:
            groups.setdefault(one.account_id, []).append(one)
        widths = await asyncio.gather(*(self._prepare(account, len(group)) for account, group in groups.items()))
        ready = Ready()
        for (account_id, group), (width, trouble) in zip(groups.items(), widths, strict=True):
            ready.wave += group[:width]
            ready.rest += group[width:]
            if width == 0 and trouble is not None:
                ready.troubles[account_id] = trouble
            elif width == 0:
                ready.busy.add(account_id)
        return ready

    def in_parts(self, account_id: int | None) -> bool:
        """Does a letter that leaves by this account have to say its pieces?"""
        account = None if account_id is None else self._books.account(account_id)
        return account is not None and needs_parts(account.kind)

    def provider(self, account_id: int) -> Provider | None:
        """The open provider of an account."""
        found = self._open.get(account_id)
        return found.provider if found else None

    def keyed(self, account_ids: Iterable[int]) -> dict[int, Capabilities]:
        """Those of these open accounts that answer a repeated key without a second delivery."""
        found = {one: self._open[one].provider.capabilities for one in account_ids if one in self._open}
        return {one: can for one, can in found.items() if can.idempotency_ttl_s is not None}

    async def provider_for_lookup(self, account_id: int) -> Provider | None:
        """The provider of an account, opened when it is not yet; None when the account is gone or unusable."""
        return await self._opened(account_id)

    def pause(self, account_id: int, trouble: NotStarted, now: datetime) -> tuple[datetime, str]:
        """Let an account pause as its provider asked (without a wish: as for less pressure). Until when, and why."""
        count = self._failures[account_id] = self._failures.get(account_id, 0) + 1
        length = OPERATOR_PAUSE
        if trouble.pause is not Pause.OPERATOR:
            own = timedelta(seconds=trouble.retry_after_s) if trouble.retry_after_s is not None else None
            length = own or min(FIRST_PAUSE * 2 ** min(count - 1, 10), LONGEST_PAUSE)
        why = f"{trouble.code}: {trouble.detail}"[:300]
        self._paused[account_id] = (now + length, why)
        log.warning("account_paused", extra={"facts": {"account": account_id, "s": length.total_seconds(), "why": why}})
        return self._paused[account_id]

    def worked(self, account_id: int) -> None:
        """A letter was taken: the next trouble begins with a short pause again."""
        self._failures.pop(account_id, None)
        self._paused.pop(account_id, None)

    async def close(self) -> None:
        for one in self._open.values():
            await one.provider.close()
        self._open.clear()

    def _pause_of(self, account: ProviderAccountRow) -> tuple[datetime | None, str]:
        mine = self._paused.get(account.id)
        if mine is not None and (account.paused_until is None or mine[0] > account.paused_until):
            return mine
        return account.paused_until, account.paused_reason

    async def _prepare(self, account_id: int, width: int) -> tuple[int, NotStarted | None]:
        provider = await self._opened(account_id)
        if provider is None:
            return 0, NotStarted("account", "the account cannot be used: see its settings", Pause.OPERATOR)
        return min(await provider.prepare(width), width), provider.trouble

    async def _opened(self, account_id: int) -> Provider | None:
        account = self._books.account(account_id)
        known = self._open.get(account_id)
        if account is None:
            return known.provider if known else None
        if known is not None:
            if (known.account.options, known.account.secret) == (account.options, account.secret):
                return known.provider
            del self._open[account_id]
            await known.provider.close()
        try:
            secret = (
                open_sealed(self._context.vault_key, account.secret, secret_owner(account.shop_id))
                if account.secret
                else b""
            )
            provider = self._make(account.kind, account.options, secret)
        except (VaultError, ValueError) as error:
            log.error("account_unusable", extra={"facts": {"account": account_id, "why": str(error)}})
            return None
        await provider.open()
        self._open[account_id] = _Open(account, provider)
        return provider
