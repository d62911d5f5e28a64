"""Until when may a text message still arrive?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.quiet_hours import quiet_hours
from rekindle.policy.validity import USEFUL, last_moment
from rekindle.terms.policy_pack import Window

STRICT_SMS = Window(mon_fri=(10, 18), sat=(10, 17), sun=())

MONDAY_NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
BERLIN, LOS_ANGELES, TOKYO = "Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo"


@pytest.mark.parametrize(
    ("left_h", "zones", "now_h", "expected_h"),
    [
        (2, (BERLIN,), 0.0, 6.0),  # the window closes at 18:00
        (46, (BERLIN,), 0.0, 2.0),  # 48 hours are over before that
        (2, (BERLIN,), 5.99, 6.0),
        (2, (BERLIN,), 6.0, 6.0),  # closed already
        (2, (BERLIN, TOKYO), 0.0, 0.0),  # 20:00 in Tokyo
        (50, (BERLIN,), 0.0, 0.0),
        (2, (), 0.0, 0.0),  # no zone is known
        (2, ("Nowhere/Land",), 0.0, 0.0),
    ],
)
def test_the_earlier_of_48_hours_and_the_end_of_the_window(
    left_h: float, zones: tuple[str, ...], now_h: float, expected_h: float
) -> None:
    now = MONDAY_NOON + timedelta(hours=now_h)
    found = last_moment(MONDAY_NOON - timedelta(hours=left_h), (STRICT_SMS,), zones, now)
    assert found == MONDAY_NOON + timedelta(hours=expected_h)


def test_without_windows_only_the_48_hours_count() -> None:
    left = MONDAY_NOON - timedelta(hours=3)
    assert last_moment(left, (), (), MONDAY_NOON) == left + USEFUL


@given(
    st.integers(0, 72 * 60),
    st.lists(st.sampled_from([BERLIN, LOS_ANGELES, TOKYO, "Asia/Kathmandu"]), min_size=1, max_size=3),
    st.integers(0, 14 * 24 * 60),
)
def test_nothing_may_arrive_at_night_or_too_late(age_min: int, zones: list[str], later_min: int) -> None:
    now = MONDAY_NOON + timedelta(minutes=later_min)
    left = now - timedelta(minutes=age_min)
    end = last_moment(left, (STRICT_SMS,), zones, now)
    assert now <= end <= max(left + USEFUL, now)
    minutes = int((end - now) / timedelta(minutes=1))
    for minute in range(0, minutes, 7):
        assert quiet_hours((STRICT_SMS,), zones, now + timedelta(minutes=minute)) is None
