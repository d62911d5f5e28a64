"""What happens between the decision and the call: each stop ends the send with its reason, and nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.batch import PACE
from rekindle.engine.deliver import Deliverer
from rekindle.engine.outcome import ASK_ANEW
from rekindle.providers.base import Letter, Outcome
from rekindle.providers.fake import FakeProvider
from rekindle.store import outbox
from tests.due_sends import Person

from .delivery import World

SECOND = timedelta(seconds=1)


def before_the_second_lock(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
    """Let something happen after `sending` was committed and before the shoppers are locked."""
    really = outbox.lock_and_look

    async def later(*args: Any, **kwargs: Any) -> Any:
        happen()
        return await really(*args, **kwargs)

    monkeypatch.setattr(outbox, "lock_and_look", later)


def suppress(world: World, person: Person) -> None:
    world.connection.execute(
        "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
        " VALUES (%s, %s, 'email', %s, 'complaint', %s, 'test')",
        [person.bucket, world.shop.id, person.address_hash, world.clock.now()],
    )


STOPS: list[tuple[str, Callable[[World, Person], None]]] = [
    ("PURCHASED", lambda w, p: w.set("shoppers", p.shopper_id, last_order_at=w.clock.now(), order_count=1)),
    ("PURCHASED", lambda w, p: w.set("shoppers", p.shopper_id, last_order_at=w.clock.now() - timedelta(days=9), order_count=1)),
    ("PURCHASED", lambda w, p: w.set("enrolments", p.enrolment_id, state="exited", exit_reason="ORDERED")),
    ("CART_CLOSED", lambda w, p: w.set("enrolments", p.enrolment_id, state="exited", exit_reason="RETURNED")),
    ("OPTED_OUT", lambda w, p: w.set("shoppers", p.shopper_id, opted_out_at=w.clock.now())),
    ("OPTED_OUT", lambda w, p: w.set("contact_points", p.contact_id, consent="withdrawn")),
    ("ERASED", lambda w, p: w.set("shoppers", p.shopper_id, erased_at=w.clock.now())),
    ("SUPPRESSED", suppress),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "happen"), STOPS, ids=[f"{n}-{reason}" for n, (reason, _) in enumerate(STOPS)])
def test_what_happens_before_the_call_stops_it_and_only_it(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: str, happen: Callable[[World, Person], None]
) -> None:
    ada, bob = world.person("ada"), world.person("bob")
    before_the_second_lock(monkeypatch, lambda: world.state(ada) == "sending" and happen(world, ada))
    tally = world.deliver(ada, bob)
    assert (tally.skipped, tally.handed_over) == (1, 1)
    assert [letter.recipient for letter in world.provider.started] == [bob.to]
    assert world.events(ada.send_id) == [("skipped", reason)]
    assert world.outbox(ada, "1") is None
    assert world.decisions(ada) == [("allow", "ALLOWED"), ("deny", reason)]


def test_another_message_on_its_way_sends_it_back_to_be_decided_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = world.person("ada")
    other = world.person("ada", step="second", due=timedelta(minutes=-30))

    def happen() -> None:
        world.set("outbox", other.send_id, state="sending", lease_until=world.clock.now() + PACE.sending_lease)

    before_the_second_lock(monkeypatch, happen)
    assert world.deliver(ada).again == 1
    assert world.outbox(ada, "state", "send_at", "attempts") == ("scheduled", world.clock.now() + ASK_ANEW, 0)
    assert world.provider.started == []


def test_a_message_that_went_out_meanwhile_counts_for_the_caps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.person("ada")
    other = world.person("ada", step="second", due=timedelta(minutes=-30))

    def happen() -> None:
        if world.state(ada) == "sending" and not world.events(other.send_id):
            row = outbox.SendEventRow(id=other.send_id, shop_id=world.shop.id, send_id=other.send_id, shopper_id=ada.shopper_id, kind="handed_over", at=world.clock.now())  # fmt: skip
            world.connection.execute(
                "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, '{}')",
                [ada.bucket, fresh(world), row.shop_id, row.send_id, row.shopper_id, row.kind, row.at],
            )

    def fresh(world: World) -> object:
        from rekindle.lib.ids import fresh_timed_id

        return fresh_timed_id(world.clock.now())

    before_the_second_lock(monkeypatch, happen)
    assert world.deliver(ada).again == 1
    world.clock.advance(ASK_ANEW)
    assert world.deliver(ada).again == 1
    assert world.decisions(ada)[-1] == ("defer", "CAP_24H")


def test_a_cancelled_row_is_not_marked_and_not_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = world.person("ada"), world.person("bob")
    really = outbox.mark_sending

    async def order_first(*args: Any, **kwargs: Any) -> Any:
        world.connection.execute("DELETE FROM outbox WHERE id = %s", [ada.send_id])
        return await really(*args, **kwargs)

    monkeypatch.setattr(outbox, "mark_sending", order_first)
    tally = world.deliver(ada, bob)
    assert tally.handed_over == 1
    assert [letter.recipient for letter in world.provider.started] == [bob.to]


def test_a_lease_that_ran_out_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.person("ada")
    before_the_second_lock(monkeypatch, lambda: world.clock.advance(PACE.sending_lease))
    tally = world.deliver(ada)
    assert (tally.handed_over, world.provider.started) == (0, [])
    assert world.state(ada) == "sending"  # its rescue is settle's


def test_a_claim_that_ran_out_is_given_back(world: World) -> None:
    ada = world.person("ada")

    class Slow(FakeProvider):
        async def prepare(self, width: int) -> int:
            world.clock.advance(PACE.claim_lease)
            return await super().prepare(width)

    world.provider = Slow()
    assert world.deliver(ada).handed_over == 0
    assert world.provider.started == []
    assert world.state(ada) == "claimed"  # its rescue is settle's


def test_a_taken_over_row_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = world.person("ada")

    def another_worker() -> None:
        world.set("outbox", ada.send_id, lease_until=world.clock.now() + timedelta(hours=1))

    before_the_second_lock(monkeypatch, another_worker)
    assert world.deliver(ada).handed_over == 0
    assert world.provider.started == []
    assert world.outbox(ada, "state", "lease_until") == ("sending", world.clock.now() + timedelta(hours=1))


def test_the_call_starts_while_the_shoppers_row_is_locked_and_not_later(world: World) -> None:
    ada = world.person("ada")
    locked: list[bool] = []

    class Watching(FakeProvider):
        def start(self, letters: Any) -> list[asyncio.Future[Outcome]]:
            locked.append(self.is_locked())
            return super().start(letters)

        def is_locked(self) -> bool:
            row = world.connection.execute(
                "SELECT id FROM shoppers WHERE id = %s FOR UPDATE SKIP LOCKED", [ada.shopper_id]
            )
            return row.fetchone() is None

    world.provider = watching = Watching()
    world.deliver(ada)
    assert locked == [True]
    assert not watching.is_locked()


def test_a_reply_that_comes_after_its_wave_is_recorded_when_it_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rekindle.engine.hand_over.REPLY_S", 0.01)
    slow, quick = world.person("slow"), world.person("quick")

    class OneIsSlow(FakeProvider):
        def _answer_one(self, future: asyncio.Future[Outcome], outcome: Outcome) -> None:
            if future is not self.slow:
                super()._answer_one(future, outcome)

        def _start(self, letter: Letter) -> asyncio.Future[Outcome]:
            future = super()._start(letter)
            if letter.recipient == slow.to:
                self.slow = future
            return future

    world.provider = OneIsSlow()
    states: list[str] = []

    async def work(worker: Deliverer) -> None:
        for bucket in sorted({slow.bucket, quick.bucket}):
            await worker.deliver_batch(bucket)
        states.append(world.state(slow))
        world.provider.release()
        await asyncio.sleep(0)
        await worker.hand_over.record_late()
        states.append(world.state(slow))

    world.with_worker(work)
    assert states == ["sending", "handed_over"]
    assert world.state(quick) == "handed_over"


def test_a_late_yes_settles_a_doubt_that_began_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rekindle.engine.hand_over.REPLY_S", 0.01)
    world.provider.hold = True
    ada = world.person("ada")

    async def work(worker: Deliverer) -> None:
        await worker.deliver_batch(ada.bucket)
        world.set("outbox", ada.send_id, state="uncertain", lease_until=None, uncertain_at=world.clock.now())
        world.provider.release()
        await asyncio.sleep(0)
        await worker.hand_over.record_late()

    world.with_worker(work)
    assert world.state(ada) == "handed_over"


def test_when_every_connection_waits_for_a_reply_the_others_wait_without_a_pause(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rekindle.engine.hand_over.REPLY_S", 0.01)
    world.provider = FakeProvider(width=1, hold=True)
    people = [world.person(f"p{n}") for n in range(3)]
    world.deliver(*people)
    assert len(world.provider.started) == 1
    assert world.connection.execute("SELECT paused_until FROM provider_accounts WHERE id = %s", [world.account_id]).fetchone() == (None,)  # fmt: skip
    assert sorted(world.state(p) for p in people) == ["handed_over", "scheduled", "scheduled"]


def test_a_worker_that_stops_gives_the_rest_of_its_batch_back(world: World) -> None:
    people = [world.person(f"p{n}") for n in range(6)]

    async def work(worker: Deliverer) -> None:
        class StopsAfterOneWave(FakeProvider):
            def start(self, letters: Any) -> list[asyncio.Future[Outcome]]:
                worker.stop()
                return super().start(letters)

        world.provider = StopsAfterOneWave(width=2)
        for bucket in sorted({p.bucket for p in people}):
            await worker.deliver_batch(bucket)

    world.with_worker(work)
    states = sorted(world.state(p) for p in people)
    sent = states.count("handed_over")
    assert 1 <= sent <= 2
    assert states.count("scheduled") == 6 - sent
    assert len(world.provider.started) == sent
