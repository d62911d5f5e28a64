"""By which account does each message of a batch leave, and which have to wait? For shops with a choice or with limits.

Pure choices from ``policy.route_choice`` and ``policy.pace``; here they meet what all workers share: one transaction a
batch takes from the limits, one statement takes the trial of an account that comes out of a pause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rekindle.engine.account_health import TRIAL
from rekindle.engine.facts import Candidate
from rekindle.engine.route import Routes
from rekindle.policy.mailbox import limited_mailbox
from rekindle.policy.pace import Used, grant
from rekindle.policy.route_choice import Option, Readiness, choose, in_turn, wait_of
from rekindle.store import routing as store
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.routing import Scope
from rekindle.terms.route_limits import RouteLimits

#: A trial is mostly over within this; its account's other messages look again then.
LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Assigned:
    """``account_id``, or None and ``until`` when to ask again, ``why``."""

    account_id: int | None
    until: datetime | None = None
    why: str = ""


@dataclass(slots=True)
class _Open:
    """A message without an account yet. ``full``: accounts whose limits have no room for it, and until when."""

    candidate: Candidate
    options: list[Option]
    full: dict[int, datetime] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.candidate.held.id)


async def assign(
    link: AsyncConnection, routes: Routes, candidates: Sequence[Candidate], now: datetime
) -> list[Assigned]:
    """One answer for each, in their order. Those that were planned earlier come first to what is scarce."""
    opened = [_Open(one, list(routes.options(one.held, now, one.kinds))) for one in candidates]
    found: dict[str, Assigned] = {}
    waiting = sorted(opened, key=lambda one: planned(one.candidate))
    while waiting:
        picks: dict[int, list[_Open]] = defaultdict(list)
        for one in waiting:
            option = choose(one.options, one.name, one.full)
            if option is None:
                found[one.name] = _wait(one, now)
            else:
                picks[option.account_id].append(one)
        waiting = []
        for account_id, group in picks.items():
            taken, rest = await _take(link, routes, account_id, group, now)
            found |= {one.name: Assigned(account_id) for one in taken}
            waiting += rest
    return [found[one.name] for one in opened]


def planned(candidate: Candidate) -> datetime:
    """When the flow meant this message to go."""
    return candidate.row.planned_at if candidate.row else candidate.held.send_at


def _wait(one: _Open, now: datetime) -> Assigned:
    if one.full:
        until = min(one.full.values())
        return Assigned(None, until, "the limits of the account leave no room")
    pause = wait_of(one.options)
    if pause is None:
        return Assigned(None, now + TRIAL, "no provider account can be used")
    return Assigned(None, in_turn(pause[0], planned(one.candidate)), pause[1])


async def _take(
    link: AsyncConnection, routes: Routes, account_id: int, group: list[_Open], now: datetime
) -> tuple[list[_Open], list[_Open]]:
    """Those that leave by this account, and those that have to look on."""
    on_trial = any(o.account_id == account_id and o.readiness is Readiness.ON_TRIAL for o in group[0].options)
    rest: list[_Open] = []
    if on_trial:
        until = now + TRIAL
        is_ours = await store.take_probe(link, account_id, now=now, until=until)
        routes.healths.on_trial(account_id, until, is_ours=is_ours)
        group, rest = (group[:1], group[1:]) if is_ours else ([], group)
        for one in rest:
            one.options = [
                option._replace(readiness=Readiness.PAUSED, until=now + LOOK_AGAIN)
                if option.account_id == account_id
                else option
                for option in one.options
            ]
    limits = routes.limits(account_id)
    if limits is None or not group:
        return group, rest
    taken, full = await _within(link, account_id, limits, group, now)
    return taken, rest + full


async def _within(
    link: AsyncConnection, account_id: int, limits: RouteLimits, group: list[_Open], now: datetime
) -> tuple[list[_Open], list[_Open]]:
    """Take from the limits of one account: first those towards mailbox providers, then its own."""
    by_mailbox: dict[str | None, list[_Open]] = defaultdict(list)
    for one in group:
        address = one.candidate.row.address if one.candidate.row else None
        by_mailbox[limited_mailbox(address or "", limits.mailboxes)].append(one)
    own = Scope(account_id)
    scopes = sorted({own, *(Scope(account_id, name) for name in by_mailbox if name is not None)})
    full: list[_Open] = []
    async with link.transaction():
        used = await store.lock_quotas(link, scopes, now)
        changed: dict[Scope, Used] = {}
        passed = list(by_mailbox.pop(None, []))
        for name, members in by_mailbox.items():
            rate = limits.mailboxes[str(name)]
            scope = Scope(account_id, str(name))
            given = grant(Used(*used[scope]), len(members), per_second=rate.per_second, per_day=rate.per_day, now=now)
            changed[scope] = given.used
            passed += members[: given.granted]
            full += _mark(members[given.granted :], account_id, given.later)
        passed.sort(key=lambda one: planned(one.candidate))
        day = max(now.date(), used[own].day)
        given = grant(
            Used(*used[own]), len(passed), per_second=limits.per_second, per_day=limits.day_limit(day), now=now
        )
        changed[own] = given.used
        full += _mark(passed[given.granted :], account_id, given.later)
        await store.put_quotas(link, changed)
    return passed[: given.granted], full


def _mark(members: Sequence[_Open], account_id: int, later: Sequence[datetime]) -> list[_Open]:
    for one, at in zip(members, later, strict=True):
        one.full[account_id] = at
    return list(members)
