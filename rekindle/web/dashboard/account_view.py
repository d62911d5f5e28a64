"""How does a provider account look to a person? Its state in words, its turn, its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rekindle.engine.make_provider import SMTP
from rekindle.providers.catalogue import KINDS
from rekindle.providers.sandbox import KIND as SANDBOX
from rekindle.store.provider_accounts import AccountLine
from rekindle.terms.route_limits import PauseKind
from rekindle.terms.send import Channel

#: Which channels the page speaks of, and how.
CHANNELS: Final = (
    (Channel.EMAIL, "E-mail", "mail", "No account: no e-mail can go out."),
    (Channel.SMS, "Short messages", "message", "No account: no short message can go out."),
    (Channel.PUSH, "Push", "bell", "No account: no push message can go out."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """``look``: of the tag; ``until``: when it is tried again, if by itself; ``why``: in the provider's words."""

    label: str
    look: str
    icon: str
    until: datetime | None = None
    why: str = ""
    is_stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """``turn`` counts from 1; ``share`` of the messages of its turn while all accounts of it work, None when alone."""

    account: AccountLine
    title: str
    state: AccountState
    turn: int
    share: float | None
    is_first: bool
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    name: str
    title: str


def show_accounts(accounts: Sequence[AccountLine], now: datetime) -> list[AccountView]:
    """The accounts of one channel in their order."""
    turns = turns_of(accounts)
    last = max(turns.values(), default=1)
    alone = len(accounts) == 1
    return [
        AccountView(
            account=one,
            title=title_of(one.kind),
            state=state_of(one, now),
            turn=turns[one.id],
            share=_share(one, [other for other in accounts if turns[other.id] == turns[one.id]]),
            is_first=alone or (turns[one.id] == 1 and _is_alone(one, turns)),
            is_last=alone or (turns[one.id] == last and _is_alone(one, turns)),
        )
        for one in accounts
    ]


def turns_of(accounts: Sequence[AccountLine]) -> dict[int, int]:
    """Account -> its turn, counted from 1 without gaps."""
    places = sorted({one.position for one in accounts})
    return {one.id: places.index(one.position) + 1 for one in accounts}


def moved(turns: Mapping[int, int], account_id: int, *, up: bool) -> dict[int, int]:
    """The turns after an account went one place up or down: out of a turn that it shares, or past its neighbour.

    >>> moved({7: 1, 8: 2, 9: 2}, 9, up=True)
    {7: 1, 9: 2, 8: 3}
    >>> moved({7: 1, 8: 2}, 8, up=True)
    {8: 1, 7: 2}
    """
    here = turns[account_id]
    shared = not _is_alone_in(turns, account_id)
    aim = here + (-0.5 if up else 0.5) if shared else here + (-1.5 if up else 1.5)
    places: dict[int, float] = {**turns, account_id: aim}
    order = sorted(set(places.values()))
    return {one: order.index(place) + 1 for one, place in sorted(places.items(), key=lambda pair: pair[1])}


def state_of(account: AccountLine, now: datetime) -> AccountState:
    """What it does at this moment."""
    if not account.enabled:
        return AccountState(label="Switched off", look="", icon="player-pause")
    if account.pause_kind == PauseKind.HELD:
        return AccountState(label="Stopped", look="warn", icon="hand-stop", why=account.paused_reason, is_stopped=True)
    if account.paused_until is None:
        return AccountState(label="Ready", look="good", icon="circle-check")
    label, look, icon = _PAUSES.get(account.pause_kind, ("Pausing", "warn", "clock-pause"))
    if account.paused_until <= now:
        label = "On trial"  # the next message shows whether it works again
        return AccountState(label=label, look="warn", icon="test-pipe", why=account.paused_reason, is_stopped=True)
    return AccountState(
        label=label, look=look, icon=icon, until=account.paused_until, why=account.paused_reason, is_stopped=True
    )


_PAUSES: Final = {
    PauseKind.BACK_OFF.value: ("Pausing", "warn", "clock-pause"),
    PauseKind.OPERATOR.value: ("Refused", "bad", "lock"),
    PauseKind.BREAKER.value: ("Breaker open", "bad", "plug-connected"),
}


def kinds_of(channel: Channel) -> list[KindView]:
    """What can be added for a channel."""
    found = [KindView(name=kind.name, title=kind.title) for kind in KINDS.values() if kind.channel is channel]
    return ([KindView(name=SMTP, title=title_of(SMTP))] if channel is Channel.EMAIL else []) + found


def title_of(kind: str) -> str:
    if kind == SMTP:
        return "SMTP server"
    if kind == SANDBOX:
        return "Sandbox: sends to nobody"
    return KINDS[kind].title if kind in KINDS else kind


def channel_of(kind: str) -> Channel:
    """Raises KeyError for a kind that does not exist."""
    return Channel.EMAIL if kind == SMTP else KINDS[kind].channel


def _share(account: AccountLine, beside: Sequence[AccountLine]) -> float | None:
    total = sum(one.weight for one in beside if one.enabled)
    if len(beside) == 1 or not total or not account.enabled:
        return None
    return account.weight / total


def _is_alone(account: AccountLine, turns: Mapping[int, int]) -> bool:
    return _is_alone_in(turns, account.id)


def _is_alone_in(turns: Mapping[int, int], account_id: int) -> bool:
    return sum(turn == turns[account_id] for turn in turns.values()) == 1
