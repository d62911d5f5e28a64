"""Purchases, opt-outs, STOP replies and erasures at random moments, all in one run, against delivery workers that really
send: no provider call starts after the stop was acknowledged (checks R-05, R-06 and C-06).

The workers are processes of their own with the real SMTP and HTTP clients, the provider is a counting sink. A worker
writes down when the first bytes of each call are away; the stops, in this process, when they were acknowledged. Both read
the clock of the machine that only runs forward. Prints one line a run.

``REKINDLE_RACES`` makes the runs longer: `make races` does 10,000.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from rekindle.engine.context import Context
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.store.database import Connection, connect
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, publish_template, seed
from tests.factories import make_shop

from .delivery_worker import HASH_KEY, PUBLIC_URL, VAULT_KEY
from .processes import http_sink, sink, until, worker
from .stops import Frontier, answer_stop, be_erased, buy, say_no
from .test_kill import Run, account_of

RACES = int(os.environ.get("REKINDLE_RACES", "300"))
#: Small waves and slow replies: many pairs of locks, and about as many sends a second as stops, whoever else uses the machine.
STOPPERS, WORKERS, CONNECTIONS, BATCH, REPLY_S = 4, 2, 2, 16, 0.015
#: Nobody's lease ends while the machine is busy with something else: this is about stops, not about crashes.
LEASES = {"claim_lease": 60.0, "sending_lease": 60.0, "settle_time": 60.0}
STOPS = (buy, say_no, answer_stop, be_erased)


@dataclass
class Notes:
    """What the workers wrote down: when each send's call had started, in nanoseconds of the machine's clock."""

    path: Path
    addresses: dict[str, str]  #: by the send's name on the wire
    calls: list[tuple[str, int]] = field(default_factory=list)
    started: dict[str, int] = field(default_factory=dict)  #: by address

    def follow(self, ended: threading.Event) -> None:
        """Read on until told to end, and then to the end of the file."""
        with self.path.open() as file:
            rest = ""
            while True:
                is_last = ended.is_set()
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    send, at = line.split()
                    self.calls.append((send, int(at)))
                    self.started[self.addresses[send]] = int(at)
                if is_last:
                    return
                time.sleep(0.002)


class Stopping:
    """The stops of a run, on a few connections of their own."""

    def __init__(self, dsn: str, context: Context, people: list[Person], notes: Notes) -> None:
        draw = random.Random(3)
        self.kinds = {person.name: draw.choice(STOPS) for person in people}
        self.acknowledged: dict[str, int] = {}
        self.failures: list[BaseException] = []
        self._dsn, self._context = dsn, context
        self._frontier = Frontier(people, notes.started, stray=0.25)
        self._threads = [threading.Thread(target=self._work) for _ in range(STOPPERS)]

    def run(self) -> None:
        """Until everybody was stopped."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(600)

    def _work(self) -> None:
        try:
            with connect(self._dsn) as link:
                while (person := self._frontier.take()) is not None:
                    self.kinds[person.name](link, self._context, person)
                    self.acknowledged[person.to] = time.monotonic_ns()
                    self._frontier.tell(person)
        except BaseException as error:  # shown by the test
            self.failures.append(error)


def ends_of(link: Connection) -> tuple[dict[UUID, list[str]], Counter[str]]:
    """How each send ended, and what stopped those that did not go out: withdrawn while they waited or were claimed,
    decided when they were judged, or seen by the second look."""
    rows = link.execute(
        "SELECT send_id, kind, CASE WHEN detail ? 'withdrawn' THEN 'withdrawn' WHEN detail ? 'why' THEN 'second look'"
        " ELSE 'decided' END FROM send_events"
    ).fetchall()
    ends: dict[UUID, list[str]] = {}
    for send_id, kind, _ in rows:
        ends.setdefault(send_id, []).append(kind)
    return ends, Counter(how for _, kind, how in rows if kind == "skipped")


def people_of(link: Connection, context: Context, shop: ShopSettings, number: int) -> list[Person]:
    version, draw = publish_template(link, shop, SYSTEM_CLOCK.now()), random.Random(7)
    due = [timedelta(seconds=draw.uniform(0, 600)) for _ in range(number)]
    return seed(link, context, [Person(f"p{n}", shop, template_version_id=version, due=due[n]) for n in range(number)])


@pytest.mark.parametrize("keyed", [False, True], ids=["smtp", "http"])
def test_no_call_starts_after_any_acknowledged_stop(
    fresh_dsn: str, tmp_path: Path, keyed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    context = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
    notes, serving = Notes(tmp_path / "starts", {}), http_sink if keyed else sink
    notes.path.touch()
    began = time.monotonic()
    with connect(fresh_dsn) as link, serving(reply_s=REPLY_S) as server, contextlib.ExitStack() as stack:
        ensure_partitions(link, SYSTEM_CLOCK.now())
        shop = make_shop(link, spread=4)
        account_of(link, shop, Run("", keyed=keyed), server.port)
        people = people_of(link, context, shop, RACES)
        notes.addresses = {f"{person.bucket}-{person.send_id}": person.to for person in people}
        stopping, ended = Stopping(fresh_dsn, context, people, notes), threading.Event()
        following = threading.Thread(target=notes.follow, args=[ended])
        following.start()
        stack.callback(ended.set)
        options: dict[str, object] = {"dsn": fresh_dsn, "port": server.port, "connections": CONNECTIONS}
        options |= {"limit": BATCH, "lookup": False, "keyed": keyed, "notes": str(notes.path)} | LEASES
        workers = [stack.enter_context(worker(**options)) for _ in range(WORKERS)]
        until(lambda: notes.calls, timeout_s=120, what="the first call")
        stopping.run()
        until(lambda: link.execute("SELECT count(*) FROM outbox").fetchone() == (0,), timeout_s=120, what="the end")
        assert {one.stop() for one in workers} == {0}
        ended.set()
        following.join()
        seen, (ends, stopped) = server.stats(), ends_of(link)
    report(keyed, notes, stopping, seen, stopped, time.monotonic() - began, capsys)
    check(people, notes, stopping, seen, ends)


def late(notes: Notes, stopping: Stopping) -> list[str]:
    """Whose call started after the stop was acknowledged."""
    return [to for to, at in notes.started.items() if at > stopping.acknowledged[to]]


def report(
    keyed: bool,
    notes: Notes,
    stopping: Stopping,
    seen: dict[str, object],
    stopped: Counter[str],
    took_s: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds = Counter(kind.__name__ for kind in stopping.kinds.values())
    gaps = [stopping.acknowledged[to] - at for to, at in notes.started.items()]
    with capsys.disabled():
        print(
            f"\nstops against {'http' if keyed else 'smtp'}: {len(stopping.acknowledged)} races {dict(kinds)}"
            f"  provider calls {seen['calls']}  started after the acknowledged stop {len(late(notes, stopping))}"
            f"  duplicated {len(seen['doubled'])}  stopped {sum(stopped.values())} {dict(stopped)}"  # type: ignore[arg-type]
            f"  calls within 50 ms before the stop {sum(0 <= gap < 50_000_000 for gap in gaps)}"
            f"  closest {min(gaps, default=0) / 1e6:.2f} ms  {took_s:.0f} s",
            end="",
        )


def check(
    people: list[Person], notes: Notes, stopping: Stopping, seen: dict[str, object], ends: dict[UUID, list[str]]
) -> None:
    assert stopping.failures == []
    assert len(stopping.acknowledged) == len(people)
    assert late(notes, stopping) == []
    assert seen["doubled"] == []
    assert len(notes.calls) == len(notes.started) == seen["calls"], "each call was noted once, and arrived"
    called = {UUID(send.partition("-")[2]) for send, _ in notes.calls}
    assert ends == {p.send_id: ["handed_over" if p.send_id in called else "skipped"] for p in people}, "each ends once"
    assert {UUID(str(send)) for send in seen["sends"]} == called  # type: ignore[attr-defined]
    assert 0 < len(called) < len(people), "both sides must win some, else nothing raced"
