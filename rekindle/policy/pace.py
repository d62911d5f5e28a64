"""How many of these messages may go now, and when the others? A limit's state in, its next state and the answer out.

The rate is kept as the instant from which the next message may go ("generic cell rate algorithm", ITU-T I.371): at most
one second's worth at once, and never more than the rate over any longer time. Those that have to wait get places in a
row, one behind the other, so that each is looked at about once again and not with every batch.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

#: Times of places are kept to the millisecond; nothing waits for less.
_LEAST_WAIT = timedelta(milliseconds=1)


class Used(NamedTuple):
    """How much of a limit is used. ``next_at``: when the next message may go by the rate; ``queue_at``: the end of the
    row of those that wait; ``day_count`` messages were granted on the UTC day ``day``."""

    next_at: datetime
    queue_at: datetime
    day: date
    day_count: int


class Grant(NamedTuple):
    """``granted`` may go now; the k-th of the others may be looked at again at ``later[k]``."""

    used: Used
    granted: int
    later: tuple[datetime, ...]


def nothing_used(now: datetime) -> Used:
    return Used(now, now, now.astimezone(UTC).date(), 0)


def grant(used: Used, wanted: int, *, per_second: float | None, per_day: int | None, now: datetime) -> Grant:
    """Take ``wanted`` messages from a limit. None: no limit of this kind.

    >>> now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    >>> got = grant(nothing_used(now), 5, per_second=2.0, per_day=None, now=now)
    >>> got.granted, [int((at - now).total_seconds() * 1000) for at in got.later]
    (2, [1500, 2000, 2500])
    """
    today = now.astimezone(UTC).date()
    day_count = used.day_count if used.day == today else 0
    if used.day > today:  # a clock that went back: what was granted tomorrow counts today
        today, day_count = used.day, used.day_count
    left_today = wanted if per_day is None else max(per_day - day_count, 0)
    free_at = max(used.next_at, now)
    count = min(wanted, _by_rate(free_at, wanted, per_second, now), left_today)
    next_at = now if per_second is None else free_at + timedelta(seconds=count / per_second)
    queue_at, later = _row(used.queue_at, next_at, wanted - count, per_second, now)
    if count == left_today and wanted > count:  # the day is used up: nothing more before the next one
        opens = datetime.combine(today, time(), UTC) + timedelta(days=1)
        later = tuple(max(at, opens + (at - now)) for at in later)
    return Grant(Used(next_at, queue_at, today, day_count + count), count, later)


def _by_rate(free_at: datetime, wanted: int, per_second: float | None, now: datetime) -> int:
    if per_second is None:
        return wanted
    burst = max(per_second, 1.0)  # one second's worth, and always one message
    return max(int(burst - (free_at - now).total_seconds() * per_second + 1e-6), 0)


def _row(
    queue_at: datetime, next_at: datetime, waiting: int, per_second: float | None, now: datetime
) -> tuple[datetime, tuple[datetime, ...]]:
    if not waiting:
        return max(queue_at, now), ()
    gap = timedelta(seconds=1 / per_second) if per_second is not None else _LEAST_WAIT
    start = max(queue_at, next_at, now)
    later = tuple(start + gap * (place + 1) for place in range(waiting))
    return later[-1], later
