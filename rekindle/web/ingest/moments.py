"""When did it happen? The sender's stamp, corrected for a clock that is wrong, and never in the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rekindle.web.ingest.limits import EARLIEST_YEAR
from rekindle.web.ingest.problem import EventError

_DAY = timedelta(days=1)


def read_instant(value: object) -> datetime | None:
    """An ISO 8601 text as a UTC instant; one without a zone is UTC, as Segment's clients mean it. None if it is not."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is UTC:
            return instant
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def skew_of(sent_at: object, received_at: datetime) -> timedelta:
    """How far the sender's clock is behind ours, judged by the time of sending; zero when it did not tell."""
    sent = read_instant(sent_at)
    return received_at - sent if sent is not None else timedelta(0)


def instants_of(told: object, skew: timedelta, received_at: datetime) -> tuple[datetime, datetime]:
    """The instant of an event and its stable stamp: ``(at, stamped_at)``.

    ``at`` is corrected by the skew and never after ``received_at``. ``stamped_at`` goes into the event's id, so it is
    what the sender said, whenever the event is sent again; without a stamp, or with one from the future, it is the
    UTC day of arrival. Raises EventError for a stamp that is not an instant, or before the year 2000.
    """
    if told is None:
        return received_at, _midnight(received_at)
    stamp = read_instant(told)
    if stamp is None:
        raise EventError("timestamp", "must be an ISO 8601 instant such as 2026-01-31T12:00:00.000Z")
    if stamp.year < EARLIEST_YEAR:
        raise EventError("timestamp", f"must not lie before the year {EARLIEST_YEAR}")
    if not skew and stamp <= received_at:
        return stamp, stamp  # as nearly all of them
    try:
        at = min(stamp + skew, received_at)
    except OverflowError:
        at = received_at
    if at.year < EARLIEST_YEAR:
        at = received_at
    return at, stamp if stamp <= received_at + _DAY else _midnight(received_at)


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)
