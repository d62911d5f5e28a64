"""Do the loops of a worker find work, sleep until there is some, stop when asked, and outlive their mistakes?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.loops import LONGEST_SLEEP_S, SHORTEST_SLEEP_S, Job, JobLoop, Loop, StageLoop, Turn, sleep_until
from rekindle.engine.onboard import create_shop
from rekindle.engine.worker import make_loops, stop_loops
from rekindle.lib.clock import MovableClock
from rekindle.store import work
from rekindle.store.database import Connection, connect
from tests.conftest import START
from tests.engine.scene import one, put_cart, put_shopper, rows

PATIENCE_S = 60.0


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rekindle.engine.loops.FIRST_PAUSE_S", 0.01)


def wait_until(condition: Callable[[], object]) -> None:
    """Threads need a moment; what is waited for is a fact, never a time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.01)


class Counting(Loop):
    """Turns as told: a number of units, or an exception."""

    def __init__(self, dsn: str, context: Context, *turns: int | Exception) -> None:
        super().__init__("counting", dsn, context)
        self.turns = list(turns)
        self.taken = 0

    def turn(self, connection: Connection) -> Turn:
        connection.execute("SELECT 1")
        self.taken += 1
        if not self.turns:
            return Turn(0, 3_600)
        told = self.turns.pop(0)
        if isinstance(told, Exception):
            raise told
        return Turn(told, 0.0)


def test_it_goes_on_while_there_is_work_and_sleeps_then(fresh_dsn: str, context: Context) -> None:
    loop = Counting(fresh_dsn, context, 5, 5, 5)
    loop.start()
    wait_until(lambda: loop.taken == 4)
    threading.Event().wait(0.1)
    assert loop.taken == 4
    loop.wake()
    wait_until(lambda: loop.taken == 5)
    loop.ask_to_stop()
    assert loop.join(30)


def test_it_outlives_mistakes_and_says_so(fresh_dsn: str, link: Connection, context: Context) -> None:
    loop = Counting(fresh_dsn, context, ValueError("of this turn"), KeyError("of that"), 1)
    loop.start()
    wait_until(lambda: loop.taken == 4)
    loop.ask_to_stop()
    assert loop.join(30)
    beat = one(link, "SELECT last_error, last_ok_at FROM jobs WHERE name = 'loop:counting'")
    assert beat["last_error"] in ("KeyError", "")
    assert [b.name for b in work.all_beats(link)] == ["loop:counting"]


def test_a_good_turn_beats(fresh_dsn: str, link: Connection, context: Context) -> None:
    loop = Counting(fresh_dsn, context)
    loop.start()
    wait_until(lambda: rows(link, "SELECT 1 FROM jobs WHERE last_ok_at = %s AND last_error = ''", START))
    loop.ask_to_stop()
    assert loop.join(30)


def test_a_connection_that_is_taken_away_is_made_anew(fresh_dsn: str, link: Connection, context: Context) -> None:
    loop = Counting(fresh_dsn, context)
    loop.start()
    wait_until(lambda: loop.taken == 1)
    link.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    )
    loop.wake()
    wait_until(lambda: loop.taken >= 2)
    assert loop._thread is not None
    assert loop._thread.is_alive()
    loop.ask_to_stop()
    assert loop.join(30)


def test_a_statement_that_hangs_is_cancelled_when_it_has_to_stop(
    fresh_dsn: str, link: Connection, context: Context
) -> None:
    class Hanging(Loop):
        def turn(self, connection: Connection) -> Turn:
            connection.execute("SELECT pg_sleep(600)")
            return Turn(1, 0.0)

    loop = Hanging("hanging", fresh_dsn, context)
    loop.start()
    wait_until(
        lambda: rows(
            link, "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(600)%%' AND pid <> pg_backend_pid()"
        )
    )
    loop.ask_to_stop()
    wait_until(lambda: loop.join(0.1))


def test_a_stage_takes_due_buckets_only_and_wakes_the_next(fresh_dsn: str, link: Connection, context: Context) -> None:
    create_shop(link, context, slug="s", name="S", country="AT", spread=1024)
    now, seen, woken = context.clock.now(), [], []
    due = {3: now - timedelta(seconds=9), 5: now, 9: now + timedelta(seconds=1)}

    def work_on(connection: Connection, books: Books, bucket: int) -> int:
        seen.append(bucket)
        del due[bucket]
        return 7

    loop = StageLoop(
        "stage",
        fresh_dsn,
        context,
        discover=lambda c, buckets: sorted(due.items(), key=lambda d: d[1]),
        work=work_on,
        after=[lambda: woken.append(1)],
    )
    assert loop.turn(link) == Turn(14, 0.0)
    assert (seen, woken) == ([3, 5], [1])
    assert loop.turn(link) == Turn(0, 1.0)


def test_what_others_hold_is_not_asked_for_in_a_frenzy(fresh_dsn: str, link: Connection, context: Context) -> None:
    create_shop(link, context, slug="s", name="S", country="AT")
    loop = StageLoop(
        "stage", fresh_dsn, context, discover=lambda c, b: [(b[0], context.clock.now())], work=lambda c, b, n: 0
    )
    taken = loop.turn(link)
    assert taken.done == 0
    assert taken.sleep_s >= 0.1


def test_discovery_finds_the_earliest_timer_of_each_bucket(
    link: Connection, context: Context, clock: MovableClock, spread: int
) -> None:
    shop = create_shop(link, context, slug="s", name="S", country="AT", spread=spread)
    shopper = put_shopper(link, context, shop)
    first = put_cart(link, context, shop, shopper, key="c1")
    put_cart(link, context, shop, key="c2", bucket=first.bucket, touched_at=clock.now() + timedelta(minutes=5))
    put_cart(link, context, shop, key="c3", bucket=first.bucket, state="converted", check_at=None)
    every = list(range(1024))
    assert work.first_checks(link, every) == [(first.bucket, clock.now() + timedelta(minutes=30))]
    assert work.first_checks(link, [b for b in every if b != first.bucket]) == []
    assert work.first_steps(link, every) == []


@pytest.mark.parametrize(
    ("ahead_s", "expected"), [(None, LONGEST_SLEEP_S), (-5, SHORTEST_SLEEP_S), (0.5, 0.5), (99, LONGEST_SLEEP_S)]
)
def test_how_long_to_sleep(ahead_s: float | None, expected: float) -> None:
    instants = [] if ahead_s is None else [START + timedelta(seconds=ahead_s), START + timedelta(days=1)]
    assert sleep_until(instants, START) == expected


def test_a_job_is_done_by_one_worker_when_it_is_due(
    fresh_dsn: str, link: Connection, context: Context, clock: MovableClock
) -> None:
    done: list[str] = []
    job = Job("tidy", 60, lambda c, x: done.append("tidy"), lease_s=30)
    one_worker, other_worker = (JobLoop(name, fresh_dsn, context, [job]) for name in ("a", "b"))
    assert one_worker.turn(link).done == 1
    assert other_worker.turn(link).done == 0
    clock.advance(timedelta(seconds=59))
    assert (one_worker.turn(link).done, other_worker.turn(link).done) == (0, 0)
    clock.advance(timedelta(seconds=1))
    assert (other_worker.turn(link).done, one_worker.turn(link).done) == (1, 0)
    assert done == ["tidy", "tidy"]
    assert one(link, "SELECT last_ok_at, last_error FROM jobs WHERE name = 'tidy'") == {
        "last_ok_at": clock.now(),
        "last_error": "",
    }


def test_a_job_that_fails_is_noted_and_the_others_go_on(
    fresh_dsn: str, link: Connection, context: Context, clock: MovableClock
) -> None:
    done: list[str] = []

    def broken(connection: Connection, context: Context) -> None:
        raise ZeroDivisionError

    loop = JobLoop(
        "jobs", fresh_dsn, context, [Job("broken", 60, broken), Job("fine", 60, lambda c, x: done.append("fine"))]
    )
    assert loop.turn(link).done == 2
    assert done == ["fine"]
    assert one(link, "SELECT last_ok_at, last_error FROM jobs WHERE name = 'broken'") == {
        "last_ok_at": None,
        "last_error": "ZeroDivisionError",
    }


def test_the_job_of_a_worker_that_died_is_taken_over_when_its_lease_ends(
    fresh_dsn: str, link: Connection, context: Context, clock: MovableClock
) -> None:
    done: list[str] = []
    loop = JobLoop("jobs", fresh_dsn, context, [Job("tidy", 60, lambda c, x: done.append("tidy"), lease_s=30)])
    work.put_job(link, "tidy", clock.now())
    assert work.claim_job(link, "tidy", clock.now(), clock.now() + timedelta(seconds=30))  # and it died
    assert loop.turn(link).done == 0
    clock.advance(timedelta(seconds=30))
    assert loop.turn(link).done == 1


def test_a_whole_worker_carries_a_cart_to_its_message_and_stops(
    fresh_dsn: str, link: Connection, context: Context, clock: MovableClock
) -> None:
    shop = create_shop(link, context, slug="s", name="S", country="AT", waits_s=(60,), holdout_rate=0)
    put_cart(link, context, shop, put_shopper(link, context, shop))
    clock.advance(timedelta(minutes=40))
    loops = make_loops(fresh_dsn, context)
    for loop in loops:
        loop.start()
    try:
        wait_until(lambda: rows(link, "SELECT 1 FROM sends"))
        wait_until(lambda: rows(link, "SELECT 1 FROM decisions WHERE question = 'may_send'"))
        wait_until(
            lambda: (
                len(rows(link, "SELECT 1 FROM jobs WHERE name LIKE 'loop:%%' AND last_ok_at IS NOT NULL")) == len(loops)
            )
        )
    finally:
        assert stop_loops(loops), "within ten seconds"
    assert one(link, "SELECT state FROM carts")["state"] == "abandoned"
    with pytest.raises(psycopg.errors.UniqueViolation):
        link.execute("INSERT INTO sends SELECT * FROM sends")
