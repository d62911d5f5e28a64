"""Does an account work? What is stored for all workers and what this one has heard, as one state.

Working, pausing, or on trial after a pause. The stored row is read every few seconds; between two readings a worker
goes by what it heard itself. Nothing is written for an answer that changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rekindle.policy.breaker import NOTHING_HEARD, Heard, Strain, heard, must_open, pause_for
from rekindle.policy.route_choice import Option, Readiness
from rekindle.providers.base import Accepted, Fault, NotStarted, Outcome, Pause, Rejected, Uncertain
from rekindle.store.configuration import ProviderAccountRow
from rekindle.terms.route_limits import PauseKind

#: A trial message that says nothing for so long is given up by the others, who then try themselves.
TRIAL: Final = timedelta(minutes=1)
#: Nobody knows when a person starts an account again; its messages look so often.
LOOK_AT_HELD: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Pausing:
    """An account begins to pause. ``trips``: its pauses in a row, with this one."""

    account_id: int
    until: datetime
    why: str
    kind: PauseKind
    trips: int


@dataclass(frozen=True, slots=True)
class Working:
    """An account that paused works again."""

    account_id: int


Change = Pausing | Working


@dataclass(slots=True)
class _Health:
    stored: tuple[object, ...] = ()
    kind: str = ""
    until: datetime | None = None
    why: str = ""
    trips: int = 0
    trial_until: datetime | None = None
    is_ours: bool = False  #: the trial
    strain: Strain = NOTHING_HEARD
    proven: bool = False


@dataclass(slots=True)
class Healths:
    """The accounts that this worker has met."""

    _known: dict[int, _Health] = field(default_factory=dict)

    def option(self, account: ProviderAccountRow, now: datetime) -> Option:
        """The account as a choice sees it."""
        one = self._of(account)
        readiness, until = Readiness.READY, None
        if one.kind:
            over = one.until is None or one.until <= now
            trying = one.trial_until is not None and one.trial_until > now
            readiness = Readiness.ON_TRIAL if over and not trying else Readiness.PAUSED
            until = None if readiness is Readiness.ON_TRIAL else one.trial_until if over else one.until
            if one.kind == PauseKind.HELD:
                until = now + LOOK_AT_HELD
        return Option(account.id, account.position, account.weight, readiness, until, one.why)

    def is_proven(self, account_id: int) -> bool:
        """Has this account taken a message from this worker, and not paused since?"""
        one = self._known.get(account_id)
        return one is not None and one.proven and not one.kind

    def on_trial(self, account_id: int, until: datetime, *, is_ours: bool) -> None:
        """A trial is under way, here or elsewhere."""
        one = self._known.setdefault(account_id, _Health())
        one.trial_until, one.is_ours = until, is_ours

    def is_trying(self, account_id: int, now: datetime) -> bool:
        """Does this worker make the account's trial?"""
        one = self._known.get(account_id)
        return one is not None and one.is_ours and one.trial_until is not None and one.trial_until > now

    def hear(self, account_id: int, said: Outcome, now: datetime) -> Change | None:
        """What an answer changes about its account; None: nothing that others have to know."""
        one = self._known.setdefault(account_id, _Health())
        if one.kind and one.until is not None and one.until > now:
            return None  # it was under way when the pause began
        if isinstance(said, NotStarted):
            if said.pause is Pause.NONE:
                return None
            kind = PauseKind.OPERATOR if said.pause is Pause.OPERATOR else PauseKind.BACK_OFF
            length = pause_for(kind, one.trips, said.retry_after_s)
            return _pause(account_id, one, kind, f"{said.code}: {said.detail}", now + length)
        what = _heard(said)
        one.strain = heard(one.strain, what, now)
        if what is Heard.WORKS:
            one.proven = True
            if not one.kind:
                return None
            one.kind, one.until, one.why, one.trips, one.trial_until, one.is_ours = "", None, "", 0, None, False
            return Working(account_id)
        if one.kind or must_open(one.strain):
            return _pause(account_id, one, PauseKind.BREAKER, _why(said), now + pause_for(PauseKind.BREAKER, one.trips))
        return None

    def _of(self, account: ProviderAccountRow) -> _Health:
        one = self._known.setdefault(account.id, _Health())
        stored = (account.paused_until, account.pause_kind, account.trip_count, account.probe_until)
        if stored != one.stored:  # somebody wrote it since: another worker, a person, or this one
            one.stored = stored
            kind = account.pause_kind or (PauseKind.BACK_OFF.value if account.paused_until is not None else "")
            one.kind, one.until, one.why = kind, account.paused_until, account.paused_reason
            one.trips = account.trip_count
            if one.trial_until != account.probe_until:
                one.trial_until, one.is_ours = account.probe_until, False
        return one


def _pause(account_id: int, one: _Health, kind: PauseKind, why: str, until: datetime) -> Pausing:
    one.kind, one.until, one.why, one.trips = kind.value, until, why[:300], one.trips + 1
    one.strain, one.proven, one.trial_until, one.is_ours = NOTHING_HEARD, False, None, False
    return Pausing(account_id, until, one.why, kind, one.trips)


def _heard(said: Outcome) -> Heard:
    if isinstance(said, Uncertain) or (isinstance(said, Rejected) and said.fault is Fault.PROVIDER):
        return Heard.STRAINED
    return Heard.WORKS


def _why(said: Outcome) -> str:
    if isinstance(said, Rejected):
        return f"{said.code}: {said.detail}"
    return said.detail if isinstance(said, Accepted | Uncertain) else ""
