"""What does a flow do at each instant? Journeys in milliseconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.next_step import Move, Route, ending, next_step, route_of
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.flow import Field, parse_flow
from rekindle.terms.reasons import Reason
from rekindle.terms.send import EnrolmentState

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
H = timedelta(hours=1)


def wait(step: str, hours: float, since: str = "abandonment") -> dict[str, object]:
    return {"type": "wait", "id": step, "delay_s": int(hours * 3_600), "since": since}


def message(step: str) -> dict[str, object]:
    return {"type": "message", "id": step, "template": "t"}


def route(*steps: dict[str, object]) -> Route:
    return route_of(parse_flow(json.dumps({"trigger": {"kinds": ["cart"]}, "steps": steps})))


DEFAULT = route(wait("w1", 4), message("m1"), wait("w2", 24), message("m2"), wait("w3", 72), message("m3"))


def move(
    r: Route, step: str | None, now: datetime, step_at: datetime = T, facts: dict[Field, object] | None = None
) -> Move:
    return next_step(r, step, abandoned_at=T, step_at=step_at, now=now, facts=facts or {})


def sent(result: Move) -> list[str]:
    return [due.step.id for due in result.sends]


def skipped(result: Move) -> list[str]:
    return [due.step.id for due in result.skipped]


def test_the_default_flow_writes_after_4_24_and_72_hours() -> None:
    assert (DEFAULT.first, DEFAULT.first_wait_s) == ("w1", 4 * 3_600)
    early = move(DEFAULT, "w1", T + 3 * H)
    assert (sent(early), early.step, early.due_at) == ([], "w1", T + 4 * H)
    first = move(DEFAULT, "w1", T + 4 * H)
    assert (sent(first), first.step, first.due_at) == (["m1"], "w2", T + 24 * H)
    second = move(DEFAULT, "w2", T + 24 * H, first.step_at)
    assert (sent(second), second.step, second.due_at) == (["m2"], "w3", T + 72 * H)
    third = move(DEFAULT, "w3", T + 72 * H, second.step_at)
    assert (sent(third), third.step, third.due_at) == (["m3"], None, None)
    assert (third.state, third.reason) == (EnrolmentState.DONE, Reason.FLOW_DONE)


def test_after_an_outage_only_the_oldest_due_message_goes_out() -> None:
    back = move(DEFAULT, "w1", T + 71 * H)
    assert (sent(back), skipped(back)) == (["m1"], ["m2"])
    assert back.sends[0].planned_at == T + 4 * H
    assert back.skipped[0].planned_at == T + 24 * H
    assert (back.step, back.due_at) == ("w3", T + 72 * H)
    later = move(DEFAULT, "w1", T + 200 * H)
    assert (sent(later), skipped(later), later.state) == (["m1"], ["m2", "m3"], EnrolmentState.DONE)


def test_a_wait_since_the_previous_step_keeps_its_gap_after_an_outage() -> None:
    r = route(wait("w1", 4), message("m1"), wait("w2", 20, "previous"), message("m2"))
    back = move(r, "w1", T + 71 * H)
    assert (sent(back), skipped(back)) == (["m1"], [])
    assert (back.step, back.due_at) == ("w2", T + 91 * H)


def test_waits_since_the_previous_step_add_up() -> None:
    r = route(wait("w1", 1, "previous"), wait("w2", 1, "previous"), message("m1"))
    assert move(r, "w1", T + 1 * H).due_at == T + 2 * H
    assert sent(move(r, "w1", T + 2 * H)) == ["m1"]


def test_messages_of_one_instant_all_go_out() -> None:
    r = route(
        wait("w1", 4),
        message("m1"),
        message("m2"),
        wait("w2", 0, "previous"),
        message("m3"),
        wait("w3", 5),
        message("m4"),
    )
    result = move(r, "w1", T + 9 * H)
    assert (sent(result), skipped(result)) == (["m1", "m2", "m3"], ["m4"])


def test_a_flow_may_begin_with_a_message() -> None:
    r = route(message("m1"), wait("w1", 24), message("m2"))
    assert (r.first, r.first_wait_s) == ("m1", 0)
    result = move(r, "m1", T + timedelta(seconds=3))
    assert (sent(result), result.due_at) == (["m1"], T + 24 * H)


BRANCHING = route(
    wait("w1", 1),
    {
        "type": "branch",
        "id": "b1",
        "when": {"type": "test", "field": "total_cents", "op": "ge", "value": 5_000},
        "then": [
            message("big"),
            {
                "type": "branch",
                "id": "b2",
                "when": {"type": "test", "field": "clicked", "op": "eq", "value": True},
                "then": [{"type": "exit", "id": "x"}],
            },
        ],
        "otherwise": [],
    },
    message("all"),
)


@pytest.mark.parametrize(
    ("facts", "expected", "state", "reason", "ways"),
    [
        (
            {Field.TOTAL_CENTS: 9_000, Field.CLICKED: True},
            ["big"],
            EnrolmentState.EXITED,
            Reason.EXIT_STEP,
            {"b1": "then", "b2": "then"},
        ),
        (
            {Field.TOTAL_CENTS: 9_000},
            ["big", "all"],
            EnrolmentState.DONE,
            Reason.FLOW_DONE,
            {"b1": "then", "b2": "otherwise"},
        ),
        ({Field.TOTAL_CENTS: 100}, ["all"], EnrolmentState.DONE, Reason.FLOW_DONE, {"b1": "otherwise"}),
        ({}, ["all"], EnrolmentState.DONE, Reason.FLOW_DONE, {"b1": "otherwise"}),
    ],
)
def test_branches_choose_their_way(
    facts: dict[Field, object], expected: list[str], state: EnrolmentState, reason: Reason, ways: dict[str, str]
) -> None:
    result = move(BRANCHING, "w1", T + 2 * H, facts=facts)
    assert (sent(result), result.state, result.reason, result.branches) == (expected, state, reason, ways)


def test_a_route_knows_which_facts_its_branches_ask_for() -> None:
    assert BRANCHING.branch_fields == {Field.TOTAL_CENTS, Field.CLICKED}
    assert DEFAULT.branch_fields == frozenset()
    assert BRANCHING.message_numbers == {"big": 1, "all": 2}


@pytest.mark.parametrize("step", [None, "gone"])
def test_a_step_that_no_longer_exists_ends_the_run(step: str | None) -> None:
    assert move(DEFAULT, step, T).state is EnrolmentState.DONE


@pytest.mark.parametrize("day", [datetime(2026, 3, 28, 20, 0, tzinfo=UTC), datetime(2026, 10, 24, 20, 0, tzinfo=UTC)])
def test_clocks_that_change_in_the_night_do_not_move_a_wait(day: datetime) -> None:
    """24 hours are 24 hours, on days of 23 and of 25 hours too."""
    local = day.astimezone(ZoneInfo("Europe/Berlin"))
    first = next_step(DEFAULT, "w2", abandoned_at=local, step_at=local, now=local, facts={})
    assert first.due_at is not None
    assert first.due_at.astimezone(UTC) - day == 24 * H


@pytest.mark.parametrize(
    ("state", "ordered_at", "is_erased", "expected"),
    [
        (CartState.ABANDONED, None, False, None),
        (CartState.ABANDONED, T - H, False, None),
        (CartState.ABANDONED, T, False, Reason.ORDERED),
        (CartState.ABANDONED, T + H, True, Reason.ORDERED),
        (CartState.ABANDONED, None, True, Reason.ERASED),
        (CartState.RECOVERED, None, False, Reason.ORDERED),
        (CartState.CONVERTED, None, False, Reason.ORDERED),
        (CartState.EMPTIED, None, False, Reason.EMPTIED),
        (CartState.LOST, None, False, Reason.LOST),
        (CartState.OPEN, None, False, Reason.RETURNED),
        (None, None, False, Reason.CART_CLOSED),
    ],
)
def test_why_a_run_ends(
    state: CartState | None, ordered_at: datetime | None, is_erased: bool, expected: Reason | None
) -> None:
    assert ending(state, Stage.CART, touched_at=T, ordered_at=ordered_at, is_erased=is_erased) is expected


def test_a_browse_visit_ends_by_its_cart() -> None:
    closed = ending(CartState.EMPTIED, Stage.BROWSE, touched_at=T, ordered_at=None, is_erased=False)
    assert closed is Reason.MOVED_TO_CART


_PLANS = st.lists(
    st.one_of(
        st.builds(lambda h, s: ("wait", h, s), st.integers(0, 100), st.sampled_from(["abandonment", "previous"])),
        st.just(("message", 0, "")),
    ),
    min_size=1,
    max_size=8,
)
_JUMPS = st.lists(st.integers(0, 200 * 60), min_size=1, max_size=10)


def _built(plan: list[tuple[str, int, str]]) -> Route:
    steps = [wait(f"s{n}", h, s) if kind == "wait" else message(f"s{n}") for n, (kind, h, s) in enumerate(plan)]
    return route(*steps)


@given(_PLANS, _JUMPS)
def test_whatever_the_worker_does_each_message_is_met_once_and_in_order(
    plan: list[tuple[str, int, str]], jumps: list[int]
) -> None:
    r = _built(plan)
    messages = [f"s{n}" for n, (kind, _, _) in enumerate(plan) if kind == "message"]
    met: list[str] = []
    step: str | None = r.first
    step_at, now, state = T, T, EnrolmentState.WAITING
    for jump in [*jumps, 10**6]:  # a long last jump ends every flow that has no gaps left to keep
        now += timedelta(minutes=jump)
        result = move(r, step, now, step_at)
        assert len({due.planned_at for due in result.sends}) <= 1
        assert all(due.planned_at <= now for due in (*result.sends, *result.skipped))
        met += sorted([*sent(result), *skipped(result)], key=lambda name: int(name[1:]))
        step, step_at, state = result.step, result.step_at, result.state
        if state is not EnrolmentState.WAITING:
            break
        assert result.due_at is not None
        assert result.due_at > now
    assert met == messages[: len(met)]
    if state is EnrolmentState.DONE:
        assert met == messages


@given(_PLANS)
def test_a_worker_that_is_always_on_time_skips_nothing(plan: list[tuple[str, int, str]]) -> None:
    r = _built(plan)
    step: str | None = r.first
    step_at, now = T, T + timedelta(seconds=r.first_wait_s)
    for _ in range(20):
        result = move(r, step, now, step_at)
        if result.due_at is None:
            break
        step, step_at, now = result.step, result.step_at, result.due_at
    assert result.state is EnrolmentState.DONE
