"""How fast, and how much a day, may an account send? And why does an account pause?

The limits lie in ``provider_accounts.limits`` as JSON with the names used here. A mailbox is a provider of mailboxes by
its name (policy.mailbox) or a recipient's domain. Days are UTC days.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import msgspec

_FASTEST, _MOST_A_DAY = 100_000.0, 1_000_000_000
_SLOWEST = 1 / 86_400
_MAX_MAILBOXES, _MAX_DAYS = 50, 400
_MAILBOX = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


class RouteLimitsError(ValueError):
    """An account's limits cannot be understood; the text says which one."""


class PauseKind(StrEnum):
    """Why an account pauses."""

    BACK_OFF = "back_off"  #: the provider asked for less pressure, or could not be reached
    OPERATOR = "operator"  #: it refuses the account itself (key, sender, plan): a person must mend that
    BREAKER = "breaker"  #: too many of its answers left open whether a message was taken, or it failed
    HELD = "held"  #: a person stopped it; only a person starts it again


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """None: no limit of this kind."""

    per_second: float | None = None
    per_day: int | None = None


class WarmUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A new sender starts small: ``per_day[0]`` messages on the day ``started_on``, and so on; then no limit of it."""

    started_on: date
    per_day: tuple[int, ...]

    def on(self, day: date) -> int | None:
        """Messages at most on this day; None when the plan is over. Before its first day nothing may go."""
        number = (day - self.started_on).days
        if number < 0:
            return 0
        return self.per_day[number] if number < len(self.per_day) else None


class RouteLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The account's own limits, those towards mailbox providers, and its warm-up."""

    per_second: float | None = None
    per_day: int | None = None
    mailboxes: dict[str, Rate] = {}
    warm_up: WarmUp | None = None

    def day_limit(self, day: date) -> int | None:
        """Messages at most on this day, by the daily limit and the warm-up."""
        found = [limit for limit in (self.per_day, self.warm_up.on(day) if self.warm_up else None) if limit is not None]
        return min(found, default=None)


NO_LIMITS = RouteLimits()


def parse_route_limits(raw: Mapping[str, object] | None) -> RouteLimits:
    """Raises RouteLimitsError with a sentence for the person who typed them in.

    >>> parse_route_limits({"per_second": 5, "mailboxes": {"gmail": {"per_day": 100}}}).mailboxes["gmail"].per_day
    100
    """
    if not raw:
        return NO_LIMITS
    try:
        limits = msgspec.convert(dict(raw), RouteLimits, strict=True)
    except msgspec.ValidationError as error:
        raise RouteLimitsError(f"limits: {error}") from None
    _check_rate("limits", limits.per_second, limits.per_day)
    if len(limits.mailboxes) > _MAX_MAILBOXES:
        raise RouteLimitsError(f"limits: at most {_MAX_MAILBOXES} mailbox providers")
    for name, rate in limits.mailboxes.items():
        if not _MAILBOX.fullmatch(name):
            raise RouteLimitsError(f"limits: {name[:60]!r} is neither a mailbox provider nor a domain in lower case")
        _check_rate(f"limits: {name}", rate.per_second, rate.per_day)
    if limits.warm_up is not None:
        days = limits.warm_up.per_day
        if not 1 <= len(days) <= _MAX_DAYS or not all(1 <= count <= _MOST_A_DAY for count in days):
            raise RouteLimitsError(f"limits: a warm-up is 1 to {_MAX_DAYS} days of at least one message")
    return limits


def _check_rate(where: str, per_second: float | None, per_day: int | None) -> None:
    if per_second is not None and not _SLOWEST <= per_second <= _FASTEST:
        raise RouteLimitsError(f"{where}: per_second must be one a day to {_FASTEST:.0f} a second")
    if per_day is not None and not 1 <= per_day <= _MOST_A_DAY:
        raise RouteLimitsError(f"{where}: per_day must be 1 to {_MOST_A_DAY}")
