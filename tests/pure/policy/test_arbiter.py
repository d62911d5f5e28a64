"""Which of several messages to one shopper goes out, and what do the others hear?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.arbiter import Bid, arbitrate
from rekindle.terms.decision import Outcome
from rekindle.terms.reasons import Reason

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGAIN = NOW + timedelta(seconds=15)


def bid(number: int, priority: int = 0, hours_ago: float = 1) -> Bid:
    return Bid(UUID(int=number), 100 + number, priority, NOW - timedelta(hours=hours_ago))


def winner(*bids: Bid) -> UUID:
    lost = arbitrate(bids, AGAIN)
    (left,) = {one.send_id for one in bids} - lost.keys()
    return left


def test_the_more_important_flow_then_the_longest_wait() -> None:
    assert winner(bid(1)) == UUID(int=1)
    assert winner(bid(1, hours_ago=1), bid(2, hours_ago=3), bid(3, hours_ago=2)) == UUID(int=2)
    assert winner(bid(1, hours_ago=90), bid(2, priority=1)) == UUID(int=2)
    assert winner(bid(2), bid(1)) == UUID(int=1)


def test_the_losers_hear_who_won_and_why() -> None:
    lost = arbitrate([bid(1, priority=-10), bid(2), bid(3)], AGAIN)
    assert {verdict.outcome for verdict in lost.values()} == {Outcome.DEFER}
    assert {verdict.reason for verdict in lost.values()} == {Reason.OUTRANKED}
    assert {verdict.retry_at for verdict in lost.values()} == {AGAIN}
    assert lost[UUID(int=1)].evidence == {
        "by": "priority", "winner": str(UUID(int=2)), "winner_flow": 102, "winner_priority": 0, "priority": -10,
    }  # fmt: skip
    assert lost[UUID(int=3)].evidence["by"] == "planned_at"


bids = st.builds(bid, st.integers(1, 50), st.integers(-3, 3), st.sampled_from([0.0, 1.0, 2.5, 30.0]))


@given(st.lists(bids, min_size=1, max_size=8, unique_by=lambda one: one.send_id), st.randoms())
def test_exactly_one_goes_out_whatever_the_order_and_none_is_more_important(found: list[Bid], dice: object) -> None:
    lost = arbitrate(found, AGAIN)
    (best,) = [one for one in found if one.send_id not in lost]
    assert len(lost) == len(found) - 1
    assert all((-best.priority, best.planned_at) <= (-one.priority, one.planned_at) for one in found)
    shuffled = list(found)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert arbitrate(shuffled, AGAIN).keys() == lost.keys()
