"""Which flow takes the cart?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.enrolling import ActiveFlow, Candidate, Enrolling, Entry, enrolling, flows_between
from rekindle.policy.next_step import route_of
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Field, parse_flow
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IDLE = timedelta(seconds=1_800)
SHOP = ShopSettings(id=1, slug="s", name="S")
CART, OTHER_CART, ADA = "cart-1", "cart-2", "ada"


def flow(
    number: int = 1, *, priority: int = 0, activated_at: datetime = T - timedelta(days=1), **definition: object
) -> ActiveFlow:
    body = {"trigger": {"kinds": ["cart"]}, "steps": [{"type": "message", "id": "m", "template": "t"}]} | definition
    parsed = parse_flow(json.dumps(body))
    return ActiveFlow(
        id=number,
        version_id=number * 10,
        key=f"flow-{number}",
        priority=priority,
        activated_at=activated_at,
        flow=parsed,
        route=route_of(parsed),
    )


def cart(**overrides: object) -> Candidate:
    return Candidate(**({"cart_id": CART, "stage": Stage.CART, "touched_at": T, "shopper_id": ADA} | overrides))  # type: ignore[arg-type]


def entry(**overrides: object) -> Entry:
    given_ = {
        "flow_id": 1,
        "cart_id": CART,
        "abandoned_at": T - timedelta(days=9),
        "entered_at": T - timedelta(days=9),
        "is_running": False,
    }
    return Entry(**(given_ | overrides))  # type: ignore[arg-type]


def ask(
    candidate: Candidate | None = None,
    flows: list[ActiveFlow] | None = None,
    history: list[Entry] | None = None,
    facts: dict[Field, object] | None = None,
    now: datetime = T + IDLE,
) -> Enrolling:
    return enrolling(
        candidate or cart(),
        shop=SHOP,
        flows=[flow()] if flows is None else flows,
        history=history or [],
        facts=facts or {},
        now=now,
    )


def test_a_flow_takes_the_cart_and_its_waits_count_from_the_threshold() -> None:
    got = ask(now=T + timedelta(hours=40))
    assert (got.verdict.reason, got.flow and got.flow.key) == (Reason.ENROLLED, "flow-1")
    assert got.abandoned_at == T + IDLE


def test_a_flow_with_its_own_threshold_counts_from_that() -> None:
    quick = flow(trigger={"kinds": ["cart"], "idle_s": 600})
    assert ask(flows=[quick]).abandoned_at == T + timedelta(seconds=600)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ({"shopper_id": None}, Reason.NO_SHOPPER),
        ({"is_erased": True}, Reason.ERASED),
        ({"ordered_at": T}, Reason.PURCHASED),
        ({"ordered_at": T + timedelta(minutes=1)}, Reason.PURCHASED),
        ({"ordered_at": T - timedelta(seconds=1)}, Reason.ENROLLED),
    ],
)
def test_who_is_not_written_to_at_all(candidate: dict[str, object], reason: Reason) -> None:
    assert ask(cart(**candidate)).verdict.reason is reason


def test_without_a_flow_it_is_said_so() -> None:
    assert ask(flows=[]).verdict.reason is Reason.NO_FLOW


def test_switching_a_flow_on_does_not_write_to_carts_left_before() -> None:
    old = flow(activated_at=T + IDLE + timedelta(microseconds=1))
    assert ask(flows=[old]).verdict.reason is Reason.BEFORE_ACTIVATION
    assert ask(flows=[flow(activated_at=T + IDLE)]).verdict.reason is Reason.ENROLLED


def test_a_cart_left_for_too_long_is_not_begun_with() -> None:
    limit = T + IDLE + timedelta(days=14)
    assert ask(now=limit).verdict.reason is Reason.ENROLLED
    assert ask(now=limit + timedelta(seconds=1)).verdict.reason is Reason.TOO_OLD


def test_the_entry_filter_says_what_failed() -> None:
    rich = flow(entry={"type": "test", "field": "total_cents", "op": "ge", "value": 5_000})
    assert ask(flows=[rich], facts={Field.TOTAL_CENTS: 5_000}).verdict.reason is Reason.ENROLLED
    poor = ask(flows=[rich], facts={Field.TOTAL_CENTS: 4_999}).verdict
    assert poor.reason is Reason.ENTRY_FILTER
    assert poor.evidence == {
        "flow": "flow-1",
        "failed": {"field": "total_cents", "op": "ge", "wanted": 5_000, "was": 4_999},
    }
    assert ask(flows=[rich]).verdict.reason is Reason.ENTRY_FILTER


@pytest.mark.parametrize(
    ("history", "reentry", "reason"),
    [
        ([entry()], {}, Reason.ENROLLED),
        ([entry()], {"again_after_return": False}, Reason.ALREADY_ENROLLED),
        ([entry(cart_id=OTHER_CART)], {"again_after_return": False}, Reason.ENROLLED),
        ([entry(flow_id=2)], {"again_after_return": False}, Reason.ENROLLED),
        ([entry(abandoned_at=T + IDLE)], {"shopper_gap_s": 0}, Reason.ALREADY_ENROLLED),
        ([entry(cart_id=OTHER_CART, is_running=True)], {}, Reason.OTHER_FLOW_RUNNING),
        ([entry(cart_id=OTHER_CART, flow_id=2, is_running=True)], {}, Reason.OTHER_FLOW_RUNNING),
        ([entry(entered_at=T - timedelta(hours=23))], {}, Reason.REENTRY_TOO_SOON),
        ([entry(entered_at=T - timedelta(hours=24) + IDLE)], {}, Reason.ENROLLED),
        ([entry(flow_id=2, entered_at=T)], {}, Reason.ENROLLED),
        ([entry(entered_at=T)], {"shopper_gap_s": 0}, Reason.ENROLLED),
    ],
)
def test_re_entry(history: list[Entry], reentry: dict[str, object], reason: Reason) -> None:
    assert ask(flows=[flow(reentry=reentry)], history=history).verdict.reason is reason


@pytest.mark.parametrize(
    ("running", "own", "reason"),
    [
        (-10, 0, Reason.ENROLLED),
        (0, 0, Reason.OTHER_FLOW_RUNNING),
        (5, 0, Reason.OTHER_FLOW_RUNNING),
        (None, 99, Reason.OTHER_FLOW_RUNNING),  # of a flow that was switched off: it goes on to its end
    ],
)
def test_a_running_flow_gives_way_to_a_more_important_one_only(running: int | None, own: int, reason: Reason) -> None:
    going = entry(cart_id=OTHER_CART, flow_id=2, is_running=True, id="run-2", priority=running)
    over = entry(cart_id=OTHER_CART, flow_id=3)
    answer = ask(flows=[flow(priority=own)], history=[over, going])
    assert answer.verdict.reason is reason
    assert answer.outranked == ((going,) if reason is Reason.ENROLLED else ())
    if reason is Reason.ENROLLED:
        assert answer.verdict.evidence["outranked"] == [2]


def test_the_next_flow_is_asked_when_the_first_refuses() -> None:
    picky = flow(1, priority=5, entry={"type": "test", "field": "country", "op": "eq", "value": "DE"})
    assert ask(flows=[picky, flow(2)]).flow == flow(2)
    refused = ask(flows=[picky, flow(2, activated_at=T + timedelta(days=1))]).verdict
    assert refused.reason is Reason.ENTRY_FILTER
    assert refused.evidence["others"] == {"flow-2": "BEFORE_ACTIVATION"}


def test_flows_are_asked_by_priority_and_only_those_whose_threshold_was_just_passed() -> None:
    low, high, slow, browse = (
        flow(1),
        flow(2, priority=9),
        flow(3, trigger={"kinds": ["cart"], "idle_s": 7_200}),
        flow(4, trigger={"kinds": ["browse"]}),
    )
    every = [low, high, slow, browse]
    assert [f.id for f in flows_between(every, SHOP, Stage.CART, 0, 1_800)] == [2, 1]
    assert [f.id for f in flows_between(every, SHOP, Stage.CART, 7_200, 7_300)] == [3]
    assert [f.id for f in flows_between(every, SHOP, Stage.CART, 0, 9_999)] == [2, 1, 3]
    assert [f.id for f in flows_between(every, SHOP, Stage.BROWSE, 0, 9_999)] == [4]
    assert flows_between(every, SHOP, Stage.PAYMENT, 0, 9_999) == ()


_ENTRIES = st.lists(
    st.builds(
        lambda f, c, a, r: entry(
            flow_id=f,
            cart_id=f"cart-{c}",
            entered_at=T - timedelta(hours=a),
            abandoned_at=T - timedelta(hours=a),
            is_running=r,
        ),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 100),
        st.booleans(),
    ),
    max_size=5,
)


@given(_ENTRIES, st.integers(0, 1_000))
def test_never_two_running_flows_for_one_shopper(history: list[Entry], hours: int) -> None:
    got = ask(flows=[flow(1), flow(2), flow(3)], history=history, now=T + timedelta(hours=hours))
    if any(e.is_running for e in history):
        assert got.flow is None
        assert not got.verdict.allowed
    assert (got.flow is None) is (got.abandoned_at is None) is (not got.verdict.allowed)
