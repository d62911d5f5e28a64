"""On which channel, and to which of the shopper's addresses, is a step's message planned?

The first channel of the step for which an address is known. Whether the message may then really go out is decided by
may_send at the last moment; this only plans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from rekindle.terms.consent import ConsentKind
from rekindle.terms.send import Channel

#: A proven consent first, a refusal last; what lies between is for may_send to judge.
_RANK = {ConsentKind.EXPRESS.value: 0, ConsentKind.SOFT_OPT_IN.value: 1, ConsentKind.WITHDRAWN.value: 3}


class Reach(NamedTuple):
    """One address of a shopper that is still there (not erased). ``consent``: its newest kind, if any is known."""

    channel: str
    contact_point_id: str
    consent: str | None
    created_at: datetime


def choose_reach(channels: Sequence[Channel], known: Iterable[Reach]) -> tuple[Channel, Reach] | None:
    """The first possible channel with its best address; None when none is known.

    Of several addresses on one channel the one with the strongest consent is taken, and of equals the newest.

    >>> choose_reach((Channel.SMS, Channel.EMAIL), []) is None
    True
    """
    by_channel: dict[str, list[Reach]] = {}
    for reach in known:
        by_channel.setdefault(reach.channel, []).append(reach)
    for channel in channels:
        reaches = by_channel.get(channel.value)
        if reaches:
            return channel, min(reaches, key=_preference)
    return None


def _preference(reach: Reach) -> tuple[int, float, str]:
    return _RANK.get(reach.consent or "", 2), -reach.created_at.timestamp(), reach.contact_point_id
