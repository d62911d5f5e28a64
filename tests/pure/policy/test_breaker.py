"""When does an account pause, and for how long?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.breaker import (
    FIRST_PAUSE,
    IN_A_MINUTE,
    IN_A_ROW,
    LEAST_ANSWERS,
    LONGEST_PAUSE,
    LONGEST_WISH,
    NOTHING_HEARD,
    OPERATOR_PAUSE,
    Heard,
    heard,
    must_open,
    pause_for,
)
from rekindle.terms.route_limits import PauseKind

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def after(*answers: Heard, every: timedelta = SECOND) -> bool:
    strain, now = NOTHING_HEARD, NOW
    for answer in answers:
        strain, now = heard(strain, answer, now), now + every
    return must_open(strain)


W, S = Heard.WORKS, Heard.STRAINED


@pytest.mark.parametrize(
    ("answers", "opens"),
    [
        ([], False),
        ([S] * (IN_A_ROW - 1), False),
        ([S] * IN_A_ROW, True),
        ([S] * (IN_A_ROW - 1) + [W] + [S] * (IN_A_ROW - 1), False),
        ([W, S] * (LEAST_ANSWERS // 2), True),
        ([W, S] * (LEAST_ANSWERS // 2 - 1), False),
        ([W, W, S] * LEAST_ANSWERS, False),
        ([W] * 1000 + [S] * IN_A_ROW, True),
    ],
)
def test_what_opens_the_breaker(answers: list[Heard], opens: bool) -> None:
    assert after(*answers) is opens


def test_half_of_the_answers_count_only_when_they_come_together() -> None:
    assert after(*[W, S] * LEAST_ANSWERS, every=IN_A_MINUTE / 4) is False


@given(st.lists(st.sampled_from([W, S]), max_size=200))
def test_it_never_opens_while_most_answers_are_good_and_none_pile_up(answers: list[Heard]) -> None:
    spread = [one for answer in answers for one in (W, answer, W)]
    assert after(*spread) is False


@pytest.mark.parametrize(
    ("kind", "trips", "wish_s", "expected"),
    [
        (PauseKind.BACK_OFF, 0, None, FIRST_PAUSE),
        (PauseKind.BACK_OFF, 0, 7.0, timedelta(seconds=7)),
        (PauseKind.BACK_OFF, 0, 0.0, SECOND),
        (PauseKind.BACK_OFF, 0, -5.0, FIRST_PAUSE),
        (PauseKind.BACK_OFF, 3, 7.0, FIRST_PAUSE * 8),
        (PauseKind.BACK_OFF, 3, 3600.0, timedelta(hours=1)),
        (PauseKind.BACK_OFF, 0, 10.0**9, LONGEST_WISH),
        (PauseKind.BACK_OFF, 10_000, None, LONGEST_PAUSE),
        (PauseKind.BREAKER, 0, None, FIRST_PAUSE),
        (PauseKind.OPERATOR, 0, None, OPERATOR_PAUSE),
        (PauseKind.OPERATOR, 5, 1.0, OPERATOR_PAUSE),
    ],
)
def test_how_long(kind: PauseKind, trips: int, wish_s: float | None, expected: timedelta) -> None:
    assert pause_for(kind, trips, wish_s) == expected


@given(st.sampled_from(list(PauseKind)), st.integers(0, 100), st.none() | st.floats(-1e6, 1e9))
def test_never_more_than_a_probe_a_minute_after_the_first(kind: PauseKind, trips: int, wish_s: float | None) -> None:
    length = pause_for(kind, trips, wish_s)
    assert length >= SECOND
    assert trips == 0 or length >= FIRST_PAUSE
    assert wish_s is None or length >= min(timedelta(seconds=wish_s), LONGEST_WISH)
