"""Is the cart abandoned? Tables of what the idle timer finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.abandonment import IdleRules, TimedCart, abandonment, idle_rules
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULES = IdleRules((1_800, 7_200), 30 * 86_400)
SHOP = ShopSettings(id=1, slug="s", name="S")


def cart(**overrides: object) -> TimedCart:
    given_ = {
        "state": CartState.OPEN,
        "stage": Stage.CART,
        "created_at": T - timedelta(minutes=5),
        "touched_at": T,
        "check_at": T + timedelta(minutes=30),
        "is_empty": False,
    }
    return TimedCart(**(given_ | overrides))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("overrides", "after", "state", "reason", "check_s"),
    [
        ({}, timedelta(seconds=0), CartState.OPEN, Reason.STILL_ACTIVE, 1_800),
        ({}, timedelta(seconds=1_799, microseconds=999_999), CartState.OPEN, Reason.STILL_ACTIVE, 1_800),
        ({}, timedelta(seconds=1_800), CartState.ABANDONED, Reason.ABANDONED, 7_200),
        ({}, timedelta(seconds=7_199), CartState.ABANDONED, Reason.ABANDONED, 7_200),
        ({}, timedelta(seconds=7_200), CartState.ABANDONED, Reason.ABANDONED, 30 * 86_400),
        ({}, timedelta(days=29), CartState.ABANDONED, Reason.ABANDONED, 30 * 86_400),
        ({}, timedelta(days=30), CartState.LOST, Reason.LOST, None),
        ({"state": CartState.ABANDONED}, timedelta(days=31), CartState.LOST, Reason.LOST, None),
        ({"is_empty": True}, timedelta(hours=1), CartState.EMPTIED, Reason.CART_EMPTY, None),
        ({"state": CartState.CONVERTED}, timedelta(hours=1), CartState.CONVERTED, Reason.CART_CLOSED, None),
        # a worker's clock that runs behind must not abandon anything
        ({}, timedelta(hours=-3), CartState.OPEN, Reason.STILL_ACTIVE, 1_800),
    ],
)
def test_what_the_timer_finds(
    overrides: dict[str, object], after: timedelta, state: CartState, reason: Reason, check_s: int | None
) -> None:
    found = abandonment(cart(**overrides), RULES, T + after)
    assert (found.state, found.reason, found.check_s) == (state, reason, check_s)


def test_each_flow_threshold_gets_exactly_one_look() -> None:
    first = abandonment(cart(), RULES, T + timedelta(seconds=1_805))
    assert (first.from_s, first.until_s) == (0, 1_805)
    assert first.check_s == 7_200
    second = abandonment(
        cart(state=CartState.ABANDONED, check_at=T + timedelta(seconds=7_200)), RULES, T + timedelta(seconds=7_300)
    )
    assert (second.from_s, second.until_s) == (7_200, 7_300)
    assert not second.from_s <= 1_800 <= second.until_s


def test_a_browse_visit_that_became_a_cart_is_closed_by_it() -> None:
    browse = cart(stage=Stage.BROWSE, elsewhere_at=T)
    assert abandonment(browse, RULES, T + timedelta(hours=1)).reason is Reason.MOVED_TO_CART


def test_a_cart_of_last_month_does_not_close_todays_visit() -> None:
    browse = cart(stage=Stage.BROWSE, elsewhere_at=T - timedelta(days=30))
    assert abandonment(browse, RULES, T + timedelta(hours=1)).reason is Reason.ABANDONED


@pytest.mark.parametrize(
    ("stage", "flow_idle_s", "expected"),
    [
        (Stage.CART, [], (1_800,)),
        (Stage.CART, [None, None], (1_800,)),
        (Stage.CHECKOUT, [None], (900,)),
        (Stage.BROWSE, [None], (3_600,)),
        (Stage.CART, [600, None, 7_200], (600, 1_800, 7_200)),
        (Stage.CART, [7_200], (1_800, 7_200)),
        (Stage.CART, [60 * 86_400], (1_800,)),
    ],
)
def test_thresholds_of_shop_and_flows(stage: Stage, flow_idle_s: list[int | None], expected: tuple[int, ...]) -> None:
    assert idle_rules(SHOP, stage, flow_idle_s).idle_s == expected


def test_a_cart_is_lost_even_when_the_shop_gives_up_before_it_counts_as_idle() -> None:
    shop = ShopSettings(id=1, slug="s", name="S", cart_idle_s=3 * 86_400, lost_after_days=1)
    rules = idle_rules(shop, Stage.CART, [])
    assert abandonment(cart(), rules, T + timedelta(days=3)).state is CartState.LOST


@given(
    touched=st.integers(-10_000_000, 10_000_000),
    after=st.integers(-10_000_000, 10_000_000),
    thresholds=st.sets(st.integers(10, 5_000_000), min_size=1, max_size=5),
    state=st.sampled_from(list(CartState)),
    empty=st.booleans(),
)
def test_the_timer_always_moves_forward_or_stops(
    touched: int, after: int, thresholds: set[int], state: CartState, empty: bool
) -> None:
    """A look that would put the timer to an instant already past would ring again at once, for ever."""
    rules = IdleRules(tuple(sorted(thresholds)), 6_000_000)
    touched_at = T + timedelta(seconds=touched)
    now = touched_at + timedelta(seconds=after)
    found = abandonment(cart(touched_at=touched_at, state=state, is_empty=empty), rules, now)
    if found.check_s is not None:
        assert touched_at + timedelta(seconds=found.check_s) > now
    if found.state is CartState.ABANDONED:
        assert after >= min(thresholds) or state is CartState.ABANDONED
        assert not empty
