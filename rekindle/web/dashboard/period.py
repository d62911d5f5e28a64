"""Which days does a page look at? Today, 7, 30 or 90 whole days of the shop's own calendar, up to now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rekindle.web.templatetags.dashboard import zone

#: What the address bar says, how many days that is, what the button says.
CHOICES: Final = (("today", 1, "Today"), ("7", 7, "7 days"), ("30", 30, "30 days"), ("90", 90, "90 days"))
DEFAULT: Final = "30"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """``since`` and ``until`` are instants, ``before`` the start of an equally long period before, on a full hour."""

    key: str
    label: str
    timezone: str
    first_day: date
    last_day: date
    before: datetime
    since: datetime
    until: datetime

    def days(self) -> Iterator[date]:
        day = self.first_day
        while day <= self.last_day:
            yield day
            day += timedelta(days=1)


def read_period(key: str | None, *, timezone: str, now: datetime) -> Period:
    """The period of a key; an unknown key means the default.

    >>> period = read_period("7", timezone="Europe/Berlin", now=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    >>> period.since.isoformat(), len(list(period.days()))
    ('2026-02-23T23:00:00+00:00', 7)
    """
    name, length, label = next(choice for choice in CHOICES if choice[0] == (key if _known(key) else DEFAULT))
    today = now.astimezone(zone(timezone)).date()
    first = today - timedelta(days=length - 1)
    since = _midnight(first, timezone)
    return Period(
        key=name,
        label=label,
        timezone=timezone,
        first_day=first,
        last_day=today,
        before=(since - (now - since)).replace(minute=0, second=0, microsecond=0),
        since=since,
        until=now,
    )


def _known(key: str | None) -> bool:
    return key in {choice[0] for choice in CHOICES}


def _midnight(day: date, timezone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone(timezone)).astimezone(UTC)
