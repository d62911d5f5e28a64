"""Is it night where the shopper may be? Edges, several zones, both clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.quiet_hours import quiet_hours
from rekindle.terms.policy_pack import Window

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
STRICT_SMS = Window(mon_fri=(10, 18), sat=(10, 17), sun=())
FRANCE = Window(mon_fri=(8.5, 20), sat=(8.5, 20), sun=())
SUNDAY_NOON = Window(mon_fri=(10, 20), sat=(10, 20), sun=(12, 18))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "zone", "now", "is_open"),
    [
        (STRICT_SMS, BERLIN, "2026-03-02T08:59:59", False),
        (STRICT_SMS, BERLIN, "2026-03-02T09:00:00", True),
        (STRICT_SMS, BERLIN, "2026-03-02T16:59:59", True),
        (STRICT_SMS, BERLIN, "2026-03-02T17:00:00", False),
        (STRICT_SMS, BERLIN, "2026-03-07T15:59:59", True),
        (STRICT_SMS, BERLIN, "2026-03-07T16:00:00", False),
        (STRICT_SMS, BERLIN, "2026-03-08T12:00:00", False),
        (FRANCE, "Europe/Paris", "2026-03-02T07:29:59", False),
        (FRANCE, "Europe/Paris", "2026-03-02T07:30:00", True),
        # the Sunday the clocks change: noon is noon, in both years' halves
        (SUNDAY_NOON, NEW_YORK, "2026-03-08T15:59:59", False),
        (SUNDAY_NOON, NEW_YORK, "2026-03-08T16:00:00", True),
        (SUNDAY_NOON, NEW_YORK, "2026-11-01T16:59:59", False),
        (SUNDAY_NOON, NEW_YORK, "2026-11-01T17:00:00", True),
    ],
)
def test_windows_are_half_open_local_hours(window: Window, zone: str, now: str, is_open: bool) -> None:
    assert (quiet_hours((window,), (zone,), at(now)) is None) is is_open


def test_after_saturday_comes_monday() -> None:
    quiet = quiet_hours((STRICT_SMS,), (BERLIN,), at("2026-03-07T16:01:07"))
    assert quiet is not None
    assert quiet.until == at("2026-03-09T09:00:00")


def test_on_a_holiday_its_own_hours_hold() -> None:
    monday = frozenset([at("2026-03-02T00:00:00").date()])
    quiet = quiet_hours((STRICT_SMS,), (BERLIN,), at("2026-03-02T12:00:00"), monday)
    assert quiet is not None
    assert quiet.until == at("2026-03-03T09:00:00")
    some = Window(mon_fri=(10, 20), sat=(10, 20), sun=(), holidays=(12, 14))
    assert quiet_hours((some,), (BERLIN,), at("2026-03-02T11:00:00"), monday) is None
    assert quiet_hours((some,), (BERLIN,), at("2026-03-02T13:00:00"), monday) is not None


def test_a_holiday_never_opens_a_day_of_rest() -> None:
    """A region whose calendar names a Sunday would otherwise relax what another one closes."""
    some = Window(mon_fri=(10, 20), sat=(10, 20), sun=(), holidays=(12, 14))
    sunday = at("2026-03-01T12:00:00")
    assert quiet_hours((some,), (BERLIN,), sunday, frozenset([sunday.date()])) is not None


def test_every_plausible_zone_must_be_open() -> None:
    quiet = quiet_hours((STRICT_SMS,), (BERLIN, NEW_YORK), at("2026-03-02T12:00:00"))
    assert quiet is not None
    assert quiet.until == at("2026-03-02T15:00:00")  # 10:00 in New York, 16:00 in Berlin


def test_zones_that_are_never_open_together_wait_for_nothing() -> None:
    quiet = quiet_hours((Window(mon_fri=(10, 12), sat=(), sun=()),), (BERLIN, "Asia/Tokyo"), at("2026-03-02T12:00:00"))
    assert quiet is not None
    assert (quiet.until, quiet.why) == (None, "no common window")


@given(
    st.timedeltas(timedelta(0), timedelta(days=730)),
    st.sampled_from([BERLIN, NEW_YORK, "Asia/Kolkata", "Australia/Adelaide", "Pacific/Apia"]),
    st.sampled_from([BERLIN, NEW_YORK, "Asia/Tokyo"]),
)
def test_another_zone_never_opens_a_window_and_waiting_ends_in_an_open_one(
    since: timedelta, zone: str, more: str
) -> None:
    moment = at("2026-01-01T00:00:00") + since
    alone = quiet_hours((FRANCE,), (zone,), moment)
    if alone is not None:
        assert quiet_hours((FRANCE,), (zone, more), moment) is not None
        assert alone.until is not None
        assert alone.until - moment < timedelta(days=2)
        assert quiet_hours((FRANCE,), (zone,), alone.until) is None
