"""Is it night, or a day of rest, where the shopper may be? Windows that must be open in every plausible zone.

A channel without a window (e-mail, push) is never quiet. A channel with one is quiet wherever no zone is known: unknown
means no. Windows are data; the policy pack supplies them per region, ``STRICT_SMS`` is what holds without a region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rekindle.terms.send import Channel

Span = tuple[float, float] | None

#: Divides every boundary of the pack (8:30 is the finest), so no opening is stepped over.
STEP = timedelta(minutes=5)
#: Past this the search gives up; the longest closed stretch of any window is a holiday weekend.
HORIZON = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Half-open local hours ``[start, end)``; 8.5 is 8:30; None is closed all day."""

    mon_fri: Span
    sat: Span
    sun: Span

    def open_at(self, local: datetime) -> bool:
        span = self.sun if local.weekday() == 6 else self.sat if local.weekday() == 5 else self.mon_fri
        return span is not None and span[0] <= local.hour + local.minute / 60 + local.second / 3600 < span[1]


#: The policy pack's entry for an unknown region: the intersection of everything stricter.
STRICT_SMS = Window(mon_fri=(10, 18), sat=(10, 17), sun=None)


@dataclass(frozen=True, slots=True)
class Quiet:
    """``until`` is the first instant at which every window is open; None when there is none in sight."""

    until: datetime | None
    why: str


def windows_of(channel: Channel) -> tuple[Window, ...]:
    """Windows that apply to a channel while no region is known."""
    return (STRICT_SMS,) if channel is Channel.SMS else ()


def quiet_hours(windows: Sequence[Window], zones: Sequence[str], now: datetime) -> Quiet | None:
    """None when a message may go out now, else until when to wait.

    >>> from datetime import UTC
    >>> quiet_hours((STRICT_SMS,), ("Europe/Berlin",), datetime(2026, 3, 2, 8, 0, tzinfo=UTC)).until.isoformat()
    '2026-03-02T09:00:00+00:00'
    >>> quiet_hours((), (), datetime(2026, 3, 1, 3, 0, tzinfo=UTC)) is None
    True
    """
    if not windows:
        return None
    try:
        places = [_zone(name) for name in zones]
    except (ZoneInfoNotFoundError, ValueError):
        return Quiet(None, "unknown time zone")
    if not places:
        return Quiet(None, "no time zone is known")
    if _all_open(windows, places, now):
        return None
    instant = now - timedelta(seconds=now.second, microseconds=now.microsecond, minutes=now.minute % 5) + STEP
    while instant - now < HORIZON:
        if _all_open(windows, places, instant):
            return Quiet(instant, "outside the window")
        instant += STEP
    return Quiet(None, "no common window")


def _all_open(windows: Sequence[Window], places: Sequence[ZoneInfo], instant: datetime) -> bool:
    return all(window.open_at(instant.astimezone(place)) for place in places for window in windows)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
