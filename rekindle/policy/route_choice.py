"""By which of its accounts does a message leave? The accounts of a shop and channel in, one of them or a wait out.

The lowest position comes first. Accounts of one position share the messages by weight, drawn from the message's id: the
same message draws the same account again, and an account that drops out moves only its own messages ("rendezvous
hashing", Thaler and Ravishankar 1998, with weights). A weight of 0 takes part only when no other account of its
position can. An account that comes out of a pause takes one message, as its trial, before others rely on it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from rekindle.lib.hashing import uniform

_KEY: Final = b"which account takes this message"
#: How far back the order of what waited is kept when an account works again, and over how long it is spread.
_LOOK_BACK: Final = timedelta(days=30)
SPREAD: Final = timedelta(seconds=1)


class Readiness(StrEnum):
    READY = "ready"
    ON_TRIAL = "on_trial"  #: a pause is over; one message shows whether it works
    PAUSED = "paused"


class Option(NamedTuple):
    """An account as a choice sees it. ``until`` and ``why`` of its pause, or of the trial that another worker makes."""

    account_id: int
    position: int
    weight: int
    readiness: Readiness
    until: datetime | None = None
    why: str = ""


def choose(options: Sequence[Option], message: str, excluded: Collection[int] = ()) -> Option | None:
    """The account for a message (any text that names it); None when none can take it now.

    ``excluded``: accounts that have no room left for this one.
    """
    usable = [o for o in options if o.readiness is not Readiness.PAUSED and o.account_id not in excluded]
    if not usable:
        return None
    first = min(option.position for option in usable)
    group = [option for option in usable if option.position == first]
    trial = next((option for option in group if option.readiness is Readiness.ON_TRIAL), None)
    if trial is not None:
        return trial
    weighted = [option for option in group if option.weight > 0] or group
    if len(weighted) == 1:
        return weighted[0]
    return max(weighted, key=lambda option: (_score(option, message), option.account_id))


def wait_of(options: Sequence[Option]) -> tuple[datetime, str] | None:
    """When the first of the pausing accounts may be tried again, and why it pauses."""
    return min(((option.until, option.why) for option in options if option.until is not None), default=None)


def in_turn(resume_at: datetime, planned_at: datetime) -> datetime:
    """When a message that waits for an account is looked at again: what was planned earlier comes first.

    Depends on nothing else, so the order survives any number of pauses.

    >>> from datetime import UTC
    >>> at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    >>> early, late = (in_turn(at, at - timedelta(hours=h)) for h in (3, 2))
    >>> at <= early < late <= at + timedelta(seconds=1)
    True
    """
    age = (planned_at - (resume_at - _LOOK_BACK)) / _LOOK_BACK
    return resume_at + SPREAD * min(max(age, 0.0), 1.0)


def _score(option: Option, message: str) -> float:
    draw = uniform(_KEY, str(option.account_id), message)
    return -max(option.weight, 1) / math.log(min(max(draw, 1e-300), 1 - 1e-16))
