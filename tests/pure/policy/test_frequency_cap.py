"""Do caps hold in every window, and does everything that they put off come to an end?

Shoppers' days are played through on the policy alone: messages become due, are asked for, put off, and asked for again
at the instant that the answer named. Table tests of single verdicts lie in test_may_send.py.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rekindle.policy.frequency_cap import DAY, WEEK, rolling_caps
from rekindle.policy.may_send import may_send
from rekindle.terms.decision import Outcome, Verdict
from rekindle.terms.limits import HOUSE_LIMITS, ChannelCaps, SendLimits
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_facts import PriorSend, SendFacts

from .send_facts import NOW, allowed

HOUR = timedelta(hours=1)


class Planned(NamedTuple):
    """A message of one of a few runs. ``run``: which; its cart was left ``left_h`` hours after NOW."""

    run: int
    left_h: float
    due_h: float
    channel: Channel


class Outcomes(NamedTuple):
    sent: list[PriorSend]
    ended: dict[int, Reason]
    deferred: list[Verdict]


caps = st.builds(
    ChannelCaps, email=st.integers(0, 3), sms=st.integers(0, 2), push=st.integers(0, 2), all=st.integers(0, 4)
)
limits = st.just(HOUSE_LIMITS) | st.builds(
    SendLimits, per_24h=caps, per_7d=caps, channel_gap_s=st.sampled_from([0, 600, 3_600, 30_000])
)
hours = st.floats(0, 200, width=32)
plans = st.lists(
    st.builds(
        lambda run, left, due, channel: Planned(run, left, left + due, channel),
        st.integers(1, 3),
        st.sampled_from([0.0, 20.0, 90.0]),
        hours,
        st.sampled_from(Channel),
    ),
    max_size=12,
)


def facts_at(planned: Planned, sent: Sequence[PriorSend], own: SendLimits, at: timedelta) -> SendFacts:
    base = allowed(
        enrolment__abandoned_at=NOW + planned.left_h * HOUR, cart__touched_at=NOW + planned.left_h * HOUR - HOUR
    )
    return replace(
        base,
        now=NOW + at,
        channel=planned.channel,
        cart_id=UUID(int=planned.run),
        enrolment_id=UUID(int=100 + planned.run),
        planned_at=NOW + planned.due_h * HOUR,
        limits=own,
        history=tuple(sent),
    )


def play(planned: Sequence[Planned], own: SendLimits) -> Outcomes:
    """Ask for each message when it is due, and again at the instant that each answer names."""
    waiting = [(one.due_h * HOUR, number) for number, one in enumerate(planned)]
    heapq.heapify(waiting)
    out = Outcomes([], {}, [])
    asked = 0
    while waiting:
        at, number = heapq.heappop(waiting)
        asked += 1
        assert asked < 500, "a message is put off for ever"
        facts = facts_at(planned[number], out.sent, own, at)
        verdict = may_send(facts)
        if verdict.outcome is Outcome.DEFER:
            assert verdict.retry_at is not None
            assert verdict.retry_at > facts.now
            out.deferred.append(verdict)
            heapq.heappush(waiting, (verdict.retry_at - NOW, number))
            continue
        out.ended[number] = verdict.reason
        if verdict.allowed:
            out.sent.append(
                PriorSend(
                    channel=facts.channel,
                    cart_id=facts.cart_id,
                    enrolment_id=facts.enrolment_id,
                    planned_at=facts.planned_at,
                    at=facts.now,
                )
            )
    return out


@given(plans, limits)
def test_no_window_ever_holds_more_than_its_cap(planned: list[Planned], own: SendLimits) -> None:
    sent = play(planned, own).sent
    for window, caps in ((DAY, own.per_24h), (WEEK, own.per_7d)):
        for first in sent:
            held = [one for one in sent if first.at <= one.at < first.at + window]
            assert len(held) <= caps.all
            for channel in Channel:
                assert sum(1 for one in held if one.channel is channel) <= caps.of(channel)


@given(plans, limits)
def test_whatever_is_put_off_ends_in_a_send_or_a_reason(planned: list[Planned], own: SendLimits) -> None:
    outcomes = play(planned, own)
    assert sorted(outcomes.ended) == list(range(len(planned)))
    assert len(outcomes.sent) == sum(1 for reason in outcomes.ended.values() if reason is Reason.ALLOWED)


@given(plans, limits)
def test_no_two_messages_of_a_run_go_out_that_were_both_due_before_the_first_of_them(
    planned: list[Planned], own: SendLimits
) -> None:
    sent = play(planned, own).sent
    for one in sent:
        for other in sent:
            same = one.enrolment_id == other.enrolment_id and one.channel is other.channel
            if same and one.planned_at < other.planned_at:
                assert one.at < other.planned_at or other.at < one.planned_at


@given(plans, limits, st.sampled_from(Channel), hours)
def test_nothing_is_in_the_way_at_the_instant_that_is_named_and_something_is_just_before(
    planned: list[Planned], own: SendLimits, channel: Channel, at_h: float
) -> None:
    now = NOW + at_h * HOUR
    sent = [one for one in play(planned, own).sent if one.at <= now]
    waits = rolling_caps(sent, channel, now, own)
    openings = [wait.until for wait in waits if wait.until is not None]
    if openings and len(openings) == len(waits):
        opens_at = max(openings)
        assert rolling_caps(sent, channel, opens_at, own) == []
        assert rolling_caps(sent, channel, opens_at - timedelta(microseconds=1), own) != []
