"""Does an order end the same, however its events arrive?"""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from rekindle.policy.order_fold import OrderDraft, OrderState, apply_order_event, begin
from rekindle.terms.event import EventKind, ShopEvent

from ..conftest import START
from ..event_factory import item, ordered

COMPLETED, UPDATED = EventKind.ORDER_COMPLETED, EventKind.ORDER_UPDATED
REFUNDED, CANCELLED = EventKind.ORDER_REFUNDED, EventKind.ORDER_CANCELLED


def order_after(*events: ShopEvent) -> OrderDraft:
    draft = begin(7, UUID(int=1), events[0])
    for one in events:
        apply_order_event(draft, one, one.message_key)
    return draft


def told(draft: OrderDraft) -> tuple[Any, ...]:
    return (
        draft.state, draft.total_cents, draft.refunded_cents, draft.net_cents, draft.ordered_at, draft.currency,
        draft.coupons, draft.items, draft.facts,
    )  # fmt: skip


def test_a_completed_order_is_placed_with_its_total() -> None:
    draft = order_after(ordered(total_cents=3900, items=(item("mug", 2),), minute=3))
    assert (draft.state, draft.total_cents, draft.net_cents, draft.counts) == (OrderState.PLACED, 3900, 3900, True)
    assert draft.ordered_at == START + timedelta(minutes=3)


STORIES = {
    "cancelled": ([ordered(minute=1), ordered(kind=CANCELLED, minute=9, total_cents=0)], OrderState.CANCELLED, 0),
    "updated": ([ordered(minute=1), ordered(total_cents=900, kind=UPDATED, minute=5)], OrderState.PLACED, 900),
    "refunded in parts": (
        [
            ordered(minute=1),
            ordered(kind=REFUNDED, total_cents=0, refunded_cents=500, minute=7),
            ordered(kind=REFUNDED, total_cents=0, refunded_cents=450, minute=8),
        ],
        OrderState.PLACED,
        1000,
    ),
    "refunded wholly": (
        [ordered(minute=1), ordered(kind=REFUNDED, total_cents=0, facts={"full_refund": True}, minute=7)],
        OrderState.REFUNDED,
        0,
    ),
    "refunded more than paid": (
        [ordered(minute=1), ordered(kind=REFUNDED, total_cents=0, refunded_cents=9999, minute=7)],
        OrderState.REFUNDED,
        0,
    ),
    "updated, refunded and cancelled": (
        [
            ordered(minute=1),
            ordered(kind=UPDATED, total_cents=1500, minute=2, items=(item("cup"),)),
            ordered(kind=REFUNDED, total_cents=0, refunded_cents=500, minute=7),
            ordered(kind=CANCELLED, total_cents=0, minute=9),
        ],
        OrderState.CANCELLED,
        0,
    ),
    "updates that tell refunds so far": (
        [
            ordered(minute=1),
            ordered(kind=UPDATED, refunded_cents=300, minute=2),
            ordered(kind=UPDATED, refunded_cents=700, minute=3),
        ],
        OrderState.PLACED,
        1250,
    ),
}


@pytest.mark.parametrize("name", list(STORIES))
def test_every_order_of_events_ends_the_same_and_repeats_change_nothing(name: str) -> None:
    story, state, net_cents = STORIES[name]
    first = order_after(*story)
    assert (first.state, first.net_cents) == (state, net_cents)
    for order in permutations(story):
        assert told(order_after(*order)) == told(first)
        assert told(order_after(*order, *order)) == told(first)


def test_a_cancellation_alone_is_no_purchase() -> None:
    draft = order_after(ordered(kind=CANCELLED, total_cents=1950))
    assert (draft.is_purchase, draft.counts, draft.net_cents) == (False, False, 0)


def test_an_update_whose_completion_was_lost_is_one() -> None:
    draft = order_after(ordered(kind=UPDATED, minute=4))
    assert (draft.is_purchase, draft.ordered_at) == (True, START + timedelta(minutes=4))
