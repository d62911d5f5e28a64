"""Is a shopper's attention one budget over all flows and channels, with the losers on record?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.deliver import NEXT_OF_SHOPPER
from rekindle.engine.flows import activate_flow
from rekindle.engine.onboard import BROWSE_FLOW_KEY, FLOW_KEY
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from tests.due_sends import Person

from .days import Days
from .delivery import World, make_world
from .scene import Placed, one, put_cart, put_flow, put_shopper, put_visit, rows
from .test_default_flow import put_products

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def days(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> Days:
    return Days(link, fresh_dsn, context, clock, spread=spread)


def visit_and_cart(days: Days, *, visited_ago: timedelta) -> Placed:
    """A shopper who looked around on one device, and left a cart on another a while later."""
    put_products(days, "p1")
    activate_flow(days.connection, days.context, days.shop, BROWSE_FLOW_KEY)
    shopper = put_shopper(days.connection, days.context, days.shop, country="US")
    put_visit(days.connection, days.context, days.shop, shopper)
    days.pass_by(visited_ago)
    put_cart(days.connection, days.context, days.shop, shopper)
    return shopper


def test_a_cart_takes_the_shopper_over_from_a_visit(days: Days) -> None:
    visit_and_cart(days, visited_ago=6 * HOUR)
    days.pass_by(4 * DAY)
    assert [went.step for went in days.went()] == ["reminder-1", "reminder-2", "reminder-3"]
    browse = one(days.connection, "SELECT id FROM flows WHERE key = %s", BROWSE_FLOW_KEY)["id"]
    ended = one(days.connection, "SELECT id, state, exit_reason, due_at FROM enrolments WHERE flow_id = %s", browse)
    assert (ended["state"], ended["exit_reason"], ended["due_at"]) == ("exited", "OUTRANKED", None)
    told = one(days.connection, "SELECT enrolment_id, evidence FROM decisions WHERE reason = 'OUTRANKED'")
    assert told == {"enrolment_id": ended["id"], "evidence": {"by": FLOW_KEY}}
    entered = rows(days.connection, "SELECT evidence FROM decisions WHERE reason = 'ENROLLED' ORDER BY at")
    assert entered[1]["evidence"]["outranked"] == [browse]  # type: ignore[index]


def test_a_visit_does_not_take_the_shopper_over_from_a_cart(days: Days) -> None:
    put_products(days, "p1")
    activate_flow(days.connection, days.context, days.shop, BROWSE_FLOW_KEY)
    shopper = put_shopper(days.connection, days.context, days.shop, country="US")
    put_cart(days.connection, days.context, days.shop, shopper)
    days.pass_by(2 * HOUR)
    put_visit(days.connection, days.context, days.shop, shopper)
    days.pass_by(4 * DAY)
    assert [went.step for went in days.went()] == ["reminder-1", "reminder-2", "reminder-3"]
    assert len(rows(days.connection, "SELECT 1 FROM decisions WHERE reason = 'OTHER_FLOW_RUNNING'")) == 1


@pytest.fixture
def world(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, fresh_dsn, context, clock, spread)


def two_flows(world: World) -> tuple[Person, Person]:
    """Two messages to one shopper are due: of a flow of little weight since ten minutes, of one of more since one."""
    light = world.person("ada", due=10 * MINUTE)
    heavy = world.person("ada", step="second", due=MINUTE)
    for person, key, priority in ((light, "light", -10), (heavy, "heavy", 5)):
        flow = put_flow(world.connection, world.shop, activated_at=world.clock.now(), key=key, priority=priority)
        world.set("sends", person.send_id, flow_id=flow)
    return light, heavy


def test_the_more_important_flow_goes_first_and_the_other_is_told_and_waits_for_its_cap(world: World) -> None:
    light, heavy = two_flows(world)
    now = world.clock.now()
    tally = world.deliver(light, heavy)
    assert (tally.handed_over, tally.again) == (1, 1)
    assert world.events(heavy.send_id) == [("handed_over", None)]
    lost = one(world.connection, "SELECT outcome, retry_at, evidence FROM decisions WHERE reason = 'OUTRANKED'")
    assert (lost["outcome"], lost["retry_at"]) == ("defer", now + NEXT_OF_SHOPPER)
    evidence = lost["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["by"], evidence["winner"]) == ("priority", str(heavy.send_id))
    assert (evidence["winner_priority"], evidence["priority"]) == (5, -10)
    world.clock.advance(NEXT_OF_SHOPPER)
    world.deliver(light)
    assert world.decisions(light) == [("defer", "OUTRANKED"), ("defer", "CAP_24H")]
    assert world.outbox(light, "send_at") == (now + DAY,)
    world.clock.set(now + DAY)
    assert world.deliver(light).handed_over == 1


def test_who_may_not_go_does_not_stand_in_the_way(world: World) -> None:
    light, heavy = two_flows(world)
    world.set("carts", heavy.cart_id, order_key="o1")
    tally = world.deliver(light, heavy)
    assert (tally.handed_over, tally.skipped, tally.again) == (1, 1, 0)
    assert world.events(light.send_id) == [("handed_over", None)]
    assert world.decisions(heavy) == [("deny", "PURCHASED")]


def test_runs_through_a_flow_that_was_switched_off_weigh_as_much_as_an_ordinary_one(world: World) -> None:
    light, heavy = two_flows(world)
    world.connection.execute("UPDATE flows SET active_version_id = NULL WHERE key = 'heavy'")
    world.deliver(light, heavy)
    assert world.events(heavy.send_id) == [("handed_over", None)]
    assert world.decisions(light) == [("defer", "OUTRANKED")]
