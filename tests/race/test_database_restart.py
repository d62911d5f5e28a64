"""The database goes away in the middle of batches, and two workers share the work: nobody twice, none lost, nobody waits.

A server of the test's own is crashed (SIGQUIT), restarted in a hurry (SIGINT), and its sessions are ended, while two
delivery workers send to the counting sink. The workers live on; what they know they record when the database is back.
``REKINDLE_RESTART_SENDS`` makes the run longer: `make prove` sends 1,500.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from rekindle.engine.batch import Pace
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.providers.base import EmailProvider
from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Tls
from rekindle.store.database import connect
from rekindle.store.partitions import ensure_partitions
from rekindle.store.postgres import ensure_running, stop
from tests.databases import migrate
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

from .processes import Sink, sink, until

SENDS, WORKERS = int(os.environ.get("REKINDLE_RESTART_SENDS", "600")), 2


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rk-"))
    folder.chmod(0o711)
    yield folder / "home"
    stop(folder / "home")
    shutil.rmtree(folder)


def hurt(home: Path, how: str) -> None:
    """Let the database go away in one of three ways, and come back."""
    server = ensure_running(home)
    if how == "sessions ended":
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return
    os.kill(server.pid, signal.SIGQUIT if how == "crash" else signal.SIGINT)
    until(lambda: not Path(f"/proc/{server.pid}").exists(), timeout_s=120, what="the end of the server")
    ensure_running(home)


def test_two_workers_send_through_a_database_that_goes_away_three_times(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ensure_running(home)
    migrate(server.dsn)
    context = Context(hash_key=b"h" * 32, vault_key=b"v" * 32, public_url="https://rekindle.example")
    with sink(reply_s=0.004) as there:
        with connect(server.dsn) as link:
            ensure_partitions(link, SYSTEM_CLOCK.now())
            shop = make_shop(link, spread=2)
            version = publish_template(link, shop, SYSTEM_CLOCK.now())
            add_account(link, shop, kind="smtp")
            people = seed(link, context, [Person(f"p{n}", shop, template_version_id=version) for n in range(SENDS)])

        def make(kind: str, options: dict[str, object], secret: bytes) -> EmailProvider:
            return SmtpProvider(SmtpSettings(host="127.0.0.1", port=there.port, tls=Tls.NONE, connections=4))

        pace = Pace(limit=64, claim_lease=timedelta(seconds=4), settle_every_s=0.5)
        loops = [DeliveryLoop(server.dsn, context, name=f"d{n}", make=make, pace=pace) for n in range(WORKERS)]
        for loop in loops:
            loop.start()
        longest_s = 0.0
        for number, how in enumerate(("crash", "sessions ended", "restart"), start=1):
            goal = SENDS * number // 5
            until(lambda goal=goal: there.stats()["calls"] >= goal, timeout_s=120, what=f"call {goal}")
            before = there.stats()["calls"]
            hurt(home, how)
            longest_s = max(longest_s, _back_after(there, before + 20))
        with connect(ensure_running(home).dsn) as link:
            until(lambda: link.execute("SELECT count(*) FROM outbox").fetchone() == (0,), timeout_s=120, what="the end")
            for loop in loops:
                loop.ask_to_stop()
            assert all(loop.join(60) for loop in loops)
            seen = there.stats()
            events = link.execute("SELECT send_id, kind FROM send_events").fetchall()
        with capsys.disabled():
            print(
                f"\nrestarts: sends {SENDS}  workers {WORKERS}  provider calls {seen['calls']}  duplicates"
                f" {len(seen['doubled'])}  lost {SENDS - seen['unique']}  longest pause {longest_s:.1f} s"
            )
        assert seen["doubled"] == []
        assert {UUID(send) for send in seen["sends"]} == {person.send_id for person in people}
        assert sorted(events) == sorted((person.send_id, "handed_over") for person in people)
        assert longest_s < 30


def _back_after(there: Sink, goal: int) -> float:
    """Seconds until calls go on."""
    began = time.monotonic()
    until(lambda: there.stats()["calls"] >= goal, timeout_s=120, what="work after the restart")
    return time.monotonic() - began
