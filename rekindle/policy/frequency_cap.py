"""Has this shopper had enough messages? Caps per cart, per 24 hours, per 7 days, and the gap between channels.

The cap per cart is absolute: it ends a message. The others roll on, so a message that meets them waits until the
earliest of the counted ones is old enough; when that is follows from the times at which they went out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from rekindle.terms.decision import Verdict, deny
from rekindle.terms.limits import ChannelCaps, SendLimits
from rekindle.terms.preferences import Preferences
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_facts import PriorSend

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)


class Wait(NamedTuple):
    """A limit that one more message would break now. ``until``: from when on it would not; None: never."""

    reason: Reason
    until: datetime | None
    evidence: Mapping[str, object]


class _Rolling(NamedTuple):
    """A cap over the last ``window``."""

    reason: Reason
    window: timedelta
    caps: ChannelCaps


def wished(limits: SendLimits, preferences: Preferences) -> SendLimits:
    """The limits with a shopper's own wish laid over them; never more than the shop allows."""
    if preferences.per_week is None or preferences.per_week >= limits.per_7d.all:
        return limits
    return replace(limits, per_7d=replace(limits.per_7d, all=preferences.per_week))


def cart_cap(history: Sequence[PriorSend], channel: Channel, cart_id: UUID, limits: SendLimits) -> Verdict | None:
    """A refusal when this cart has had its number of messages; that never changes again."""
    sent = [prior for prior in history if prior.cart_id == cart_id]
    on_channel, caps = [prior for prior in sent if prior.channel is channel], limits.per_cart
    if len(on_channel) >= caps.of(channel):
        return deny(Reason.CART_CAP, channel=channel.value, count=len(on_channel), cap=caps.of(channel))
    if len(sent) >= caps.all:
        return deny(Reason.CART_CAP, channel="all", count=len(sent), cap=caps.all)
    return None


def rolling_caps(history: Sequence[PriorSend], channel: Channel, now: datetime, limits: SendLimits) -> list[Wait]:
    """The limits that one more message would break now, in the order of the gates; empty when it breaks none.

    Windows are rolling and half-open: a message exactly 24 hours old no longer counts. One in the future (a clock was
    wrong) counts as sent now. From the latest ``until`` on nothing is in the way any more, unless more is sent before.
    """
    if not history and _let_one_through(limits.per_24h, channel) and _let_one_through(limits.per_7d, channel):
        return []  # nearly everybody
    day, week = _Rolling(Reason.CAP_24H, DAY, limits.per_24h), _Rolling(Reason.CAP_7D, WEEK, limits.per_7d)
    waits = [_full_window(history, channel, now, rolling) for rolling in (day, week)]
    waits.append(_channel_gap(history, channel, now, timedelta(seconds=limits.channel_gap_s)))
    return [wait for wait in waits if wait is not None]


def _let_one_through(caps: ChannelCaps, channel: Channel) -> bool:
    return caps.all > 0 and caps.of(channel) > 0


def _full_window(history: Sequence[PriorSend], channel: Channel, now: datetime, rolling: _Rolling) -> Wait | None:
    caps = rolling.caps
    recent = [prior for prior in history if now - prior.at < rolling.window]
    of_channel = [prior.at for prior in recent if prior.channel is channel]
    of_all = [prior.at for prior in recent]
    full = [
        (name, sent, cap)
        for name, sent, cap in ((channel.value, of_channel, caps.of(channel)), ("all", of_all, caps.all))
        if len(sent) >= cap
    ]
    if not full:
        return None
    openings = [_opening(sent, cap, now, rolling.window) for _, sent, cap in full]
    until = None if None in openings else max(opening for opening in openings if opening is not None)
    name, sent, cap = full[0]
    return Wait(rolling.reason, until, {"channel": name, "count": len(sent), "cap": cap})


def _opening(sent: Sequence[datetime], cap: int, now: datetime, window: timedelta) -> datetime | None:
    """When so many of these are old enough that one more fits; None for a cap of nothing at all."""
    if cap == 0:
        return None
    counted = sorted(min(at, now) for at in sent)
    return counted[len(counted) - cap] + window


def _channel_gap(history: Sequence[PriorSend], channel: Channel, now: datetime, gap: timedelta) -> Wait | None:
    others = [min(prior.at, now) for prior in history if prior.channel is not channel]
    if others and now - max(others) < gap:
        evidence = {"last_at": max(others).isoformat(), "gap_s": gap.total_seconds()}
        return Wait(Reason.CHANNEL_GAP, max(others) + gap, evidence)
    return None
