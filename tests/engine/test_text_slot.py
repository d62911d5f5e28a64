"""Does a cart get one text message in 48 hours by any way there is, though nothing but a key of the database objects?

The caps of ``may_send`` are taken away here, as a mistake in them would do; what they do is in test_caps and test_law.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.doubt import Choice, Decision, decide
from rekindle.engine.text_slot import forget_text_slots
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.providers.base import NotStarted, Outcome, Pause
from rekindle.providers.sandbox import Sandbox
from rekindle.store import settle as store
from rekindle.store.database import Connection
from tests.due_sends import Person, publish_template

from .delivery import World, make_world

HOUR = timedelta(hours=1)


class Gateway(Sandbox):
    """Takes every message, or puts the next one off."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.is_busy = False

    def _start(self, message: Any) -> asyncio.Future[Outcome]:
        if not self.is_busy:
            self.taken.append(message.send_id)
            return super()._start(message)
        self.is_busy = False
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        future.set_result(NotStarted("busy", "later", Pause.NONE, 60.0))
        return future


@pytest.fixture
def gateway(world: World) -> Gateway:
    gateway = world.providers["fake"] = Gateway()
    return gateway


@pytest.fixture
def world(
    link: Connection,
    shared_dsn: str,
    context: Context,
    clock: MovableClock,
    spread: int,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    clock.advance(2 * HOUR)  # 11:00 UTC: every window in Europe is open
    made = make_world(link, shared_dsn, context, clock, spread)
    link.execute("UPDATE provider_accounts SET channel = 'sms' WHERE id = %s", [made.account_id])
    made.template_version_id = publish_template(link, made.shop, clock.now(), channel="sms")
    monkeypatch.setattr("rekindle.policy.may_send.cart_cap", lambda *_: None)
    monkeypatch.setattr("rekindle.policy.may_send.rolling_caps", lambda *_: [])
    return made


def text_to(world: World, name: str = "ada", **changes: Any) -> Person:
    return world.person(name, channel="sms", address="+436641234567", **changes)


def another(world: World, first: Person, **changes: object) -> Person:
    """One more text message to the same shopper about the same cart, put into the outbox beside all rules."""
    seed = new_seed()
    new_id = timed_id(world.clock.now(), f"{first.send_id}:{changes}".encode())
    made = store.copy_send(
        world.connection,
        first.bucket,
        first.send_id,
        new_id,
        now=world.clock.now(),
        link_hash=hash_of(secret_of(seed, Purpose.LINK)),
        optout_hash=hash_of(secret_of(seed, Purpose.OPTOUT)),
        seed=seed,
    )
    assert made
    for column, value in changes.items():
        world.set("sends", new_id, **{column: value})
    again = Person("again", world.shop, channel="sms")
    again.bucket, again.send_id, again.cart_id = first.bucket, new_id, first.cart_id
    return again


def second_message_of_the_flow(world: World, first: Person) -> Person:
    return another(world, first, step="second")


def second_flow(world: World, first: Person) -> Person:
    return another(world, first, flow_id=77, flow_version_id=77)


def arm_of_an_experiment(world: World, first: Person) -> Person:
    return another(world, first, template_version_id=publish_template(world.connection, world.shop, world.clock.now(), channel="sms"))  # fmt: skip


def resent_by_hand(world: World, first: Person) -> Person:
    """As an operator does who takes a message for lost that was not."""
    world.connection.execute(
        "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed, uncertain_at)"
        " SELECT bucket, id, shop_id, shopper_id, enrolment_id, channel, 'uncertain', created_at, 0, '', created_at FROM sends"
        " WHERE id = %s",
        [first.send_id],
    )
    choice = Decision(shop=world.shop, bucket=first.bucket, send_id=first.send_id, choice=Choice.SEND_AGAIN, by="ada")
    new_id = decide(world.connection, world.context, choice)
    assert new_id is not None
    again = Person("again", world.shop, channel="sms")
    again.bucket, again.send_id, again.cart_id = first.bucket, new_id, first.cart_id
    return again


def sent_by_the_api(world: World, first: Person) -> Person:
    """Whatever a program puts into the outbox comes to the same door."""
    return another(world, first)


@pytest.mark.parametrize(
    "way",
    [second_message_of_the_flow, second_flow, arm_of_an_experiment, resent_by_hand, sent_by_the_api],
    ids=lambda way: way.__name__,
)
def test_no_way_leads_to_a_second_text_about_a_cart(
    world: World, gateway: Gateway, way: Callable[[World, Person], Person]
) -> None:
    first = text_to(world)
    assert world.deliver(first).handed_over == 1
    for pause in (HOUR, 46 * HOUR + timedelta(minutes=58)):
        world.clock.advance(pause)
        world.set("enrolments", first.enrolment_id, abandoned_at=world.clock.now() - HOUR)
        world.set("carts", first.cart_id, touched_at=world.clock.now() - 2 * HOUR)
        again = way(world, first)
        assert world.deliver(again).skipped == 1
        assert ("skipped", "CART_CAP") in world.events(again.send_id)
        assert world.decisions(again)[-1] == ("deny", "CART_CAP")
        world.connection.execute("DELETE FROM sends WHERE id = %s", [again.send_id])
    assert len(gateway.taken) == 1


def test_the_key_itself_refuses_a_second_holder(world: World, gateway: Gateway) -> None:
    first = text_to(world)
    world.deliver(first)
    with pytest.raises(psycopg.errors.UniqueViolation):
        world.connection.execute(
            "INSERT INTO text_slots (bucket, shop_id, cart_id, send_id, until_at) VALUES (%s, %s, %s, %s, %s)",
            [first.bucket, world.shop.id, first.cart_id, first.enrolment_id, world.clock.now()],
        )


def test_the_place_is_free_after_48_hours_and_for_the_same_message_at_once(world: World, gateway: Gateway) -> None:
    first = text_to(world)
    gateway.is_busy = True
    world.deliver(first)
    assert world.state(first) == "scheduled"
    world.clock.advance(timedelta(minutes=2))
    assert world.deliver(first).handed_over == 1, "a message that was put off holds the place of its cart"
    world.clock.advance(48 * HOUR)
    assert forget_text_slots(world.connection, world.context) >= 1
    world.set("enrolments", first.enrolment_id, abandoned_at=world.clock.now() - HOUR)
    world.set("carts", first.cart_id, touched_at=world.clock.now() - 2 * HOUR)
    assert world.deliver(another(world, first)).handed_over == 1


def test_where_the_law_allows_two_no_place_is_asked_for(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rekindle.engine.text_slot._needs_slot", lambda one: False)
    first = text_to(world)
    world.deliver(first)
    world.clock.advance(HOUR)
    assert world.deliver(another(world, first)).handed_over == 1, "this is what the place prevents"


def test_of_two_workers_at_one_instant_one_gets_the_place(world: World, gateway: Gateway) -> None:
    first = text_to(world)
    second = another(world, first, step="second")
    world.clock.advance(timedelta(minutes=1))

    async def both(worker: Deliverer) -> int:
        other = Deliverer(type(worker.line)(world.dsn), world.connection, world.context, worker.books, world.make)
        try:
            tallies = await asyncio.gather(worker.deliver_batch(first.bucket), other.deliver_batch(first.bucket))
        finally:
            await other.close()
        return sum(tally.handed_over for tally in tallies)

    handed_over = world.with_worker(both)
    while world.state(first) == "scheduled" or world.state(second) == "scheduled":
        world.clock.advance(timedelta(minutes=1))
        handed_over += world.deliver(first).handed_over
    assert handed_over == 1
    assert sorted(len(world.events(one.send_id)) for one in (first, second)) == [1, 1]
