"""Which account can reach which device? Browsers are reached with the shop's own key, apps through Firebase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rekindle.providers.base import Device

WEB_PUSH: Final = "web_push"
FCM: Final = "fcm"
#: Of one shopper, those that were seen last: more would be a crowd of old ones.
MAX_DEVICES: Final = 5


def kinds_of(devices: Sequence[Device]) -> frozenset[str]:
    """The kinds of accounts that can reach any of these devices."""
    return frozenset(WEB_PUSH if device.public_key else FCM for device in devices)


def can_serve(kind: str, kinds: frozenset[str] | None) -> bool:
    """Is an account of this kind of use? ``kinds`` as of `kinds_of`, None for messages that go to an address."""
    return kinds is None or kind not in {WEB_PUSH, FCM} or kind in kinds


def served_by(kind: str, devices: Sequence[Device]) -> tuple[Device, ...]:
    """The devices that an account of this kind reaches."""
    return tuple(device for device in devices if can_serve(kind, kinds_of([device])))
