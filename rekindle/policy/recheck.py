"""Was what went to a shopper within hours, caps, gaps and ages? Reckoned anew, for an audit, from what was kept.

Nothing here asks ``may_send`` or the counting it uses: what is to be found is what that let through. Rules come from
the pack that the decision names; a decision made by another pack is not reckoned by this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from rekindle.policy.quiet_hours import is_open
from rekindle.terms.limits import SendLimits
from rekindle.terms.policy_pack import Rules
from rekindle.terms.send import Channel


class Went(msgspec.Struct, frozen=True, kw_only=True):
    """One message that a provider took. ``decided_at``: when it was allowed; ``zones``: where the shopper may have been
    as the decision had it (None: not kept, which only channels without hours may do), ``holidays`` the local ones near
    it."""

    send_id: UUID
    shop_id: int
    channel: Channel
    cart_id: UUID
    enrolment_id: UUID
    abandoned_at: datetime | None
    decided_at: datetime
    went_at: datetime
    pack: str
    regions: tuple[str, ...]
    zones: tuple[str, ...] | None
    holidays: frozenset[date] = frozenset()


class Broken(StrEnum):
    """What was not kept."""

    HOURS = "hours"
    CAPS = "caps"
    GAP = "gap"
    AGE = "age"


#: What holds for a message: rules of the pack and the shop's limits; None where the pack is another one.
LawOf = Callable[[Went], tuple[Rules, SendLimits, int] | None]
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
#: The engine counts messages about a cart for so many days longer than carts are written about, and for at least eight.
_CART_MEMORY, _LEAST_MEMORY = timedelta(days=2), timedelta(days=8)


def broken(letters: Sequence[Went], law_of: LawOf) -> tuple[list[tuple[Went, Broken]], int]:
    """What one shopper's messages, in the order of time, did not keep; and how many could not be judged."""
    found: list[tuple[Went, Broken]] = []
    unjudged = 0
    for place, one in enumerate(letters):
        law = law_of(one)
        if law is None:
            unjudged += 1
            continue
        rules, limits, cart_days = law
        earlier = letters[:place]
        if not _within_hours(one, rules):
            found.append((one, Broken.HOURS))
        if _over_a_cap(one, earlier, limits, timedelta(days=cart_days)):
            found.append((one, Broken.CAPS))
        gap = timedelta(seconds=limits.channel_gap_s)
        if any(other.channel is not one.channel and one.went_at - other.went_at < gap for other in earlier):
            found.append((one, Broken.GAP))
        if not _of_age(one, rules, limits, cart_days):
            found.append((one, Broken.AGE))
    return found, unjudged


def _within_hours(one: Went, rules: Rules) -> bool:
    if not rules.windows:
        return True
    if not one.zones:
        return False
    try:
        places = [ZoneInfo(name) for name in one.zones]
    except (ZoneInfoNotFoundError, ValueError):
        return False
    local = [one.decided_at.astimezone(place) for place in places]
    return all(is_open(window, at, one.holidays) for at in local for window in rules.windows)


def _over_a_cap(one: Went, earlier: Sequence[Went], limits: SendLimits, cart_life: timedelta) -> bool:
    memory = max(cart_life + _CART_MEMORY, _LEAST_MEMORY)
    for caps, counted in (
        (limits.per_24h, [other for other in earlier if one.decided_at - other.went_at < _DAY]),
        (limits.per_7d, [other for other in earlier if one.decided_at - other.went_at < _WEEK]),
        (
            limits.per_cart,
            [other for other in earlier if other.cart_id == one.cart_id and one.decided_at - other.went_at < memory],
        ),
    ):
        on_channel = sum(1 for other in counted if other.channel is one.channel)
        if on_channel + 1 > caps.of(one.channel) or len(counted) + 1 > caps.all:
            return True
    return False


def _of_age(one: Went, rules: Rules, limits: SendLimits, cart_days: int) -> bool:
    if one.abandoned_at is None:
        return False
    age = one.decided_at - one.abandoned_at
    if age < timedelta(seconds=limits.min_cart_age_s) or age > timedelta(days=cart_days):
        return False
    return rules.max_age is None or age < rules.max_age
