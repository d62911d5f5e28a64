"""Deliver due sends over HTTP to stand-ins of the seven e-mail APIs: what each is told, and what its answers become."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.batch import PACE, Tally
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.settle import Settled, Settler
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from tests.due_sends import Person, add_account
from tests.providers.apis import APIS, Account
from tests.providers.http_server import RESET, Got, Reply

from .api_delivery import over
from .delivery import World, make_world


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    return made


def settle(world: World, *people: Person) -> Settled:
    async def work(worker: Deliverer) -> Settled:
        return await Settler(world.context, worker.routes).settle(
            await worker.line.get(), sorted({p.bucket for p in people})
        )

    return world.with_worker(work)


# --- every provider


@pytest.mark.parametrize("kind", sorted(APIS))
def test_each_api_takes_a_letter_and_names_it(world: World, kind: str) -> None:
    api = Account(APIS[kind])
    deliver = over(world, kind, otherwise=api.answer)
    ada, bob = world.person("ada"), world.person("bob")
    assert deliver(ada, bob).handed_over == 2
    assert sorted(one.rpartition("<")[2].rstrip(">") for one in api.arrived) == [
        "ada@shopper.example",
        "bob@shopper.example",
    ]
    assert world.state(ada) == world.state(bob) == "handed_over"
    wire = b"".join(got.body for got in deliver.got)
    for person in (ada, bob):
        reference = f"{person.bucket}-{person.send_id}".encode()
        assert reference in wire or kind == "mailgun", "the reference comes back with every report"
    keys = world.connection.execute("SELECT provider_key FROM send_events WHERE kind = 'handed_over'").fetchall()
    assert all(key for (key,) in keys), "never called sent without the provider's own name for it"


@pytest.mark.parametrize("kind", sorted(set(APIS) - {"ses", "mailgun"}))
def test_letters_in_pieces_can_be_unsubscribed_with_one_click(world: World, kind: str) -> None:
    deliver = over(world, kind, otherwise=Account(APIS[kind]).answer)
    deliver(world.person("ada"))
    (got,) = deliver.got
    text = json.dumps(got.json)
    assert "List-Unsubscribe=One-Click" in text
    assert "https://rekindle.example/u/" in text
    assert "Rain jacket" in text


@pytest.mark.parametrize("kind", sorted(APIS))
def test_an_address_that_the_api_refuses_is_suppressed_and_the_next_goes_on(world: World, kind: str) -> None:
    deliver = over(world, kind, otherwise=Account(APIS[kind]).answer)
    gone, bob = world.person("gone", address="bounce@example.com"), world.person("bob")
    tally = deliver(gone, bob)
    assert tally.handed_over == 1
    assert tally.failed == 1
    kinds = {kind for kind, _ in world.events(gone.send_id)}
    assert kinds <= {"bounced", "failed"}
    assert world.state(bob) == "handed_over"


@pytest.mark.parametrize("kind", sorted(APIS))
def test_an_error_that_the_api_explains_uses_up_an_attempt_and_waits(world: World, kind: str) -> None:
    deliver = over(world, kind, otherwise=Account(APIS[kind]).answer)
    ada = world.person("ada", address="later@example.com")
    assert deliver(ada).again == 1
    assert world.outbox(ada, "state", "attempts") == ("scheduled", 1)


# --- a stop that the shopper told the provider


def test_an_opt_out_that_only_the_provider_knows_becomes_one_of_ours(world: World) -> None:
    def answer(got: Got) -> Reply:
        return Reply.of(200, [{"email": "x", "status": "rejected", "reject_reason": "unsub", "_id": "u"}])

    ada = world.person("ada")
    assert over(world, "mandrill", otherwise=answer)(ada).failed == 1
    consent = world.connection.execute("SELECT consent FROM contact_points WHERE id = %s", [ada.contact_id]).fetchone()
    reason = world.connection.execute(
        "SELECT reason, source FROM suppressions WHERE address_hash = %s", [ada.address_hash]
    ).fetchone()
    assert consent == ("withdrawn",)
    assert reason is not None
    assert reason[0] == "unsubscribed"
    assert reason[1].startswith("provider account")


# --- repeating a key


class Remembering:
    """A provider that answers a repeated key without a second delivery: as Resend for a day."""

    def __init__(self) -> None:
        self.delivered: dict[str, bytes] = {}
        self.calls: list[tuple[str, bytes]] = []
        self.lose = 0  #: so many answers are lost after the letter was taken
        self.drop = 0  #: so many requests are lost before it was

    def answer(self, got: Got) -> Reply:
        key = got.headers["idempotency-key"]
        self.calls.append((key, got.body))
        if self.drop:
            self.drop -= 1
            return RESET
        if key in self.delivered and self.delivered[key] != got.body:
            return Reply.of(409, {"name": "invalid_idempotent_request", "message": "another body", "statusCode": 409})
        self.delivered.setdefault(key, got.body)
        if self.lose:
            self.lose -= 1
            return RESET
        return Reply.of(200, {"id": f"re-{key}"})


@pytest.mark.parametrize("taken", [True, False], ids=["answer lost", "request lost"])
def test_a_doubt_is_repeated_with_the_same_key_and_the_same_bytes(world: World, taken: bool) -> None:
    there = Remembering()
    there.lose, there.drop = (1, 0) if taken else (0, 1)
    deliver = over(world, "resend", otherwise=there.answer)
    ada = world.person("ada")
    assert deliver(ada).uncertain == 1
    world.clock.advance(PACE.settle_time + timedelta(hours=3))  # another date, another minute
    assert settle(world, ada).to_send == 1
    assert deliver(ada).handed_over == 1
    (first, second) = there.calls
    assert first == second, "the key and every byte of the body"
    assert len(there.delivered) == 1
    assert world.state(ada) == "uncertain+handed_over"


def test_a_message_that_changed_meanwhile_is_not_repeated_but_shown(world: World) -> None:
    there = Remembering()
    there.lose = 1
    deliver = over(world, "resend", otherwise=there.answer)
    ada = world.person("ada")
    deliver(ada)
    world.connection.execute(
        "UPDATE shops SET name = 'Another name', sender_name = 'Another name' WHERE id = %s", [world.shop.id]
    )
    world.clock.advance(PACE.settle_time)
    assert settle(world, ada).to_send == 1
    assert deliver(ada) == Tally(claimed=1, uncertain=1)
    assert len(there.calls) == 1
    assert world.events(ada.send_id)[-1] == ("uncertain", "NOT_REPEATABLE")
    world.clock.advance(PACE.settle_time * 2)
    assert settle(world, ada) == Settled(), "from here on only a person decides"


def test_a_key_that_the_provider_may_have_forgotten_is_not_repeated(world: World) -> None:
    there = Remembering()
    there.lose = 1
    deliver = over(world, "resend", otherwise=there.answer)
    ada = world.person("ada")
    deliver(ada)
    world.clock.advance(timedelta(hours=23, minutes=59))
    assert settle(world, ada).to_send == 1
    world.clock.advance(timedelta(minutes=1))  # the worker was slow
    assert deliver(ada).uncertain == 1
    assert len(there.calls) == 1
    world.clock.advance(timedelta(hours=1))
    assert settle(world, ada) == Settled()


def test_a_doubt_about_somebody_who_bought_meanwhile_ends_as_failed_and_counts(world: World) -> None:
    there = Remembering()
    there.lose = 1
    deliver = over(world, "resend", otherwise=there.answer)
    ada = world.person("ada")
    deliver(ada)
    world.clock.advance(PACE.settle_time)
    settle(world, ada)
    world.set("shoppers", ada.shopper_id, last_order_at=world.clock.now(), order_count=1)
    deliver(ada)
    assert len(there.calls) == 1
    assert world.events(ada.send_id)[-1] == ("failed", "PURCHASED")


def test_the_lifetime_counts_from_the_first_try_however_often_it_is_repeated(world: World) -> None:
    there = Remembering()
    there.drop = 10
    deliver = over(world, "resend", otherwise=there.answer)
    ada = world.person("ada")
    began = world.clock.now()
    deliver(ada)
    repeats = 0
    while world.clock.now() - began < timedelta(days=2):
        world.clock.advance(timedelta(hours=7))
        if settle(world, ada).to_send:
            deliver(ada)
            repeats += 1
    assert repeats == 3, "after 7, 14 and 21 hours; 28 is too late"
    assert set(there.calls) == {there.calls[0]}


def test_smtp_never_pays_for_keys(world: World) -> None:
    """The usual path writes neither digests nor pieces."""
    fake = world.provider
    world.connection.execute("DELETE FROM provider_accounts")
    add_account(world.connection, world.shop, kind="fake")
    ada = world.person("ada")
    fake.hold = True
    assert fake.capabilities.idempotency_ttl_s is None

    async def work(worker: Deliverer) -> Any:
        task = asyncio.ensure_future(worker.deliver_batch(ada.bucket))
        while not fake.started:
            await asyncio.sleep(0.01)
        row = world.outbox(ada, "state", "first_try_at", "letter_hash")
        fake.hold = False
        fake.release()
        await task
        return row

    assert world.with_worker(work) == ("sending", None, None)
    assert fake.started[0].parts is None
