"""Must this account pause, and for how long? What its provider answered in, a pause or nothing out.

A circuit breaker in three positions: closed while it works; open while it pauses; half-open afterwards, when a single
message shows whether it works again. Two things open it: what a provider says about itself (too fast, wrong key), at
once; and answers that leave open what became of a message, or failures of the provider's own, when they pile up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from rekindle.terms.route_limits import PauseKind

#: So many strained answers one after the other open the breaker,
IN_A_ROW: Final = 5
#: and so do they when they are at least half of the answers of the last minute, if these are enough to tell.
IN_A_MINUTE, LEAST_ANSWERS, SHARE = timedelta(minutes=1), 20, 0.5
#: The pause after the first trouble in a row; doubles with each further one. Never more than one probe a minute, except
#: that a provider which names a shorter time is believed the first time.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)
#: When a person has to act: tried again so seldom that a wrong password does not lock the account.
OPERATOR_PAUSE: Final = timedelta(hours=1)
#: The longest wish of a provider that is obeyed.
LONGEST_WISH: Final = timedelta(hours=24)


class Heard(StrEnum):
    """What an answer says about the way, whatever it says about the message."""

    WORKS = "works"  #: taken, or refused for a reason that lies in the message or its recipient
    STRAINED = "strained"  #: the provider failed, or nobody knows whether it took the message


class Strain(NamedTuple):
    """What a worker has heard of an account lately: strained answers ``in_a_row``, and since ``since`` of all."""

    in_a_row: int = 0
    since: datetime | None = None
    answers: int = 0
    strained: int = 0


NOTHING_HEARD: Final = Strain()


def heard(strain: Strain, what: Heard, now: datetime) -> Strain:
    """With one more answer."""
    is_strained = what is Heard.STRAINED
    if strain.since is None or now - strain.since > IN_A_MINUTE:
        strain = Strain(strain.in_a_row, now)
    return Strain(
        strain.in_a_row + 1 if is_strained else 0, strain.since, strain.answers + 1, strain.strained + is_strained
    )


def must_open(strain: Strain) -> bool:
    """Is the account to pause for what was heard?

    >>> must_open(Strain(in_a_row=4)), must_open(Strain(in_a_row=5))
    (False, True)
    """
    enough = strain.answers >= LEAST_ANSWERS and strain.strained >= strain.answers * SHARE
    return strain.in_a_row >= IN_A_ROW or enough


def pause_for(kind: PauseKind, trips: int, wish_s: float | None = None) -> timedelta:
    """How long. ``trips``: pauses in a row before this one; ``wish_s``: what the provider asked for.

    >>> [str(pause_for(PauseKind.BACK_OFF, trips)) for trips in (0, 1, 2, 9)]
    ['0:01:00', '0:02:00', '0:04:00', '0:15:00']
    >>> str(pause_for(PauseKind.BACK_OFF, 0, 5.0)), str(pause_for(PauseKind.BACK_OFF, 1, 5.0))
    ('0:00:05', '0:02:00')
    """
    own = OPERATOR_PAUSE if kind is PauseKind.OPERATOR else min(FIRST_PAUSE * 2 ** min(trips, 10), LONGEST_PAUSE)
    if wish_s is None or wish_s < 0:
        return own
    wish = min(timedelta(seconds=wish_s), LONGEST_WISH)
    if kind is PauseKind.BACK_OFF and trips == 0:
        return max(wish, timedelta(seconds=1))
    return max(wish, own)
