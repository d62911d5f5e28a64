"""An opt-out or an order that was acknowledged before a call starts prevents that call.

Real verbs on several connections against two delivery workers, in one process: instants are compared on one monotonic
clock. A violation is a call that *started* after the acknowledgement. Who wins is left to chance, so there are further
rounds until both sides have won some; ``REKINDLE_STOP_RACES`` makes a round longer: `make prove` takes a thousand.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from rekindle.engine.batch import Pace
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.providers.base import EmailProvider, Letter, Outcome
from rekindle.providers.fake import FakeProvider
from rekindle.store.database import connect
from rekindle.store.partitions import ensure_partitions
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

from .processes import until
from .stops import Frontier, Stop, buy, say_no

RACES = int(os.environ.get("REKINDLE_STOP_RACES", "250"))
ROUNDS, STOPPERS, WORKERS = 10, 4, 2


class Stamping(FakeProvider):
    """Notes when each call starts; answers a few milliseconds later."""

    def __init__(self, started: dict[str, float]) -> None:
        super().__init__(width=2, hold=True)
        self._started = started

    def start(self, letters: Sequence[Letter]) -> list[asyncio.Future[Outcome]]:
        now = time.perf_counter()
        for letter in letters:
            assert letter.recipient not in self._started, "sent twice"
            self._started[letter.recipient] = now
        asyncio.get_running_loop().call_later(0.003, self.release)
        return super().start(letters)


def race(dsn: str, spread: int, stop: Stop, number: int = RACES) -> dict[str, int]:
    """Let ``number`` stops race against the sends they are about."""
    context = Context(hash_key=b"h" * 32, vault_key=b"v" * 32, public_url="https://rekindle.example")
    started: dict[str, float] = {}
    acknowledged: dict[str, float] = {}
    failures: list[BaseException] = []
    with connect(dsn) as link:
        ensure_partitions(link, SYSTEM_CLOCK.now())
        shop = make_shop(link, spread=spread)
        version = publish_template(link, shop, SYSTEM_CLOCK.now())
        add_account(link, shop, kind="stamping")
        draw = random.Random(7)
        people = [
            Person(f"p{n}", shop, template_version_id=version, due=timedelta(seconds=draw.uniform(0, 600)))
            for n in range(number)
        ]
        seed(link, context, people)

        def make(kind: str, options: dict[str, object], secret: bytes) -> EmailProvider:
            return Stamping(started)

        def stopper() -> None:
            try:
                with connect(dsn) as own:
                    while (person := frontier.take()) is not None:
                        stop(own, context, person)
                        acknowledged[person.to] = time.perf_counter()
                        frontier.tell(person)
            except BaseException as error:
                failures.append(error)

        frontier = Frontier(people, started)
        threads = [threading.Thread(target=stopper) for _ in range(STOPPERS)]
        loops = [DeliveryLoop(dsn, context, name=f"d{n}", make=make, pace=Pace(limit=16)) for n in range(WORKERS)]
        for one in (*loops, *threads):
            one.start()
        for thread in threads:
            thread.join(240)
        assert not any(thread.is_alive() for thread in threads)
        until(lambda: link.execute("SELECT count(*) FROM outbox").fetchone() == (0,), timeout_s=120, what="the end")
        for loop in loops:
            loop.ask_to_stop()
        assert all(loop.join(60) for loop in loops)
        assert failures == []
        kinds = dict(
            link.execute(
                "SELECT CASE WHEN detail ? 'withdrawn' THEN 'withdrawn' WHEN detail ? 'why' THEN 'second_look'"
                " ELSE kind END, count(DISTINCT send_id) FROM send_events WHERE shop_id = %s GROUP BY 1",
                [shop.id],
            ).fetchall()
        )
        ends = link.execute(
            "SELECT send_id FROM send_events WHERE shop_id = %s AND kind IN ('handed_over', 'skipped')", [shop.id]
        ).fetchall()
        assert sorted(row[0] for row in ends) == sorted(person.send_id for person in people), "each ends once"
    late = [to for to, at in started.items() if to in acknowledged and at > acknowledged[to]]
    assert len(acknowledged) == number
    return {
        "races": number,
        "sent": len(started),
        "violations": len(late),
        "withdrawn": kinds.get("withdrawn", 0),
        "second_look": kinds.get("second_look", 0),
        "decided": kinds.get("skipped", 0),
    }


@pytest.mark.parametrize("spread", [1, 16], ids=["one bucket", "sixteen buckets"])
@pytest.mark.parametrize("stop", [say_no, buy], ids=["opt-out", "purchase"])
def test_no_call_starts_after_an_acknowledged(
    fresh_dsn: str, stop: Stop, spread: int, capsys: pytest.CaptureFixture[str]
) -> None:
    result: Counter[str] = Counter()
    while not is_close(result, spread):
        assert result["races"] < ROUNDS * RACES, f"in no round was it close: {result}"
        result.update(race(fresh_dsn, spread, stop))
    with capsys.disabled():
        print(f"\n{stop.__name__} against send, spread {spread}: {dict(result)}")
    assert result["violations"] == 0


def is_close(result: Counter[str], spread: int) -> bool:
    """Whether both sides won their share of the races, and the second look was needed where one bucket makes it likely."""
    few = result["races"] // 20
    return few < result["sent"] < result["races"] - few and (spread > 1 or result["second_look"] > 0)
