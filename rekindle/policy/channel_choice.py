"""On which channel, and to which of the shopper's addresses, is a step's message planned, and where else if that fails?

A step names its channels in order. It may also leave the choice to what is known of the shopper: a stated wish first,
then how often messages on each channel were answered by a click. Plain counts with a prior, all of them kept with the
decision. Whether the message may then really go out is decided by may_send at the last moment; this only plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel

#: As if every channel had been tried with 20 messages before and one had been answered: a house choice, about what a
#: cart reminder brings by e-mail. It keeps one lucky click, or one unlucky silence, from deciding.
PRIOR_CLICKS, PRIOR_MESSAGES = 1, 20
#: A channel comes before one that the flow names earlier only if it was answered so many times as often: ten messages
#: without an answer move a shopper to a channel of which nothing is known.
MARGIN = 1.5

#: Messages count for so many days: what a shopper did long ago says little, and every day more is one more to look at.
RESPONSE_DAYS = 90

#: A proven consent first, a refusal last; what lies between is for may_send to judge.
_RANK = {ConsentKind.EXPRESS.value: 0, ConsentKind.SOFT_OPT_IN.value: 1, ConsentKind.WITHDRAWN.value: 3}


class Reach(NamedTuple):
    """One address of a shopper that is still there (not erased). ``consent``: its newest kind, if any is known, with
    the wording that was agreed to and its marks; ``is_suppressed``: known not to take messages."""

    channel: str
    contact_point_id: str
    consent: str | None
    created_at: datetime
    wording: str = ""
    is_suppressed: bool = False
    is_confirmed: bool = False
    is_written: bool = False
    mentions_cart: bool = False

    @property
    def state(self) -> ConsentState | None:
        """The consent as a decision looks at it."""
        if self.consent is None:
            return None
        marks = ConsentMarks(self.is_confirmed, self.is_written, self.mentions_cart)
        return ConsentState(kind=ConsentKind(self.consent), at=self.created_at, wording=self.wording, marks=marks)


#: Why there is no legal basis for a channel with this consent; None when there is one.
NoBasis = Callable[[Channel, ConsentState | None], Reason | None]


class Response(NamedTuple):
    """Messages that went out to a shopper on one channel, and how many of them were answered by a click."""

    messages: int = 0
    clicks: int = 0

    @property
    def score(self) -> float:
        """The share of messages that is expected to be answered: the mean of a Beta posterior.

        >>> Response(6, 0).score < Response().score < Response(3, 2).score
        True
        """
        return (self.clicks + PRIOR_CLICKS) / (self.messages + PRIOR_MESSAGES)


class Known(NamedTuple):
    """What is known of a shopper. ``wish``: the channel that they asked for, if they did."""

    reaches: Sequence[Reach]
    wish: Channel | None = None
    responses: Mapping[Channel, Response] = {}


class Choice(NamedTuple):
    """``ranked``: the chosen channel with its address, then where to turn when it fails. ``evidence``: the reasons, as
    they are stored with the decision."""

    ranked: tuple[tuple[Channel, Reach], ...]
    evidence: Mapping[str, object]


def choose_channel(channels: Sequence[Channel], known: Known, no_basis: NoBasis, *, by_response: bool) -> Choice | None:
    """Rank the channels of a step for a shopper; None when no address is known for any of them.

    ``channels``: those for which there is something to send, in the flow's order. ``by_response``: let wish and
    responses decide; else the order does. A channel without an address, without a basis or with a suppressed address
    is passed over. When that leaves nothing, the first one with an address is planned all the same: may_send then
    refuses it and the reason is stored.

    >>> choose_channel((Channel.SMS, Channel.EMAIL), Known(()), lambda *_: None, by_response=True) is None
    True
    """
    addresses = {channel: _best(channel, known.reaches) for channel in channels}
    with_address = [(channel, reach) for channel, reach in addresses.items() if reach is not None]
    if not with_address:
        return None
    obstacles = {channel: _obstacle(channel, reach, no_basis) for channel, reach in addresses.items()}
    possible = [(channel, reach) for channel, reach in with_address if obstacles[channel] is None]
    ranked = _ranked(possible, known) if by_response else possible
    ranked = ranked or with_address[:1]
    if len(channels) == 1:
        return Choice(tuple(ranked), {})
    evidence = {
        "chosen_by": _chosen_by(ranked[0][0], possible, known, by_response),
        "options": [_told(channel, obstacles[channel], known, by_response) for channel in channels],
    }
    return Choice(tuple(ranked), evidence)


def _best(channel: Channel, reaches: Iterable[Reach]) -> Reach | None:
    """Of several addresses on one channel the one with the strongest consent, and of equals the newest."""
    found = [reach for reach in reaches if reach.channel == channel]
    return min(found, key=_preference) if len(found) > 1 else found[0] if found else None


def _preference(reach: Reach) -> tuple[bool, int, float, str]:
    return reach.is_suppressed, _RANK.get(reach.consent or "", 2), -reach.created_at.timestamp(), reach.contact_point_id


def _obstacle(channel: Channel, reach: Reach | None, no_basis: NoBasis) -> Reason | None:
    if reach is None:
        return Reason.NO_ADDRESS
    if reach.is_suppressed:
        return Reason.SUPPRESSED
    if reach.consent == ConsentKind.WITHDRAWN:
        return Reason.OPTED_OUT
    return no_basis(channel, reach.state)


def _ranked(possible: Sequence[tuple[Channel, Reach]], known: Known) -> list[tuple[Channel, Reach]]:
    """By wish, then by response. A channel moves forward past those that it beats by the margin."""
    ranked: list[tuple[Channel, Reach]] = []
    for one in possible:
        place = len(ranked)
        while place and _beats(one[0], ranked[place - 1][0], known):
            place -= 1
        ranked.insert(place, one)
    return ranked


def _beats(channel: Channel, earlier: Channel, known: Known) -> bool:
    if known.wish in (channel, earlier):
        return known.wish is channel
    return _response(channel, known).score >= MARGIN * _response(earlier, known).score


def _response(channel: Channel, known: Known) -> Response:
    return known.responses.get(channel, Response())


def _chosen_by(chosen: Channel, possible: Sequence[tuple[Channel, Reach]], known: Known, by_response: bool) -> str:
    if by_response and chosen is known.wish:
        return "wish"
    return "order" if not possible or chosen is possible[0][0] else "response"


def _told(channel: Channel, obstacle: Reason | None, known: Known, by_response: bool) -> dict[str, object]:
    """One channel as it is shown: what is in its way, or what it was weighed by."""
    if obstacle is not None:
        return {"channel": channel.value, "obstacle": obstacle.value}
    if not by_response:
        return {"channel": channel.value}
    response = _response(channel, known)
    told: dict[str, object] = {"channel": channel.value, "sent": response.messages, "clicked": response.clicks}
    return told | {"score": round(response.score, 3)} | ({"wish": True} if channel is known.wish else {})
