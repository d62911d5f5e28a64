"""Is the holdout's draw sticky, fair and monotone?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.assignment import assign
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm

KEY = b"k" * 32


def test_the_share_of_the_holdout_is_the_rate() -> None:
    held = sum(assign(KEY, 1, str(n), 0.1).arm is Arm.HOLDOUT for n in range(20_000))
    assert 1_873 <= held <= 2_127  # mean 2,000, 3 standard deviations of sqrt(20,000 * .1 * .9) = 42.4


def test_the_draw_is_sticky_and_belongs_to_the_shop() -> None:
    people = [str(n) for n in range(500)]
    once = [assign(KEY, 1, person, 0.5).arm for person in people]
    assert once == [assign(KEY, 1, person, 0.5).arm for person in people]
    assert once != [assign(KEY, 2, person, 0.5).arm for person in people]
    assert once != [assign(b"j" * 32, 1, person, 0.5).arm for person in people]


@given(st.text(max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_rate_keeps_who_was_held_out(person: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if assign(KEY, 1, person, low).arm is Arm.HOLDOUT:
        assert assign(KEY, 1, person, high).arm is Arm.HOLDOUT


@given(st.text(max_size=20), st.floats(0, 1))
def test_the_probability_is_the_one_of_the_drawn_arm(person: str, rate: float) -> None:
    drawn = assign(KEY, 1, person, rate)
    assert drawn.probability == (rate if drawn.arm is Arm.HOLDOUT else 1 - rate)
    assert drawn.probability > 0
    assert drawn.reason is (Reason.ASSIGNED_HOLDOUT if drawn.arm is Arm.HOLDOUT else Reason.ASSIGNED_TREATED)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="holdout rate"):
        assign(KEY, 1, "someone", rate)
