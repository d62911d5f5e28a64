"""How many messages at most, and how far apart? House limits, and what a shop may set instead.

The numbers are the house caps of the policy pack: conservative choices of ours, not law. A shop's own limits lie in
``shops.limits`` as JSON with the same names; what it does not name keeps the house's value. A relaxed limit is
therefore stored and visible, never a switch in code.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rekindle.terms.send import Channel

_MAX_COUNT = 1_000
_MAX_SECONDS = 366 * 86_400


class LimitsError(ValueError):
    """A shop's limits cannot be understood; the text says which one."""


class ChannelCaps(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Messages at most, per channel and over ``all`` of them together."""

    email: int
    sms: int
    push: int
    all: int

    def of(self, channel: Channel) -> int:
        if channel is Channel.EMAIL:
            return self.email
        return self.sms if channel is Channel.SMS else self.push


class SendLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``per_cart`` counts over the cart's life, the others over a rolling window of one shopper. Times in seconds."""

    per_cart: ChannelCaps = ChannelCaps(email=3, sms=1, push=2, all=6)
    per_24h: ChannelCaps = ChannelCaps(email=1, sms=1, push=1, all=2)
    per_7d: ChannelCaps = ChannelCaps(email=3, sms=2, push=3, all=5)
    channel_gap_s: int = 3_600  #: between two messages on different channels
    min_cart_age_s: int = 1_800  #: since the abandonment
    purchase_cool_off_s: int = 7 * 86_400  #: after any order of the shopper


HOUSE_LIMITS = SendLimits()


def parse_limits(own: Mapping[str, object] | None) -> SendLimits:
    """House limits with the shop's own laid over them. Raises LimitsError.

    >>> parse_limits({"per_24h": {"email": 5}}).per_24h.email
    5
    >>> parse_limits({"per_24h": {"email": 5}}).per_24h.all
    2
    """
    if not own:
        return HOUSE_LIMITS
    merged = msgspec.to_builtins(HOUSE_LIMITS)
    for name, value in own.items():
        if isinstance(value, Mapping) and isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], **value}
        else:
            merged[name] = value
    try:
        limits = msgspec.convert(merged, SendLimits)
    except msgspec.ValidationError as error:
        raise LimitsError(f"limits: {error}") from None
    _check(limits)
    return limits


def _check(limits: SendLimits) -> None:
    for name in ("per_cart", "per_24h", "per_7d"):
        caps = msgspec.structs.asdict(getattr(limits, name))
        if not all(0 <= count <= _MAX_COUNT for count in caps.values()):
            raise LimitsError(f"limits: {name} must be 0 to {_MAX_COUNT} messages")
    for name in ("channel_gap_s", "min_cart_age_s", "purchase_cool_off_s"):
        if not 0 <= getattr(limits, name) <= _MAX_SECONDS:
            raise LimitsError(f"limits: {name} must be 0 to {_MAX_SECONDS} seconds")
