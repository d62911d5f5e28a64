"""When a person ends what messages waited for, they go out within seconds, in their order; what waits for the time of
day, or for its turn, goes on waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.engine.accounts import SmtpAccount, save_smtp_account
from rekindle.engine.batch import Tally
from rekindle.engine.books import FRESH_S
from rekindle.engine.change_route import AccountRoute, change_route, hold_account, resume_account
from rekindle.engine.configure import pause_sending, resume_sending
from rekindle.engine.deliver import Deliverer
from rekindle.providers.base import Fault, NotStarted, Pause, Rejected
from rekindle.store.alerts import open_alerts
from tests.due_sends import Person

from .delivery import World

REVOKED = NotStarted("401", "the key is not valid", Pause.OPERATOR)
SOON = timedelta(seconds=FRESH_S + 2)  # every worker has read of the change, and a second over which they are spread


@pytest.fixture
def people(world: World) -> list[Person]:
    """Planned one after the other; they live in several buckets where the shop does."""
    return [world.person(f"p{n}", due=timedelta(minutes=10 * n + 1)) for n in range(4)]


def deliver(world: World, people: list[Person]) -> Tally:
    """In the buckets of these people, by one worker."""

    async def work(worker: Deliverer) -> Tally:
        tally = Tally()
        for bucket in sorted({person.bucket for person in people}):
            tally.add(await worker.deliver_batch(bucket))
        return tally

    return world.with_worker(work)


def refuse(world: World, people: list[Person]) -> None:
    """The key is refused, and all of them wait for an hour."""
    world.provider.answer(*[REVOKED] * len(people))
    assert deliver(world, people).again == 4
    world.provider.forget_answers()
    world.provider.started.clear()


def test_a_new_start_lets_them_go_within_seconds_in_their_order(world: World, people: list[Person]) -> None:
    refuse(world, people)
    resume_account(world.connection, world.context, world.shop, world.account_id, by=1, name="Otto")
    waiting = world.connection.execute("SELECT id FROM outbox ORDER BY send_at").fetchall()
    assert [row[0] for row in waiting] == [person.send_id for person in reversed(people)]
    assert deliver(world, people).claimed == 0, "not before every worker can know"
    world.clock.advance(SOON)
    assert deliver(world, people).handed_over == 4


def test_without_a_person_they_wait_for_the_hour(world: World, people: list[Person]) -> None:
    refuse(world, people)
    world.clock.advance(SOON)
    assert deliver(world, people).claimed == 0


def test_another_key_lets_them_go_and_ends_the_alert(world: World, people: list[Person]) -> None:
    world.connection.execute("UPDATE provider_accounts SET kind = 'smtp' WHERE id = %s", [world.account_id])
    world.providers["smtp"] = world.provider
    refuse(world, people)
    assert len(open_alerts(world.connection, world.shop.id)) == 1
    typed = SmtpAccount(host="mail.example", port=587, tls="starttls", username="shop", password="right")
    save_smtp_account(world.connection, world.context, world.shop, typed, account_id=world.account_id, by=1)
    assert len(open_alerts(world.connection, world.shop.id)) == 0
    world.clock.advance(SOON)
    assert deliver(world, people).handed_over == 4


def test_an_account_that_was_stopped_and_one_that_was_off(world: World, people: list[Person]) -> None:
    hold_account(world.connection, world.shop, world.account_id, by=1, why="a look at the bounces")
    assert deliver(world, people).again == 4
    resume_account(world.connection, world.context, world.shop, world.account_id, by=1, name="Otto")
    off, on = (AccountRoute(position=0, enabled=enabled) for enabled in (False, True))
    where = (world.connection, world.context, world.shop, world.account_id)
    change_route(*where, off, by=1)
    world.clock.advance(SOON)
    assert deliver(world, people).again == 4
    change_route(*where, on, by=1)
    world.clock.advance(SOON)
    assert deliver(world, people).handed_over == 4


def test_a_shop_that_was_paused(world: World, people: list[Person]) -> None:
    pause_sending(world.connection, world.shop.id, by=1)
    assert deliver(world, people).again == 4
    resume_sending(world.connection, world.context, world.shop, by=1)
    world.clock.advance(SOON)
    assert deliver(world, people).handed_over == 4


def test_others_wait_on(world: World, people: list[Person]) -> None:
    """A retry has its own time, another shop its own accounts, and what is planned for later is not due."""
    world.provider.answer(Rejected(False, "451", "greylisted", Fault.LETTER))
    deliver(world, people[:1])
    world.provider.forget_answers()
    refuse_rest = people[1:]
    world.provider.answer(*[REVOKED] * len(refuse_rest))
    deliver(world, refuse_rest)
    world.provider.forget_answers()
    later = world.person("later", due=-timedelta(minutes=30))
    before = {person.name: world.outbox(person, "send_at") for person in (people[0], later)}
    resume_account(world.connection, world.context, world.shop, world.account_id, by=1, name="Otto")
    assert {person.name: world.outbox(person, "send_at") for person in (people[0], later)} == before
