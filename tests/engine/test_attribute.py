"""Is an order credited to the last click within the window, net of refunds, and again when asked?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.attribute import recompute
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.event import EventKind, ShopEvent

from ..event_factory import ordered, tell
from ..factories import make_shop
from .journey import HOURS, Journey
from .test_purchase import leave

DAYS = 24 * HOURS


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def told(journey: Journey, *events: ShopEvent) -> None:
    tell(journey.connection, journey.context, journey.shop, *events)


def clicked(journey: Journey, *hours: float) -> None:
    """Ada leaves her cart, gets a letter, and follows its link so many hours before now."""
    leave(journey, cart_key="c-1")
    journey.clock.advance(10 * DAYS)
    for hour in hours:
        journey.send_happened("clicked", journey.clock.now() - hour * HOURS)


def credits_of(journey: Journey) -> list[tuple[Any, ...]]:
    return journey.read(
        "attributions", "rule, net_cents, currency, touched_at, ordered_at, send_id IS NOT NULL, flow_id IS NOT NULL"
    )


def test_the_last_click_within_the_window_gets_the_order(journey: Journey) -> None:
    clicked(journey, 100, 30, 2)
    now = journey.clock.now()
    told(journey, ordered(at=now, cart_key="c-1", total_cents=3900))
    assert credits_of(journey) == [("last_click", 3900, "EUR", now - 2 * HOURS, now, True, True)]
    assert journey.read("carts", "state") == [("recovered",)]


@pytest.mark.parametrize(("hours", "credited"), [(119.9, 1), (120.1, 0)])
def test_the_window_is_the_shops(journey: Journey, hours: float, credited: int) -> None:
    clicked(journey, hours)
    told(journey, ordered(at=journey.clock.now(), cart_key="c-1"))
    assert len(credits_of(journey)) == credited


def test_without_a_click_nobody_is_credited(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    journey.send_happened("handed_over", journey.clock.now())
    journey.send_happened("opened", journey.clock.now())
    told(journey, ordered(at=journey.clock.now() + HOURS, cart_key="c-1"))
    assert credits_of(journey) == []
    assert journey.read("carts", "state") == [("recovered",)]


def test_refunds_and_cancellation_take_back_what_was_credited(journey: Journey) -> None:
    clicked(journey, 2)
    now = journey.clock.now()
    told(journey, ordered(at=now, cart_key="c-1", total_cents=3900))
    told(journey, ordered(kind=EventKind.ORDER_REFUNDED, at=now + HOURS, total_cents=0, refunded_cents=900))
    assert [row[1] for row in credits_of(journey)] == [3000]
    told(journey, ordered(kind=EventKind.ORDER_CANCELLED, at=now + HOURS))
    assert credits_of(journey) == []


def test_a_refund_that_arrives_first_is_taken_off(journey: Journey) -> None:
    clicked(journey, 2)
    now = journey.clock.now()
    told(journey, ordered(kind=EventKind.ORDER_REFUNDED, at=now + HOURS, total_cents=0, refunded_cents=900))
    assert credits_of(journey) == []
    told(journey, ordered(at=now, cart_key="c-1", total_cents=3900))
    assert [row[1] for row in credits_of(journey)] == [3000]


def test_an_order_under_another_address_finds_the_click_over_the_cart(journey: Journey) -> None:
    clicked(journey, 2)
    told(journey, ordered(at=journey.clock.now(), cart_key="c-1", visitor_key="a:other", email="other@example.com"))
    assert len(credits_of(journey)) == 1


def test_a_changed_window_is_applied_to_the_past_and_back(journey: Journey) -> None:
    clicked(journey, 60)
    told(journey, ordered(at=journey.clock.now(), cart_key="c-1"))
    before = credits_of(journey)
    since, until = journey.clock.now() - DAYS, journey.clock.now() + DAYS
    short = replace(journey.shop, attribution_click_days=1.0)
    assert recompute(journey.connection, journey.context, short, since, until) == 1
    assert credits_of(journey) == []
    assert recompute(journey.connection, journey.context, journey.shop, since, until) == 1
    assert recompute(journey.connection, journey.context, journey.shop, since, until) == 1
    assert credits_of(journey) == before
    assert recompute(journey.connection, journey.context, short, until, until + timedelta(days=1)) == 0
    assert credits_of(journey) == before
