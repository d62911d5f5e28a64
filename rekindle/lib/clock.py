"""What time is it? The only module that asks the machine.

Everything else is handed a `Clock`; SQL gets the instant as a parameter. So a test, a demo, a simulation and a
replay move through months in seconds on the real engine.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the current instant as an aware UTC datetime."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class MovableClock:
    """A clock that stands still until it is moved; for tests, simulation and replay.

    >>> clock = MovableClock(datetime(2026, 1, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(hours=4)); clock.now().isoformat()
    '2026-01-01T04:00:00+00:00'
    """

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; moving backwards is a mistake of the caller."""
        if by < timedelta(0):
            raise ValueError("a clock only moves forward; use set() to jump")
        self._now += by

    def set(self, instant: datetime) -> None:
        """Jump to an instant, also backwards."""
        self._now = require_aware(instant)


class OffsetClock:
    """The machine's clock, shifted by a fixed offset: a replay that lives in another year but still flows."""

    def __init__(self, offset: timedelta) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


def require_aware(instant: datetime) -> datetime:
    """Return the instant in UTC. Raises ValueError for a naive one: a time without a zone is a guess."""
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError("a naive datetime is not an instant: give it a time zone")
    return instant.astimezone(UTC)


SYSTEM_CLOCK = SystemClock()
