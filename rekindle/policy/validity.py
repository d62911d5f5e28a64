"""How long may a provider keep a text message before it gives up? Until it would come too late, or at night.

Providers queue: a message taken at 17:59 may be delivered hours later, and carriers hold what exceeds a daily cap until
the next morning. So each goes out with the time after which it is worth less than nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from rekindle.policy.quiet_hours import STEP, quiet_hours
from rekindle.terms.policy_pack import Window

#: A text message about a cart arrives within 48 hours or not at all: the rule of the US carriers, kept everywhere.
USEFUL: Final = timedelta(hours=48)
#: Shorter than this nothing can be delivered for sure.
LEAST: Final = timedelta(minutes=1)


def last_moment(
    abandoned_at: datetime,
    windows: Sequence[Window],
    zones: Sequence[str],
    now: datetime,
    holidays: Collection[date] = (),
) -> datetime:
    """The last instant at which the message may arrive; ``now`` itself when that is over. ``holidays``: local dates.

    >>> from datetime import UTC
    >>> texts = Window(mon_fri=(10, 18), sat=(10, 17), sun=())
    >>> left, now = datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> last_moment(left, (texts,), ("Europe/Berlin",), now).isoformat()
    '2026-03-02T17:00:00+00:00'
    """
    end = max(abandoned_at + USEFUL, now)
    if not windows:
        return end
    if quiet_hours(windows, zones, now, holidays) is not None:
        return now
    instant = now
    boundary = now - timedelta(seconds=now.second, microseconds=now.microsecond, minutes=now.minute % 5)
    while instant < end:
        boundary += STEP
        if boundary >= end:
            return end
        if quiet_hours(windows, zones, boundary, holidays) is not None:
            return boundary
        instant = boundary
    return end
