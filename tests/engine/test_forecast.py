"""Does a forecast say what `deliver` will decide? Asked about the same carts, with the same facts of the moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.forecast_cart import forecast_cart
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import buckets_of
from rekindle.store.dashboard.cart import load_cart, load_enrolments
from rekindle.store.database import Connection
from tests.due_sends import Person

from .delivery import World, make_world

HOUR = timedelta(hours=1)
VARIANTS: dict[str, dict[str, object]] = {
    "allowed": {},
    "no-consent": {"consent": None},
    "unprovable": {"wording": ""},
    "unconfirmed": {"country": "DE"},
    "withdrawn": {"consent": "withdrawn"},
    "suppressed": {"suppressed": True},
    "out": {"opted_out": HOUR},
    "ordered": {"order_key": "o1"},
    "bought": {"last_order": 3 * HOUR},
    "back": {"touched": HOUR},
    "held-out": {"arm": "holdout"},
    "function": {"address": "abuse@shopper.example"},
    "young": {"abandoned": HOUR / 60, "touched": 2 * HOUR},
    "old": {"abandoned": 20 * 24 * HOUR, "touched": 21 * 24 * HOUR},
}


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, shared_dsn, context, clock, spread)


def test_the_forecast_is_the_decision(world: World) -> None:
    people = {name: world.person(name, **changes) for name, changes in VARIANTS.items()}
    told = {name: _forecast(world, person) for name, person in people.items()}
    while world.deliver(*people.values()).claimed:
        pass
    decided = {name: world.decisions(person)[0] for name, person in people.items()}
    assert told == decided
    assert len(set(told.values())) >= 10


def _forecast(world: World, person: Person) -> tuple[str, str]:
    cart = load_cart(world.connection, bucket=person.cart_bucket, shop_id=world.shop.id, cart_id=person.cart_id)
    assert cart is not None
    runs = load_enrolments(world.connection, cart, buckets_of(world.shop))
    (one,) = forecast_cart(world.connection, world.shop, cart, runs[-1], world.clock.now())
    return one.now.outcome.value, one.now.reason.value
