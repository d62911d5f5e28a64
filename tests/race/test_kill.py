"""kill -9 the delivery worker again and again while it sends: nobody gets a message twice, and none disappears.

The real worker, the real SMTP client, a counting sink whose acceptance survives the client's death, one reply in fifty
400 ms late. What cannot be known is listed for a person; where the provider can be asked, it is asked after the settle
time. Prints the table of the run.
"""

from __future__ import annotations

import random
import time
from uuid import UUID

import pytest

from rekindle.engine.context import Context
from rekindle.engine.doubt import list_uncertain
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.store.database import connect
from rekindle.store.partitions import ensure_partitions
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

from .delivery_worker import HASH_KEY, PUBLIC_URL, VAULT_KEY
from .processes import sink, until, worker

SENDS, KILLS, CONNECTIONS = 2_000, 20, 8
LATE_RATE, LATE_S, REPLY_S = 0.02, 0.4, 0.003


@pytest.mark.parametrize(("lookup", "spread"), [(False, 1), (True, 4)], ids=["smtp", "provider with look-up"])
def test_killed_twenty_times_nobody_gets_it_twice_and_none_is_lost(
    fresh_dsn: str, lookup: bool, spread: int, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(20_251 + lookup)
    context = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
    began = time.monotonic()
    with connect(fresh_dsn) as link, sink(late_rate=LATE_RATE, late_s=LATE_S, reply_s=REPLY_S) as server:
        ensure_partitions(link, SYSTEM_CLOCK.now())
        shop = make_shop(link, spread=spread)
        version = publish_template(link, shop, SYSTEM_CLOCK.now())
        add_account(link, shop, kind="smtp")
        people = seed(link, context, [Person(f"p{n}", shop, template_version_id=version) for n in range(SENDS)])
        by_send = {person.send_id: person for person in people}

        def left(*states: str) -> int:
            row = link.execute("SELECT count(*) FROM outbox WHERE state = ANY(%s)", [list(states)]).fetchone()
            assert row is not None
            return int(row[0])

        options = {
            "dsn": fresh_dsn,
            "port": server.port,
            "connections": CONNECTIONS,
            "lookup": lookup,
            "claim_lease": 1.5,
            "sending_lease": 1.5,
            "settle_time": 1.5,
        }
        with worker(**options) as running:
            for kill in range(KILLS):
                goal = int(SENDS * 0.9 * (kill + draw.random()) / KILLS)
                until(lambda goal=goal: server.stats()["calls"] >= goal, timeout_s=60, what=f"call {goal}")
                time.sleep(draw.random() * 0.02)
                running.kill()
                running.start()
            open_states = ["scheduled", "claimed", "sending"] + (["uncertain"] if lookup else [])
            until(lambda: left(*open_states) == 0, timeout_s=60, what="the end of the work")
            assert running.stop() == 0
        time.sleep(LATE_S + 0.1)

        seen = server.stats()
        accepted = {UUID(send) for send in seen["sends"]}
        listed = {row.id for row in list_uncertain(link, shop, limit=10_000)}
        handed = {
            row[0] for row in link.execute("SELECT send_id FROM send_events WHERE kind = 'handed_over'").fetchall()
        }
        doubted = {
            row[0] for row in link.execute("SELECT send_id FROM send_events WHERE kind = 'uncertain'").fetchall()
        }
        lost = by_send.keys() - accepted - listed
        with capsys.disabled():
            print(
                f"\n{'look-up' if lookup else 'smtp':8} spread {spread}: sends {SENDS}  kills {KILLS}  provider calls {seen['calls']}"
                f"  duplicates {len(seen['doubled'])}  lost {len(lost)}  uncertain {len(doubted)}"
                f" (limit {KILLS * CONNECTIONS})  reconciled {len(doubted - listed)}  left {len(listed)}"
                f"  {time.monotonic() - began:.0f} s"
            )
        assert seen["doubled"] == []
        assert lost == set()
        assert seen["recipients"] == len(accepted)
        assert len(doubted) <= KILLS * CONNECTIONS
        assert handed | listed == by_send.keys()
        assert handed & listed == set()
        assert handed <= accepted, "nothing is called handed over that the provider never took"
        assert listed <= doubted
        if lookup:
            assert listed == set()
            assert len(accepted) == SENDS
        else:
            assert 0 < len(doubted) == len(listed), "twenty kills that catch no call prove nothing"
