"""Which account a message leaves by: order, weights, limits, pauses, trials and fail-over, shared by all workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from rekindle.engine.account_health import LOOK_AT_HELD, TRIAL
from rekindle.engine.assign import LOOK_AGAIN
from rekindle.engine.batch import PACE, Tally
from rekindle.engine.books import Books
from rekindle.engine.change_route import AccountRoute, change_route, hold_account, resume_account
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.lib.clock import MovableClock
from rekindle.policy.breaker import FIRST_PAUSE, IN_A_ROW, OPERATOR_PAUSE
from rekindle.providers.base import Fault, NotStarted, Pause, Rejected, Uncertain
from rekindle.providers.fake import FakeProvider
from rekindle.store.alerts import open_alerts
from rekindle.store.async_connection import Line
from rekindle.store.database import Connection
from tests.due_sends import Person, add_account

from .delivery import World, make_world

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BUSY = NotStarted("429", "too many requests", Pause.BACK_OFF)
REVOKED = NotStarted("401", "the key is not valid", Pause.OPERATOR)
LOST = Uncertain("the connection broke")


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    return made


def account(world: World, name: str, *, width: int = 300, **route: Any) -> tuple[int, FakeProvider]:
    """An account at a fake of its own."""
    world.providers[name] = FakeProvider(width=width)
    made = add_account(world.connection, world.shop, kind=name)
    change_route(world.connection, world.context, world.shop, made, AccountRoute(**{"position": 0, **route}), by=1)
    return made, world.providers[name]  # type: ignore[return-value]


def people(world: World, count: int, **changes: Any) -> list[Person]:
    made = [world.person(f"p{n:03}", **changes) for n in range(count)]
    return sorted(made, key=lambda person: person.name)


def deliver(world: World) -> Tally:
    """A whole pass of a fresh worker over the shop's bucket."""

    async def work(worker: Deliverer) -> Tally:
        tally = Tally()
        while True:
            one = await worker.deliver_batch(world.shop_bucket())
            tally.add(one)
            if one.claimed < PACE.limit:
                return tally

    return world.with_worker(work)


def stored(world: World, account_id: int, *columns: str) -> tuple[Any, ...]:
    row = world.connection.execute(
        f"SELECT {', '.join(columns)} FROM provider_accounts WHERE id = %s",  # type: ignore[arg-type]
        [account_id],
    ).fetchone()
    assert row is not None
    return row


# --- order and weights


def test_the_first_position_takes_everything_while_it_works(world: World) -> None:
    _, first = account(world, "first")
    _, second = account(world, "second", position=1)
    people(world, 20)
    assert deliver(world).handed_over == 20
    assert (len(first.started), len(second.started)) == (20, 0)


def test_accounts_of_one_position_share_by_weight_and_a_retry_takes_the_same_account(world: World) -> None:
    _, heavy = account(world, "heavy", weight=75)
    _, light = account(world, "light", weight=25)
    _, spare = account(world, "spare", weight=0)
    people(world, 200)
    for provider in (heavy, light):
        provider.answer(*[Rejected(False, "451", "later", Fault.LETTER)] * 200)
    deliver(world)
    before = {letter.send_id: "heavy" for letter in heavy.started} | {
        letter.send_id: "light" for letter in light.started
    }
    assert 120 <= Counter(before.values())["heavy"] <= 175
    heavy.forget_answers()
    light.forget_answers()
    world.clock.advance(2 * MINUTE)
    assert deliver(world).handed_over == 200
    assert {letter.send_id for letter in heavy.started} == {name for name, at in before.items() if at == "heavy"}
    assert spare.started == []


# --- pauses and trials


def test_a_busy_provider_for_an_hour_uses_no_attempt_and_gets_one_probe_a_minute_at_most(world: World) -> None:
    """R-09, without Retry-After."""
    _, provider = account(world, "only", width=8)
    everybody = people(world, 60)
    for n, person in enumerate(everybody):  # planned in the order of their names, due in another
        at = world.clock.now() - timedelta(minutes=200 - n)
        world.connection.execute("UPDATE sends SET planned_at = %s WHERE id = %s", [at, person.send_id])
    began = world.clock.now()
    provider.answer(*[BUSY] * 10_000)
    calls: list[tuple[datetime, int]] = []
    while world.clock.now() - began < HOUR:
        before = len(provider.started)
        deliver(world)
        calls.append((world.clock.now(), len(provider.started) - before))
        world.clock.advance(20 * SECOND)
    first_wave, *later = [(at, count) for at, count in calls if count]
    assert first_wave[1] <= 8
    assert all(count == 1 for _, count in later), "one message is the trial"
    assert all(b - a >= MINUTE for (a, _), (b, _) in zip([first_wave, *later], later, strict=False))
    attempts = world.connection.execute("SELECT DISTINCT state, attempts FROM outbox").fetchall()
    assert attempts == [("scheduled", 0)]

    provider.forget_answers()
    before = len(provider.started)
    for _ in range(100):
        world.clock.advance(20 * SECOND)
        deliver(world)
    resumed = [letter.send_id.partition("-")[2] for letter in provider.started[before:]]
    assert resumed[0] == str(everybody[0].send_id), "what was planned first goes first"
    assert sorted(resumed) == sorted(str(person.send_id) for person in everybody)
    assert len({letter.message_id for letter in provider.accepted.values()}) == 60


def test_a_named_time_is_kept_to(world: World) -> None:
    """R-09, with Retry-After."""
    _, provider = account(world, "only", width=4)
    people(world, 10)
    provider.answer(*[NotStarted("429", "slow down", Pause.BACK_OFF, 1800.0)] * 4)
    deliver(world)
    assert len(provider.started) == 4
    world.clock.advance(1799 * SECOND)
    deliver(world)
    assert len(provider.started) == 4
    world.clock.advance(2 * SECOND)
    for _ in range(4):
        deliver(world)
        world.clock.advance(LOOK_AGAIN)
    assert len(provider.accepted) == 10


def test_a_revoked_key_costs_no_message_and_tells_a_person(world: World) -> None:
    """R-10. The account is at a provider whose key only a call can prove (see test_deliver_apis for the real ones)."""
    made, provider = account(world, "only", width=3)
    people(world, 50)
    provider.answer(*[REVOKED] * 50)
    deliver(world)
    assert len(provider.started) <= 3
    assert stored(world, made, "pause_kind", "paused_until") == ("operator", world.clock.now() + OPERATOR_PAUSE)
    assert world.connection.execute(
        "SELECT count(*) FROM send_events WHERE shop_id = %s", [world.shop.id]
    ).fetchone() == (0,)
    assert world.connection.execute("SELECT DISTINCT state, attempts FROM outbox").fetchall() == [("scheduled", 0)]
    (alert,) = open_alerts(world.connection, world.shop.id)
    assert (alert.kind, alert.subject_id, alert.text) == ("account_refused", made, "401: the key is not valid")

    provider.forget_answers()
    resume_account(world.connection, world.context, world.shop, made, by=1, name="Otto")
    assert open_alerts(world.connection, world.shop.id) == []
    world.clock.advance(OPERATOR_PAUSE + 2 * SECOND)
    assert deliver(world).handed_over == 50


def test_an_account_that_works_again_by_itself_closes_its_alert(world: World) -> None:
    made, provider = account(world, "only")
    people(world, 3)
    provider.answer(*[REVOKED] * 3)
    deliver(world)
    world.clock.advance(OPERATOR_PAUSE + 2 * SECOND)
    deliver(world)
    world.clock.advance(TRIAL)
    deliver(world)
    assert len(provider.accepted) == 3
    assert stored(world, made, "pause_kind", "paused_until", "trip_count") == ("", None, 0)
    assert open_alerts(world.connection, world.shop.id) == []


def test_only_one_of_two_workers_makes_the_trial(world: World) -> None:
    _, provider = account(world, "only", width=1)
    people(world, 2)
    provider.answer(BUSY)
    deliver(world)
    provider.hold = True
    world.clock.advance(FIRST_PAUSE + 2 * SECOND)

    async def trial(worker: Deliverer) -> int:
        first = asyncio.ensure_future(worker.deliver_batch(world.shop_bucket()))
        while len(provider.started) < 2:
            await asyncio.sleep(0.01)
        world.connection.execute("UPDATE outbox SET send_at = %s WHERE state = 'scheduled'", [world.clock.now()])
        return await _beside(world, worker, first, provider)

    assert world.with_worker(trial) == 2, "the second worker found the trial taken"


async def _beside(world: World, worker: Deliverer, first: Any, provider: FakeProvider) -> int:
    other = Deliverer(
        Line(world.dsn), world.connection, world.context, Books.load(world.connection), world.make, pace=world.pace
    )
    tally = await other.deliver_batch(world.shop_bucket())
    assert tally == Tally(claimed=1, again=1)
    calls = len(provider.started)
    provider.hold = False
    provider.release()
    await first
    await other.line.drop()
    return calls


def test_a_held_account_sends_nothing_until_a_person_starts_it(world: World) -> None:
    made, provider = account(world, "only")
    people(world, 2)
    hold_account(world.connection, world.shop, made, by=1, why="a look at the bounces")
    deliver(world)
    world.clock.advance(2 * HOUR)
    deliver(world)
    assert provider.started == []
    reason = world.connection.execute(
        "SELECT DISTINCT evidence->>'why' FROM decisions WHERE shop_id = %s", [world.shop.id]
    ).fetchone()
    assert reason == ("a look at the bounces",)
    resume_account(world.connection, world.context, world.shop, made, by=1, name="Otto")
    world.clock.advance(LOOK_AT_HELD + SECOND)
    assert deliver(world).handed_over == 2


# --- fail-over


def test_a_broken_first_account_is_left_for_the_second_and_tried_again(world: World) -> None:
    made, first = account(world, "first", width=4)
    _, second = account(world, "second", position=1, width=100)
    people(world, 40)
    first.answer(*[REVOKED] * 4)
    deliver(world)
    world.clock.advance(2 * SECOND)
    deliver(world)
    assert (len(first.started), len(second.accepted)) == (4, 40)
    world.clock.advance(OPERATOR_PAUSE)
    people(world, 5, step="second", abandoned=timedelta(hours=30), touched=timedelta(hours=31))
    world.clock.advance(DAY)
    deliver(world)
    assert len(first.accepted) == 1, "the trial"
    world.clock.advance(LOOK_AGAIN)
    deliver(world)
    assert stored(world, made, "pause_kind") == ("",)


def test_a_fail_over_never_repeats_what_may_have_gone_out(world: World) -> None:
    """The provider takes letters and dies before it answers; the breaker opens; the others go by the second account."""
    made, first = account(world, "first", width=2)
    _, second = account(world, "second", position=1, width=100)
    everybody = people(world, 60)
    first.answer(*[LOST] * 60, arrived=True)
    for _ in range(4):
        deliver(world)
        world.clock.advance(2 * SECOND)
    assert len(first.started) <= IN_A_ROW + 1, "the breaker opens after so many answers in a row"
    assert stored(world, made, "pause_kind") == ("breaker",)
    assert [alert.kind for alert in open_alerts(world.connection, world.shop.id)] == ["account_failing"]
    names = [letter.message_id for letter in [*first.started, *second.started]]
    assert len(names) == len(set(names)) == 60, "duplicates 0, lost 0"
    uncertain = {p.send_id for p in everybody if world.state(p) == "uncertain"}
    assert uncertain == {p.send_id for p in everybody if f"{p.send_id}@rekindle.example" in first.accepted}
    listed = world.connection.execute(
        "SELECT count(*), min(account_id) FROM outbox WHERE state = 'uncertain'"
    ).fetchone()
    assert listed == (len(uncertain), made)


# --- limits


def test_a_rate_is_kept_over_several_workers_and_each_message_waits_once_or_twice(world: World) -> None:
    account(world, "only", limits={"per_second": 2})
    provider = world.providers["only"]
    assert isinstance(provider, FakeProvider)
    people(world, 40)
    sent: list[int] = []
    for _ in range(24):
        before = len(provider.started)
        deliver(world)  # a fresh worker each time: only the database remembers
        sent.append(len(provider.started) - before)
        world.clock.advance(SECOND)
    assert sent[0] == 2
    assert all(count <= 2 for count in sent)
    assert sum(sent) == 40
    looks = world.connection.execute(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM decisions WHERE shop_id = %s GROUP BY send_id) d",
        [world.shop.id],
    )
    row = looks.fetchone()
    assert row is not None
    assert row[0] <= 3, "a place in the row, not a look with every batch"


def test_a_mailbox_provider_has_a_limit_of_its_own(world: World) -> None:
    account(world, "only", limits={"mailboxes": {"gmail": {"per_day": 3}, "other.example": {"per_day": 1}}})
    provider = world.providers["only"]
    assert isinstance(provider, FakeProvider)
    for n in range(6):
        world.person(f"g{n}", address=f"g{n}@{'gmail.com' if n % 2 else 'googlemail.com'}")
        world.person(f"o{n}", address=f"o{n}@other.example")
        world.person(f"f{n}", address=f"f{n}@free.example")
    assert deliver(world).handed_over == 3 + 1 + 6
    found = Counter(letter.recipient.rpartition("@")[2].replace("googlemail", "gmail") for letter in provider.started)
    assert found == {"gmail.com": 3, "other.example": 1, "free.example": 6}
    world.clock.advance(16 * HOUR)  # the next day
    assert deliver(world).handed_over == 3 + 1


def test_a_warm_up_sends_what_its_day_allows_and_the_rest_by_the_old_account(world: World) -> None:
    today = world.clock.now().date()
    plan = {"warm_up": {"started_on": today.isoformat(), "per_day": [5, 8]}}
    account(world, "fresh", limits=plan)
    account(world, "old", position=1)
    fresh, old = world.providers["fresh"], world.providers["old"]
    assert isinstance(fresh, FakeProvider)
    assert isinstance(old, FakeProvider)
    people(world, 30)
    assert deliver(world).handed_over == 30
    assert (len(fresh.started), len(old.started)) == (5, 25)


def test_limits_that_mean_nothing_stop_nothing_and_are_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    made, provider = account(world, "only")
    world.connection.execute("UPDATE provider_accounts SET limits = '{\"per_week\": 3}' WHERE id = %s", [made])
    people(world, 3)
    deliver(world)
    assert len(provider.accepted) == 3
    assert "limits_unusable" in caplog.text


def test_after_72_hours_without_a_worker_there_is_no_burst(world: World) -> None:
    """R-15, the part of e-mail: what is still useful goes at the account's rate, one message a shopper."""
    account(world, "only", limits={"per_second": 5})
    provider = world.providers["only"]
    assert isinstance(provider, FakeProvider)
    first = people(world, 30)
    people(world, 30, step="second", abandoned=timedelta(hours=26), touched=timedelta(hours=27))
    world.clock.advance(72 * HOUR)
    sent: list[int] = []
    for _ in range(40):
        before = len(provider.started)
        deliver(world)
        sent.append(len(provider.started) - before)
        world.clock.advance(SECOND)
    assert max(sent) <= 5
    assert sum(sent) == 30, "each of 30 shoppers gets one message, not both"
    assert len({letter.recipient for letter in provider.started}) == 30
    assert len(first) == 30


def test_nothing_is_written_about_an_account_that_simply_works(world: World) -> None:
    made, _ = account(world, "only")
    people(world, 30)
    before = stored(world, made, "xmin::text")
    deliver(world)
    assert stored(world, made, "xmin::text") == before
    assert world.connection.execute("SELECT count(*) FROM account_quotas WHERE account_id = %s", [made]).fetchone() == (
        0,
    )
