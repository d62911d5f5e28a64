"""kill -9 the delivery worker again and again while it sends: nobody gets a message twice, and none disappears.

The real worker, the real SMTP and HTTP clients, counting sinks whose acceptance survives the client's death, one reply
in fifty 400 ms late. What cannot be known is listed for a person; where the provider can be asked, it is asked after the
settle time; where it knows keys, the same message goes out under the same key. Prints one line a run.

``REKINDLE_KILL_SENDS`` and ``REKINDLE_KILL_KILLS`` make the runs longer: `make kill` does 20,000 and 50.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass
from uuid import UUID

import pytest

from rekindle.engine.context import Context
from rekindle.engine.doubt import list_uncertain
from rekindle.engine.make_provider import sealed_values
from rekindle.engine.route import secret_owner
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.lib.vault import seal
from rekindle.store.database import Connection, connect
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

from .delivery_worker import HASH_KEY, PUBLIC_URL, VAULT_KEY
from .processes import HttpSink, Sink, Worker, http_sink, sink, until, worker

SENDS = int(os.environ.get("REKINDLE_KILL_SENDS", "400"))
KILLS = int(os.environ.get("REKINDLE_KILL_KILLS", "4"))
CONNECTIONS = 8
LATE_S, REPLY_S = 0.4, 0.003


@dataclass(frozen=True)
class Run:
    """One way in which a provider can or cannot tell what it took. Times in seconds."""

    name: str
    lookup: bool = False
    keyed: bool = False
    spread: int = 1
    late_rate: float = 0.02
    sending_lease: float = 1.5
    settle_time: float = 1.5
    share: float = 1.0  #: of the sends and kills
    workers: int = 1  #: one of them is killed


RUNS = (
    Run("look-up (R-01)", lookup=True, spread=4),
    Run("neither (R-02)"),
    Run("keys (R-03)", keyed=True),
    # The lease ends before the late answers come; the settle time is longer than any of them.
    Run("short lease (R-04)", lookup=True, late_rate=0.05, sending_lease=0.15, share=0.5),
    Run("two workers (R-16)", lookup=True, spread=4, share=0.5, workers=2),
)


@dataclass
class Came:
    """What a run came to."""

    handed: set[UUID]
    doubted: set[UUID]
    listed: set[UUID]


def account_of(link: Connection, shop: ShopSettings, run: Run, port: int) -> None:
    if not run.keyed:
        add_account(link, shop, kind="smtp")
        return
    secret = seal(VAULT_KEY, sealed_values({"api_key": "re_key"}), secret_owner(shop.id))
    add_account(link, shop, kind="resend", options={"base_url": f"http://127.0.0.1:{port}"}, secret=secret)


def what_came(link: Connection, shop: ShopSettings) -> Came:
    def of(kind: str) -> set[UUID]:
        rows = link.execute("SELECT send_id FROM send_events WHERE kind = %s", [kind]).fetchall()
        return {row[0] for row in rows}

    return Came(of("handed_over"), of("uncertain"), {row.id for row in list_uncertain(link, shop, limit=100_000)})


def kill_while_it_waits(running: Worker, others: list[Worker], server: Sink | HttpSink) -> None:
    """For certain while a call of its own is unanswered: the others, which have hardly begun, stand still meanwhile."""
    with contextlib.ExitStack() as stack:
        for one in others:
            stack.enter_context(one.frozen())
        server.hold()
        until(lambda: server.stats()["open"] > 0, timeout_s=120, what="a call")
        running.kill()
        server.free()


def kill_and_restart(running: Worker, server: Sink | HttpSink, sends: int, kills: int, draw: random.Random) -> None:
    for kill in range(kills):
        goal = int(sends * 0.9 * (kill + draw.random()) / kills)
        until(lambda goal=goal: server.stats()["calls"] >= goal, timeout_s=120, what=f"call {goal}")
        time.sleep(draw.random() * 0.02)
        running.kill()
        running.start()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_killed_again_and_again_nobody_gets_it_twice_and_none_is_lost(
    fresh_dsn: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    sends, kills = int(SENDS * run.share), int(KILLS * run.share)
    context = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
    began = time.monotonic()
    serving = http_sink if run.keyed else sink
    with (
        connect(fresh_dsn) as link,
        serving(late_rate=run.late_rate, late_s=LATE_S, reply_s=REPLY_S) as server,
    ):
        ensure_partitions(link, SYSTEM_CLOCK.now())
        shop = make_shop(link, spread=run.spread)
        version = publish_template(link, shop, SYSTEM_CLOCK.now())
        account_of(link, shop, run, server.port)
        people = seed(link, context, [Person(f"p{n}", shop, template_version_id=version) for n in range(sends)])
        everybody = {person.send_id for person in people}
        options = {"dsn": fresh_dsn, "port": server.port, "connections": CONNECTIONS, "lookup": run.lookup}
        options["keyed"] = run.keyed
        times = {"claim_lease": 1.5, "sending_lease": run.sending_lease, "settle_time": run.settle_time}
        open_states = ["scheduled", "claimed", "sending"] + (["uncertain"] if run.lookup or run.keyed else [])

        def left() -> int:
            row = link.execute("SELECT count(*) FROM outbox WHERE state = ANY(%s)", [open_states]).fetchone()
            assert row is not None
            return int(row[0])

        with contextlib.ExitStack() as stack:
            running, *others = [stack.enter_context(worker(**options, **times)) for _ in range(run.workers)]
            kill_while_it_waits(running, others, server)
            running.start()
            kill_and_restart(running, server, sends, kills - 1, random.Random(20_251 + run.lookup))
            until(lambda: left() == 0, timeout_s=300, what="the end of the work")
            codes = {one.stop() for one in (running, *others)}
            assert codes <= {0, -signal.SIGTERM}, "one that had hardly begun ends by the signal itself"
        time.sleep(LATE_S + 0.1)
        seen, came = server.stats(), what_came(link, shop)

    accepted = {UUID(send) for send in seen["sends"]}
    lost = everybody - accepted - came.listed
    unexpected = (accepted | came.handed) - everybody
    recovered = came.doubted - came.listed
    with capsys.disabled():
        print(
            f"\n{run.name:18} spread {run.spread}: sends {sends}  kills {kills}  provider calls {seen['calls']}"
            f"  lost {len(lost)}  duplicated {len(seen['doubled'])}  unexpected {len(unexpected)}"
            f"  recovered {len(recovered)}  uncertain {len(came.doubted)} (limit {kills * CONNECTIONS})"
            f"  shown {len(came.listed)}  {time.monotonic() - began:.0f} s",
            end="",
        )
    assert seen["doubled"] == []
    assert lost == set()
    assert unexpected == set()
    assert came.handed | came.listed == everybody
    assert came.handed & came.listed == set()
    assert came.handed <= accepted, "nothing is called handed over that the provider never took"
    assert came.listed <= came.doubted
    if run.sending_lease > LATE_S:
        assert len(came.doubted) <= kills * CONNECTIONS
    if run.lookup or run.keyed:
        assert came.listed == set()
        assert accepted == everybody
        assert len(came.doubted) > 0, "kills that catch no call prove nothing"
    else:
        assert 0 < len(came.doubted) == len(came.listed), "kills that catch no call prove nothing"
        assert seen["calls"] == len(accepted), "none was sent again by itself"
    if run.keyed:
        assert seen["changed"] == [], "the key is identical in all attempts, and so is every byte"
        assert seen["repeats"] > 0


def test_the_sink_sees_a_key_that_comes_with_another_body() -> None:
    """The proof above is worth nothing otherwise."""
    with http_sink() as server:
        told = [
            server.ask("POST", "/emails", body, Idempotency_Key=key)[0]
            for key, body in (("1-a", b"x"), ("1-a", b"x"), ("1-b", b"x"), ("1-b", b"y"))
        ]
        seen = server.stats()
    assert told == [200, 200, 200, 409]
    assert (seen["doubled"], seen["changed"], seen["repeats"]) == ([], ["1-b"], 2)
