"""Has this shopper had enough messages? Caps per cart, per 24 hours, per 7 days, and the gap between channels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.terms.decision import Verdict, defer, deny
from rekindle.terms.limits import ChannelCaps, SendLimits
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_facts import PriorSend

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)


def frequency_cap(
    history: Sequence[PriorSend], channel: Channel, cart_id: UUID, now: datetime, limits: SendLimits
) -> Verdict | None:
    """The first limit that one more message would break, or None.

    Windows are rolling and half-open: a message exactly 24 hours old no longer counts. One in the future (a clock
    was wrong) counts as sent now.
    """
    of_cart = [prior for prior in history if prior.cart_id == cart_id]
    if full := _full(of_cart, channel, limits.per_cart):
        return deny(Reason.CART_CAP, **full)
    for window, caps, reason in ((DAY, limits.per_24h, Reason.CAP_24H), (WEEK, limits.per_7d, Reason.CAP_7D)):
        recent = [prior for prior in history if now - prior.at < window]
        if full := _full(recent, channel, caps):
            return deny(reason, **full)
    return _channel_gap(history, channel, now, timedelta(seconds=limits.channel_gap_s))


def _full(sent: Sequence[PriorSend], channel: Channel, caps: ChannelCaps) -> dict[str, object]:
    """Evidence when a cap is reached, else nothing."""
    on_channel = sum(1 for prior in sent if prior.channel is channel)
    if on_channel >= caps.of(channel):
        return {"channel": channel.value, "count": on_channel, "cap": caps.of(channel)}
    if len(sent) >= caps.all:
        return {"channel": "all", "count": len(sent), "cap": caps.all}
    return {}


def _channel_gap(history: Sequence[PriorSend], channel: Channel, now: datetime, gap: timedelta) -> Verdict | None:
    others = [min(prior.at, now) for prior in history if prior.channel is not channel]
    if others and now - max(others) < gap:
        return defer(Reason.CHANNEL_GAP, max(others) + gap, last_at=max(others).isoformat(), gap_s=gap.total_seconds())
    return None
