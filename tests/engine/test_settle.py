"""A worker died, or an answer was lost: what waits again, what is doubted, how a doubt is cleared, and by whom."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from rekindle.engine.batch import PACE
from rekindle.engine.deliver import Deliverer
from rekindle.engine.doubt import Choice, Decision, NotUncertainError, decide, list_uncertain
from rekindle.engine.settle import ASK_AGAIN, Settled, Settler
from rekindle.providers.base import Capabilities, Uncertain
from rekindle.providers.fake import FakeProvider
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account

from .delivery import World

SECOND = timedelta(seconds=1)


def settle(world: World, *people: Person) -> Settled:
    async def work(worker: Deliverer) -> Settled:
        settler = Settler(world.context, worker.routes)
        return await settler.settle(await worker.line.get(), sorted({p.bucket for p in people}))

    return world.with_worker(work)


def left_behind(world: World, person: Person, state: str, lease: timedelta) -> None:
    """As a worker leaves a row that dies."""
    until = world.clock.now() + lease
    account = None if state == "claimed" else world.account_id
    world.set("outbox", person.send_id, state=state, lease_until=until, account_id=account)


def doubted(world: World, *, arrived: bool, provider: FakeProvider | None = None) -> Person:
    """A send whose answer was lost; ``arrived``: the provider took it."""
    if provider is not None:
        world.provider = provider
    ada = world.person("ada")
    world.provider.answer(Uncertain("the connection broke"), arrived=arrived)
    world.deliver(ada)
    assert world.state(ada) == "uncertain"
    return ada


# --- rescue


def test_a_dead_workers_claim_waits_again_when_its_lease_ends_and_not_before(world: World) -> None:
    ada = world.person("ada")
    left_behind(world, ada, "claimed", PACE.claim_lease)
    world.clock.advance(PACE.claim_lease - SECOND)
    assert settle(world, ada).released == 0
    world.clock.advance(SECOND)
    assert settle(world, ada).released == 1
    assert world.outbox(ada, "state", "lease_until", "attempts") == ("scheduled", None, 0)
    assert world.deliver(ada).handed_over == 1


def test_a_dead_workers_call_becomes_uncertain_from_the_end_of_its_lease(world: World) -> None:
    ada = world.person("ada")
    left_behind(world, ada, "sending", PACE.sending_lease)
    until = world.clock.now() + PACE.sending_lease
    world.clock.advance(PACE.sending_lease + timedelta(minutes=1))
    assert settle(world, ada).doubted == 1
    assert world.outbox(ada, "state", "uncertain_at", "lease_until") == ("uncertain", until, None)
    assert world.events(ada.send_id) == [("uncertain", "WORKER_DIED")]
    assert world.deliver(ada).claimed == 0


# --- reconcile


def test_a_provider_that_can_be_asked_clears_the_doubt_after_the_settle_time_and_not_before(world: World) -> None:
    ada = doubted(world, arrived=True)
    lost_at = world.clock.now()
    world.clock.advance(PACE.settle_time - SECOND)
    assert settle(world, ada) == Settled()
    world.clock.advance(SECOND)
    assert settle(world, ada) == Settled(sent=1)
    assert world.events(ada.send_id) == [("handed_over", None), ("uncertain", "CONNECTION_LOST")]
    at = world.connection.execute(
        "SELECT at FROM send_events WHERE send_id = %s AND kind = 'handed_over'", [ada.send_id]
    )
    assert at.fetchone() == (lost_at,)
    assert len(world.provider.started) == 1


def test_what_the_provider_never_took_is_sent_once_more_after_being_decided_again(world: World) -> None:
    ada = doubted(world, arrived=False)
    world.clock.advance(PACE.settle_time)
    assert settle(world, ada) == Settled(to_send=1)
    assert world.outbox(ada, "state", "attempts", "account_id") == ("scheduled", 0, None)
    world.set("shoppers", ada.shopper_id, opted_out_at=world.clock.now())
    assert world.deliver(ada).skipped == 1
    assert len(world.provider.started) == 1


def test_a_provider_that_does_not_know_yet_is_asked_again_later(world: World) -> None:
    ada = doubted(world, arrived=True)
    world.clock.advance(PACE.settle_time)
    asked: list[str] = []

    async def knows_nothing(message_id: str) -> bool | None:
        asked.append(message_id)
        return None

    world.provider.lookup = knows_nothing  # type: ignore[method-assign]

    async def work(worker: Deliverer) -> None:
        settler, line = Settler(world.context, worker.routes), await worker.line.get()
        for _ in range(3):
            await settler.settle(line, [ada.bucket])
        world.clock.advance(ASK_AGAIN)
        await settler.settle(line, [ada.bucket])

    world.with_worker(work)
    assert asked == [f"{ada.send_id}@rekindle.example"] * 2
    assert world.state(ada) == "uncertain"


def test_without_look_up_and_keys_a_doubt_stays_for_a_person(world: World) -> None:
    ada = doubted(world, arrived=False, provider=FakeProvider(capabilities=Capabilities()))
    world.clock.advance(timedelta(days=400))
    assert settle(world, ada) == Settled()
    assert world.deliver(ada).claimed == 0
    assert [row.id for row in list_uncertain(world.connection, world.shop)] == [ada.send_id]


def test_a_key_is_repeated_within_its_time_and_only_by_the_account_that_knows_it(world: World) -> None:
    keyed = FakeProvider(capabilities=Capabilities(idempotency_ttl_s=3600))
    ada = doubted(world, arrived=True, provider=keyed)
    other = FakeProvider()
    world.providers["other"] = other
    add_account(world.connection, world.shop, kind="other", position=-1)
    world.clock.advance(PACE.settle_time)
    assert settle(world, ada) == Settled(to_send=1)
    assert world.outbox(ada, "account_id") == (world.account_id,)
    assert world.deliver(ada).handed_over == 1
    assert ([letter.send_id for letter in keyed.started], other.started) == ([f"{ada.bucket}-{ada.send_id}"] * 2, [])


def test_a_key_whose_time_is_over_is_not_repeated(world: World) -> None:
    ada = doubted(world, arrived=True, provider=FakeProvider(capabilities=Capabilities(idempotency_ttl_s=600)))
    world.clock.advance(PACE.settle_time)
    assert settle(world, ada) == Settled()
    assert world.state(ada) == "uncertain"


# --- a person decides


def choose(world: World, person: Person, choice: Choice, shop: ShopSettings | None = None) -> UUID | None:
    decision = Decision(
        shop=shop or world.shop, bucket=person.bucket, send_id=person.send_id, choice=choice, by="olivia"
    )
    return decide(world.connection, world.context, decision)


@pytest.mark.parametrize(
    ("choice", "event"), [(Choice.MARK_AS_SENT, ("handed_over", "OPERATOR")), (Choice.GIVE_UP, ("failed", "OPERATOR"))]
)
def test_a_person_ends_a_doubt_and_the_decision_is_kept_with_their_name(
    world: World, choice: Choice, event: tuple[str, str]
) -> None:
    ada = doubted(world, arrived=False)
    world.clock.advance(SECOND)
    assert choose(world, ada, choice) is None
    assert world.events(ada.send_id)[-1] == event
    assert world.outbox(ada, "1") is None
    row = world.connection.execute(
        "SELECT evidence FROM decisions WHERE send_id = %s AND reason = 'OPERATOR'", [ada.send_id]
    )
    assert row.fetchone() == ({"choice": choice.value, "by": "olivia"},)
    later = world.person("ada", step="second")
    world.deliver(later)
    assert world.decisions(later) == [("defer", "CAP_24H")]


def test_sending_again_makes_a_new_send_with_links_of_its_own(world: World) -> None:
    ada = doubted(world, arrived=False)
    world.clock.advance(SECOND)
    again = choose(world, ada, Choice.SEND_AGAIN)
    assert again is not None
    assert again != ada.send_id
    assert world.events(ada.send_id)[-1] == ("resent", "OPERATOR")
    hashes = world.connection.execute(
        "SELECT link_hash FROM sends WHERE id = ANY(%s)", [[ada.send_id, again]]
    ).fetchall()
    assert len({bytes(row[0]) for row in hashes}) == 2
    assert world.deliver(ada).handed_over == 1
    assert [letter.send_id.partition("-")[2] for letter in world.provider.started] == [str(ada.send_id), str(again)]
    assert world.events(again) == [("handed_over", None)]


def test_a_send_that_is_sent_again_is_decided_like_any_other(world: World) -> None:
    ada = doubted(world, arrived=False)
    again = choose(world, ada, Choice.SEND_AGAIN)
    assert again is not None
    world.set("shoppers", ada.shopper_id, last_order_at=world.clock.now(), order_count=1)
    assert world.deliver(ada).skipped == 1
    assert world.events(again) == [("skipped", "PURCHASED")]


@pytest.mark.parametrize("choice", [one for one in Choice if one is not Choice.REPEAT_FAILED])
def test_a_doubt_is_decided_once(world: World, choice: Choice) -> None:
    ada = doubted(world, arrived=False)
    choose(world, ada, choice)
    for second in Choice:
        with pytest.raises(NotUncertainError):
            choose(world, ada, second)
    events = world.connection.execute(
        "SELECT count(*) FROM send_events WHERE send_id = %s AND reason = 'OPERATOR'", [ada.send_id]
    )
    assert events.fetchone() == (1,)


def test_another_shop_cannot_decide(world: World) -> None:
    from tests.factories import make_shop

    ada = doubted(world, arrived=False)
    other = make_shop(world.connection)
    with pytest.raises(NotUncertainError):
        choose(world, ada, Choice.GIVE_UP, other)
    assert world.state(ada) == "uncertain"
    assert list_uncertain(world.connection, other) == []


def test_a_send_that_waits_cannot_be_decided(world: World) -> None:
    ada = world.person("ada")
    with pytest.raises(NotUncertainError):
        choose(world, ada, Choice.SEND_AGAIN)
    assert world.state(ada) == "scheduled"
