"""Do limits hold, whatever is asked, and does everybody who waits get a place?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from rekindle.policy.pace import grant, nothing_used

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@settings(deadline=None)
@for_all(
    st.floats(0.01, 500),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 300)), min_size=1, max_size=40),
)
def test_never_more_than_the_rate_over_any_time(per_second: float, asked: list[tuple[float, int]]) -> None:
    used, now, given = nothing_used(NOW), NOW, []
    for wait_s, wanted in asked:
        now += timedelta(seconds=wait_s)
        got = grant(used, wanted, per_second=per_second, per_day=None, now=now)
        used = got.used
        assert got.granted + len(got.later) == wanted
        given.append((now, got.granted))
    for first, (begin, _) in enumerate(given):
        total = 0
        for end, count in given[first:]:
            total += count
            assert total <= per_second * (end - begin).total_seconds() + max(per_second, 1.0) + 1e-3


@settings(deadline=None)
@for_all(st.integers(1, 50), st.lists(st.tuples(st.floats(0, 20_000), st.integers(0, 40)), max_size=40))
def test_never_more_than_the_day_allows(per_day: int, asked: list[tuple[float, int]]) -> None:
    used, now = nothing_used(NOW), NOW
    by_day: dict[object, int] = {}
    for wait_s, wanted in asked:
        now += timedelta(seconds=wait_s)
        got = grant(used, wanted, per_second=None, per_day=per_day, now=now)
        used = got.used
        by_day[now.date()] = by_day.get(now.date(), 0) + got.granted
        assert all(at > now for at in got.later)
        if got.later:
            assert got.later[0].date() > now.date(), "nothing more today"
    assert all(count <= per_day for count in by_day.values())


def test_those_who_wait_come_back_one_behind_the_other_and_then_find_room() -> None:
    got = grant(nothing_used(NOW), 1000, per_second=10.0, per_day=None, now=NOW)
    assert got.granted == 10
    assert list(got.later) == sorted(set(got.later))
    used, looks = got.used, 0
    for at in got.later:
        again = grant(used, 1, per_second=10.0, per_day=None, now=at)
        used, looks = again.used, looks + 1
        assert again.granted == 1, "a place in the row is a place"
    assert looks == 990
    assert got.later[-1] - NOW <= timedelta(seconds=101)


def test_two_batches_queue_up_behind_each_other() -> None:
    first = grant(nothing_used(NOW), 5, per_second=1.0, per_day=None, now=NOW)
    second = grant(first.used, 5, per_second=1.0, per_day=None, now=NOW)
    assert (first.granted, second.granted) == (1, 0)
    assert second.later[0] > first.later[-1]


@pytest.mark.parametrize("per_day", [0, 3])
def test_a_clock_that_goes_back_grants_no_second_day(per_day: int) -> None:
    used = grant(nothing_used(NOW), 10, per_second=None, per_day=per_day, now=NOW).used
    got = grant(used, 10, per_second=None, per_day=per_day, now=NOW - DAY)
    assert got.granted == 0


def test_no_limit_is_no_limit() -> None:
    got = grant(nothing_used(NOW), 10_000, per_second=None, per_day=None, now=NOW)
    assert (got.granted, got.later) == (10_000, ())
