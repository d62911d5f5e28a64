"""By which accounts can a message leave, and which providers are open for them?

Per shop and channel the accounts that are switched on, with their limits and their health; the choice between them is
``policy.route_choice``, made by ``engine.assign`` where there is one. What a provider says about itself (too fast,
wrong key) becomes a pause of its account, stored for everybody to see; no send uses up an attempt by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from rekindle.engine.account_health import Healths
from rekindle.engine.batch import Going
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.device_kinds import can_serve
from rekindle.engine.make_provider import MakeProvider, Provider, starts_slowly
from rekindle.lib.vault import VaultError, open_sealed
from rekindle.policy.route_choice import Option, Readiness, in_turn, wait_of
from rekindle.providers.base import Capabilities, NotStarted, Pause, Push, PushProvider
from rekindle.providers.sandbox import KIND as SANDBOX
from rekindle.store.configuration import ProviderAccountRow
from rekindle.store.outbox import Claimed
from rekindle.terms.route_limits import NO_LIMITS, RouteLimits, RouteLimitsError, parse_route_limits
from rekindle.terms.send_facts import RouteFacts
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

SHOP_PAUSE = timedelta(minutes=15)
#: Another account can take it: decided anew so soon.
AT_ONCE = timedelta(seconds=1)


def secret_owner(shop_id: int) -> str:
    """Whom a sealed credential belongs to (lib.vault)."""
    return f"provider account of shop {shop_id}"


class Way(NamedTuple):
    """The way out of a shop and channel: facts for the decision, and the account where there is nothing to choose and
    no limit to ask."""

    facts: RouteFacts
    account_id: int | None = None


@dataclass(slots=True)
class Ready:
    """Who can start now (``wave``) and who cannot (``rest``): for want of width, because the account is in trouble or
    pauses (``resting``), or because it is ``busy``: every connection still waits for a reply."""

    wave: list[Going] = field(default_factory=list)
    rest: list[Going] = field(default_factory=list)
    troubles: dict[int, NotStarted] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    resting: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Open:
    account: ProviderAccountRow
    provider: Provider


class Routes:
    """Accounts, what this worker knows of their health, and the providers opened for them."""

    def __init__(self, context: Context, books: Books, make: MakeProvider) -> None:
        self._context, self._books, self._make = context, books, make
        self._open: dict[int, _Open] = {}
        self._limits: dict[int, tuple[object, RouteLimits | None]] = {}
        self.healths = Healths()

    def way(self, shop: ShopSettings | None, held: Claimed, now: datetime, kinds: frozenset[str] | None = None) -> Way:
        """Is there a way out now, and does it leave a choice? ``kinds``: of accounts that reach the devices."""
        if shop is None:
            return Way(RouteFacts(exists=False, why="the shop is not known"))
        if shop.sending_paused:
            return Way(RouteFacts(exists=True, paused_until=now + SHOP_PAUSE, why="sending is paused for the shop"))
        options = self.options(held, now, kinds)
        if not options:
            return Way(RouteFacts(exists=False, why="no provider account"))
        usable = [option for option in options if option.readiness is not Readiness.PAUSED]
        if not usable:
            until, why = wait_of(options) or (now + SHOP_PAUSE, "")
            return Way(RouteFacts(exists=True, paused_until=until, why=why))
        first, *others = usable  # in the order of their positions
        alone = not others or others[0].position > first.position
        if alone and first.readiness is Readiness.READY and self.limits(first.account_id) is None:
            return Way(RouteFacts(exists=True), first.account_id)
        return Way(RouteFacts(exists=True))

    def options(self, held: Claimed, now: datetime, kinds: frozenset[str] | None = None) -> list[Option]:
        """The accounts that a message may leave by, best position first."""
        accounts = self._books.accounts_of(held.shop_id, held.channel)
        if held.only_account is not None:
            accounts = tuple(account for account in accounts if account.id == held.only_account)
        elif any(account.kind == SANDBOX for account in accounts):  # it never stands in for a real account
            accounts = tuple(account for account in accounts if account.kind != SANDBOX) or accounts
        return [self.healths.option(account, now) for account in accounts if can_serve(account.kind, kinds)]

    def limits(self, account_id: int) -> RouteLimits | None:
        """None for an account without limits."""
        account = self._books.account(account_id)
        if account is None or account.limits is None:
            return None
        known = self._limits.get(account_id)
        if known is None or known[0] != account.limits:
            try:
                limits: RouteLimits | None = parse_route_limits(account.limits)
            except RouteLimitsError as mistake:
                log.error("limits_unusable", extra={"facts": {"account": account_id, "why": str(mistake)}})
                limits = None
            known = self._limits[account_id] = (account.limits, None if limits == NO_LIMITS else limits)
        return known[1]

    def resume_at(self, one: Going, now: datetime) -> datetime:
        """When a message that this account did not take is looked at again: at once if another one can take it."""
        held, row = one.candidate.held, one.candidate.row
        options = self.options(held, now, one.candidate.kinds)
        if any(option.readiness is Readiness.READY for option in options):
            return now + AT_ONCE
        pause = wait_of(options)
        until = max(pause[0], now + AT_ONCE) if pause else now + AT_ONCE
        return in_turn(until, row.planned_at if row else held.send_at)

    async def ready(self, going: Sequence[Going], now: datetime) -> Ready:
        """Get the providers of these ready."""
        ready = Ready()
        groups: dict[int, list[Going]] = {}
        for one in going:
            groups.setdefault(one.account_id, []).append(one)
        for account_id in [one for one in groups if self._rests(one, now)]:
            ready.resting.add(account_id)
            ready.rest += groups.pop(account_id)
        widths = await asyncio.gather(*(self._prepare(account, group) for account, group in groups.items()))
        for (account_id, group), (width, trouble) in zip(groups.items(), widths, strict=True):
            ready.wave += group[:width]
            ready.rest += group[width:]
            if width == 0 and trouble is not None:
                ready.troubles[account_id] = trouble
            elif width == 0:
                ready.busy.add(account_id)
        return ready

    def account(self, account_id: int | None) -> ProviderAccountRow | None:
        """An account that is switched on."""
        return None if account_id is None else self._books.account(account_id)

    def shop_of(self, account_id: int) -> int | None:
        account = self._books.account(account_id)
        return account.shop_id if account else None

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

    async def close(self) -> None:
        for one in self._open.values():
            await one.provider.close()
        self._open.clear()

    def _rests(self, account_id: int, now: datetime) -> bool:
        """Did the account begin to pause since its messages were decided?"""
        account = self._books.account(account_id)
        if account is None or self.healths.is_trying(account_id, now):
            return False
        return self.healths.option(account, now).readiness is Readiness.PAUSED

    async def _prepare(self, account_id: int, group: Sequence[Going]) -> tuple[int, NotStarted | None]:
        provider = await self._opened(account_id)
        if provider is None:
            return 0, NotStarted("account", "the account cannot be used: see its settings", Pause.OPERATOR)
        account = self._books.account(account_id)
        width = len(group)
        if account is not None and starts_slowly(account.kind) and not self.healths.is_proven(account_id):
            width = 1  # one call shows whether the key is good; SMTP finds out before it sends
        if isinstance(provider, PushProvider):
            provider.expect([one.letter for one in group if isinstance(one.letter, Push)])
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
