"""On which channel is a message planned, for which of a shopper's addresses, and what comes next when it fails?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.channel_choice import MARGIN, Known, Reach, Response, choose_channel
from rekindle.policy.lawful_basis import Past, Refused, lawful_basis
from rekindle.terms.consent import ConsentKind, ConsentState
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel

from .send_facts import RULES

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EMAIL, SMS, PUSH = Channel.EMAIL, Channel.SMS, Channel.PUSH


def reach(name: str, channel: str = "email", consent: str | None = None, days: int = 0, **more: object) -> Reach:
    return Reach(channel, name, consent, T - timedelta(days=days), **more)  # type: ignore[arg-type]


def agreed(channel: Channel) -> Reach:
    return reach(channel.value, channel.value, "express", wording="w1")


def no_basis(channel: Channel, consent: ConsentState | None) -> Reason | None:
    """The law of a region in which every basis is asked for."""
    found = lawful_basis(RULES[channel], consent, Past(has_started_checkout=True), T)
    return found.reason if isinstance(found, Refused) else None


def ranked(channels: tuple[Channel, ...], known: Known, *, by_response: bool = False) -> list[tuple[Channel, str]]:
    choice = choose_channel(channels, known, no_basis, by_response=by_response)
    return [(channel, found.contact_point_id) for channel, found in choice.ranked] if choice else []


@pytest.mark.parametrize(
    ("channels", "known", "expected"),
    [
        ((EMAIL,), [], []),
        ((EMAIL,), [reach("a", "sms")], []),
        ((SMS, EMAIL), [agreed(EMAIL), agreed(SMS)], [(SMS, "sms"), (EMAIL, "email")]),
        ((SMS, EMAIL), [agreed(EMAIL)], [(EMAIL, "email")]),
        # what cannot be is passed over: no basis, no proof, a refusal, an address that takes nothing
        ((SMS, EMAIL), [agreed(EMAIL), reach("b", "sms")], [(EMAIL, "email")]),
        ((SMS, EMAIL), [agreed(EMAIL), reach("b", "sms", "soft_opt_in")], [(EMAIL, "email")]),
        ((SMS, EMAIL), [agreed(EMAIL), reach("b", "sms", "express")], [(EMAIL, "email")]),
        ((SMS, EMAIL), [agreed(EMAIL), reach("b", "sms", "withdrawn")], [(EMAIL, "email")]),
        ((EMAIL, SMS), [agreed(SMS), agreed(EMAIL)._replace(is_suppressed=True)], [(SMS, "sms")]),
        # nothing is possible: planned all the same, may_send refuses it with the reason
        ((SMS, EMAIL), [reach("a"), reach("b", "sms")], [(SMS, "b")]),
        ((EMAIL,), [reach("no", consent="withdrawn")], [(EMAIL, "no")]),
        # of one channel: an address that takes messages, the strongest consent, then the newest
        ((EMAIL,), [reach("old", days=9), reach("new", days=1)], [(EMAIL, "new")]),
        ((EMAIL,), [reach("new", days=1), reach("asked", consent="express", days=9)], [(EMAIL, "asked")]),
        ((EMAIL,), [reach("soft", consent="soft_opt_in"), reach("asked", consent="express", days=9)], [(EMAIL, "asked")]),
        ((EMAIL,), [reach("no", consent="withdrawn"), reach("old", days=99)], [(EMAIL, "old")]),
        ((EMAIL,), [reach("b"), reach("a")], [(EMAIL, "a")]),
        ((EMAIL,), [agreed(EMAIL)._replace(is_suppressed=True), reach("other")], [(EMAIL, "other")]),
    ],
)  # fmt: skip
def test_the_order_of_the_flow(
    channels: tuple[Channel, ...], known: list[Reach], expected: list[tuple[Channel, str]]
) -> None:
    assert ranked(channels, Known(known)) == expected


@pytest.mark.parametrize(
    ("wish", "responses", "expected", "chosen_by"),
    [
        (None, {}, [EMAIL, SMS, PUSH], "order"),
        (SMS, {}, [SMS, EMAIL, PUSH], "wish"),
        (SMS, {EMAIL: (9, 9)}, [SMS, EMAIL, PUSH], "wish"),
        (EMAIL, {SMS: (3, 3)}, [EMAIL, SMS, PUSH], "wish"),
        (None, {EMAIL: (6, 0), SMS: (3, 2)}, [SMS, EMAIL, PUSH], "response"),
        (None, {EMAIL: (6, 0)}, [EMAIL, SMS, PUSH], "order"),
        (None, {EMAIL: (9, 0)}, [EMAIL, SMS, PUSH], "order"),
        (None, {EMAIL: (10, 0)}, [SMS, PUSH, EMAIL], "response"),
        (None, {EMAIL: (3, 1), SMS: (2, 1)}, [EMAIL, SMS, PUSH], "order"),
        (None, {PUSH: (5, 3)}, [PUSH, EMAIL, SMS], "response"),
    ],
)
def test_wish_and_response(
    wish: Channel | None, responses: dict[Channel, tuple[int, int]], expected: list[Channel], chosen_by: str
) -> None:
    told = {channel: Response(*counts) for channel, counts in responses.items()}
    known = Known([agreed(channel) for channel in Channel], wish, told)
    choice = choose_channel((EMAIL, SMS, PUSH), known, no_basis, by_response=True)
    assert choice is not None
    assert [channel for channel, _ in choice.ranked] == expected
    assert choice.evidence["chosen_by"] == chosen_by
    in_order = choose_channel((EMAIL, SMS, PUSH), known, no_basis, by_response=False)
    assert in_order is not None
    assert [channel for channel, _ in in_order.ranked] == [EMAIL, SMS, PUSH]


def test_the_counts_are_kept_with_the_choice_and_say_what_was_in_the_way() -> None:
    known = Known([agreed(EMAIL), agreed(SMS)], None, {EMAIL: Response(6, 0), SMS: Response(3, 2)})
    choice = choose_channel((EMAIL, SMS, PUSH), known, no_basis, by_response=True)
    assert choice is not None
    assert choice.evidence == {
        "chosen_by": "response",
        "options": [
            {"channel": "email", "sent": 6, "clicked": 0, "score": 0.038},
            {"channel": "sms", "sent": 3, "clicked": 2, "score": 0.13},
            {"channel": "push", "obstacle": "NO_ADDRESS"},
        ],
    }


def test_a_wish_for_a_channel_that_cannot_be_does_not_count() -> None:
    known = Known([agreed(EMAIL), reach("b", "sms", "withdrawn")], SMS)
    assert ranked((EMAIL, SMS), known, by_response=True) == [(EMAIL, "email")]


counts = st.builds(lambda messages, clicks: Response(messages, min(messages, clicks)), st.integers(0, 60), st.integers(0, 60))  # fmt: skip


@given(
    st.permutations(list(Channel)),
    st.sets(st.sampled_from(Channel), min_size=1),
    st.none() | st.sampled_from(Channel),
    st.dictionaries(st.sampled_from(Channel), counts),
    st.booleans(),
)
def test_every_possible_channel_is_ranked_once_and_no_other(
    channels: list[Channel],
    possible: set[Channel],
    wish: Channel | None,
    responses: dict[Channel, Response],
    by_response: bool,
) -> None:
    known = Known([agreed(channel) for channel in possible], wish, responses)
    choice = choose_channel(tuple(channels), known, no_basis, by_response=by_response)
    assert choice is not None
    found = [channel for channel, _ in choice.ranked]
    assert sorted(found) == sorted(possible)
    if by_response and wish in possible:
        assert found[0] is wish
    elif by_response:  # nobody was passed by a channel that is not clearly better
        scores = {channel: responses.get(channel, Response()).score for channel in possible}
        for earlier, later in pairwise(found):
            if wish not in (earlier, later) and channels.index(earlier) > channels.index(later):
                assert scores[earlier] >= MARGIN * scores[later]


@given(counts)
def test_an_answer_never_lowers_a_score_and_silence_never_raises_it(response: Response) -> None:
    messages, clicks = response
    assert Response(messages + 1, clicks + 1).score > response.score
    assert Response(messages + 1, clicks).score < response.score
    assert 0 < response.score < 1


def test_consent_kinds_that_are_no_basis() -> None:
    for kind in (ConsentKind.PENDING, ConsentKind.WITHDRAWN):
        assert ranked((SMS, EMAIL), Known([agreed(EMAIL), reach("b", "sms", kind.value, wording="w")])) == [
            (EMAIL, "email")
        ]
