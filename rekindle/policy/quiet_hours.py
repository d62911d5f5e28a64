"""Is it night, or a day of rest, where the shopper may be? Windows that must be open in every plausible zone.

A channel without a window (e-mail, push) is never quiet. A channel with one is quiet wherever no zone is known: unknown
means no. Windows are data of the policy pack; holidays are local dates that the caller knows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rekindle.terms.policy_pack import Window

#: Divides every boundary of the pack (8:30 is the finest), so no opening is stepped over.
STEP = timedelta(minutes=5)
#: Past this the search gives up; the longest closed stretch of any window is a holiday weekend.
HORIZON = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Quiet:
    """``until`` is the first instant at which every window is open; None when there is none in sight."""

    until: datetime | None
    why: str


def quiet_hours(
    windows: Sequence[Window], zones: Sequence[str], now: datetime, holidays: Collection[date] = ()
) -> Quiet | None:
    """None when a message may go out now, else until when to wait.

    ``holidays``: local dates of any of the regions; on them a message needs the hours for holidays and the weekday's.

    >>> from datetime import UTC
    >>> texts = Window(mon_fri=(10, 18), sat=(10, 17), sun=())
    >>> quiet_hours((texts,), ("Europe/Berlin",), datetime(2026, 3, 2, 8, 0, tzinfo=UTC)).until.isoformat()
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
    if _all_open(windows, places, now, holidays):
        return None
    first = now - timedelta(seconds=now.second, microseconds=now.microsecond, minutes=now.minute % 5) + STEP
    until = _opening(tuple(windows), tuple(zones), first, frozenset(holidays))
    return Quiet(until, "no common window" if until is None else "outside the window")


@lru_cache(maxsize=1024)  # a night's messages ask for the same few openings, thousands of times
def _opening(
    windows: tuple[Window, ...], zones: tuple[str, ...], first: datetime, holidays: frozenset[date]
) -> datetime | None:
    """The first instant from ``first`` on, by steps, at which every window is open; None: there is none in sight."""
    places = [_zone(name) for name in zones]
    instant = first
    while instant - first < HORIZON:
        if _all_open(windows, places, instant, holidays):
            return instant
        instant += STEP
    return None


def is_open(window: Window, local: datetime, holidays: Collection[date] = ()) -> bool:
    """Whether a window is open at a local time. A holiday never opens what the weekday closes."""
    spans = [(window.mon_fri, window.sat, window.sun)[max(0, local.weekday() - 4)]]
    if local.date() in holidays:
        spans.append(window.holidays)
    hour = local.hour + local.minute / 60 + local.second / 3600
    return all(span and span[0] <= hour < span[1] for span in spans)


def _all_open(
    windows: Sequence[Window], places: Sequence[ZoneInfo], instant: datetime, holidays: Collection[date]
) -> bool:
    local = [instant.astimezone(place) for place in places]
    return all(is_open(window, at, holidays) for at in local for window in windows)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
