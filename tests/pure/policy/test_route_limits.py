"""Are an account's limits understood, and refused with a sentence when they mean nothing?"""

from __future__ import annotations

from datetime import date

import pytest

from rekindle.terms.route_limits import NO_LIMITS, RouteLimitsError, WarmUp, parse_route_limits


def test_nothing_stored_is_no_limit() -> None:
    assert parse_route_limits(None) == parse_route_limits({}) == NO_LIMITS
    assert NO_LIMITS.day_limit(date(2026, 3, 2)) is None


def test_the_smaller_of_daily_limit_and_warm_up_counts() -> None:
    raw = {"per_day": 200, "warm_up": {"started_on": "2026-03-02", "per_day": [50, 100, 400]}}
    limits = parse_route_limits(raw)
    days = [limits.day_limit(date(2026, 3, day)) for day in (1, 2, 3, 4, 5)]
    assert days == [0, 50, 100, 200, 200]


def test_a_warm_up_ends_after_its_last_day() -> None:
    plan = WarmUp(started_on=date(2026, 2, 28), per_day=(10, 20))
    assert [plan.on(date(2026, 2, 27)), plan.on(date(2026, 2, 28)), plan.on(date(2026, 3, 1))] == [0, 10, 20]
    assert plan.on(date(2026, 3, 2)) is None


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({"per_second": 0}, "per_second"),
        ({"per_second": float("nan")}, "per_second"),
        ({"per_second": "5"}, "per_second"),
        ({"per_day": 0}, "per_day"),
        ({"per_week": 7}, "per_week"),
        ({"mailboxes": {"Gmail": {"per_day": 1}}}, "Gmail"),
        ({"mailboxes": {"gmail": {"per_second": -1}}}, "gmail"),
        ({"mailboxes": {f"d{n}.example": {} for n in range(51)}}, "50"),
        ({"warm_up": {"started_on": "2026-13-01", "per_day": [1]}}, "warm_up"),
        ({"warm_up": {"started_on": "2026-03-01", "per_day": []}}, "warm-up"),
        ({"warm_up": {"started_on": "2026-03-01", "per_day": [0]}}, "warm-up"),
    ],
)
def test_what_means_nothing_is_named(raw: dict[str, object], names: str) -> None:
    with pytest.raises(RouteLimitsError, match=names):
        parse_route_limits(raw)
