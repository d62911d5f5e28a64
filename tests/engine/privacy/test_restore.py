"""A backup is restored: is nothing sent before opt-outs and erasures were replayed, and nothing to these people after?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from rekindle.commands import restore as command
from rekindle.commands.cli import parser_of
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.engine.forget import erase_address
from rekindle.engine.opt_out import opt_out_address
from rekindle.engine.replay import newest_of_each, replay
from rekindle.engine.restore_gate import beat, begin, gate
from rekindle.lib.clock import MovableClock
from rekindle.lib.journal import Counts, Journal, Mark
from rekindle.lib.operator_error import OperatorError
from rekindle.store.database import Connection, connect
from rekindle.terms.send import Channel
from tests.databases import with_database

from ..delivery import World, make_world

PATIENCE_S = 60.0


def wait_until(condition: Callable[[], object]) -> None:
    """Threads need a moment; what is waited for is a fact, never a time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.02)


@pytest.fixture
def journal(context: Context, tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", context.hash_key)


@pytest.fixture
def watched(context: Context, journal: Journal) -> Context:
    return replace(context, journal=journal)


@pytest.fixture
def backup(admin_dsn: str, fresh_dsn: str) -> Iterator[Callable[[], str]]:
    """Makes a copy of the database as it is now, as a restored backup would be; returns its DSN."""
    name = str(psycopg.conninfo.conninfo_to_dict(fresh_dsn)["dbname"])
    copy = f"{name}_backup"

    def make() -> str:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(name))
        with psycopg.connect(admin_dsn, autocommit=True) as admin:
            admin.execute(statement)
        return with_database(admin_dsn, copy)

    yield make
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(copy)))


def address_of(connection: Connection, shopper_id: object) -> str:
    row = connection.execute(
        "SELECT address FROM contact_points WHERE shopper_id = %s AND channel = 'email'", [shopper_id]
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_a_restored_database_sends_nothing_until_the_journal_was_replayed(
    fresh_dsn: str, backup: Callable[[], str], watched: Context, clock: MovableClock, journal: Journal
) -> None:
    with connect(fresh_dsn) as link:
        world = make_world(link, fresh_dsn, watched, clock, 1, holdout_rate=0)
        ada, bob, eve = world.person("ada"), world.person("bob"), world.person("eve")
        beat(link, watched)
        addresses = {one.name: address_of(link, one.shopper_id) for one in (ada, eve)}
    restored = backup()  # last night's backup
    with connect(fresh_dsn) as link:  # what happened since
        opt_out_address(
            link, watched, world.shop, channel=Channel.EMAIL, address=addresses["ada"], source="link", at=clock.now()
        )
        erase_address(link, watched, world.shop, channel=Channel.EMAIL, address=addresses["eve"], source="operator")
        beat(link, watched)
        assert gate(link, watched).is_open
    text = (journal.folder / "journal.jsonl").read_text()
    assert all(address not in text for address in addresses.values())
    with connect(restored) as link:
        now = replace(world, connection=link, dsn=restored)
        run_restored(now, watched, journal, sent_to=address_of(link, bob.shopper_id))
        assert link.execute(
            "SELECT reason FROM suppressions ORDER BY reason"
        ).fetchall() == [("erased",), ("unsubscribed",)]  # fmt: skip
        assert link.execute(
            "SELECT erased_at IS NOT NULL FROM shoppers WHERE id = %s", [eve.shopper_id]
        ).fetchone() == (True,)


def run_restored(world: World, watched: Context, journal: Journal, *, sent_to: str) -> None:
    """A worker on the restored database: closed, replayed, open."""
    link = world.connection
    loop = DeliveryLoop(world.dsn, watched, make=world.make)
    loop.start()
    try:
        wait_until(
            lambda: link.execute(
                "SELECT 1 FROM jobs WHERE name = 'loop:deliver' AND last_error = 'GateClosed'"
            ).fetchone()
        )
        found = gate(link, watched)
        assert (found.is_open, "it was restored" in found.why) == (False, True)
        beat(link, watched)  # changes nothing behind a closed gate
        assert not gate(link, watched).is_open
        assert world.provider.started == []
        done = replay(link, watched, journal)
        assert done.by_kind == {"opted_out": 2, "erased": 1}  # an erasure withdraws the consent too
        assert gate(link, watched).is_open
        loop.wake()
        wait_until(lambda: link.execute("SELECT count(*) = 0 FROM outbox").fetchone() == (True,))
    finally:
        loop.ask_to_stop()
        loop.join(PATIENCE_S)
    assert [letter.recipient for letter in world.provider.started] == [sent_to]


def test_when_the_gate_is_closed(fresh_dsn: str, watched: Context, journal: Journal, clock: MovableClock) -> None:
    """A first start opens it; a lost journal, a damaged one and another database's close it."""
    with connect(fresh_dsn) as link:
        assert gate(link, watched).is_open  # before the first worker
        begin(link, watched)
        beat(link, watched)
        mark = journal.mark()
        assert (gate(link, watched).is_open, mark is not None and mark.beat) == (True, 1)
        for wrong, why in ((Mark("another", 1), "another database"), (Mark(mark.installation, 9), "restored")):  # type: ignore[union-attr]
            journal.set_mark(wrong)
            assert why in gate(link, watched).why
        (journal.folder / "mark.json").write_text("{")
        assert "damaged" in gate(link, watched).why
        (journal.folder / "mark.json").unlink()
        assert "missing" in gate(link, watched).why
        assert gate(link, replace(watched, journal=None)).is_open  # switched off


def test_a_new_database_beside_an_old_journal_is_the_one_only_if_nothing_was_ever_sent_from_it(
    fresh_dsn: str, watched: Context, journal: Journal, clock: MovableClock
) -> None:
    journal.set_mark(Mark("before", 77))
    with connect(fresh_dsn) as link:
        world = make_world(link, fresh_dsn, watched, clock, 1)
        world.person("ada")
        begin(link, watched)
        assert "another database" in gate(link, watched).why
        link.execute("TRUNCATE sends, outbox")
        begin(link, watched)
        assert gate(link, watched).is_open


def test_the_journal_believes_no_torn_and_no_foreign_line(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path, b"k" * 32), Journal(tmp_path, b"x" * 32)
    line = {"shop": 1, "channel": "email", "hash": "00", "what": "opted_out", "at": "2026-03-02T09:00:00+00:00"}
    journal.note(line)
    other.note(line | {"hash": "ff"})
    journal.note(line | {"what": "erased"})
    journal.note(line)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"shop": 1, "what": "era')
    counts = Counts()
    lines = list(journal.lines(counts))
    assert [one["what"] for one in lines] == ["opted_out", "erased", "opted_out"]
    assert (counts.torn, counts.forged) == (1, 1)
    assert [one["what"] for one in newest_of_each(lines)] == ["erased", "opted_out"]


def test_many_write_to_the_journal_at_once(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for each in range(25):
            Journal(tmp_path, b"k" * 32).note({"writer": number, "line": each, "filler": "x" * 300})

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = Counts()
    assert len(list(Journal(tmp_path, b"k" * 32).lines(counts))) == 100
    assert (counts.torn, counts.forged) == (0, 0)


def test_a_journal_that_cannot_be_written_fails_no_opt_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    Journal(tmp_path / "file", b"k" * 32).note({"what": "opted_out"})
    assert "journal_not_written" in caplog.text


def test_the_command_says_what_is_closed_and_opens_it(
    fresh_dsn: str,
    watched: Context,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {
        "DATABASE_URL": fresh_dsn, "JOURNAL": journal.folder, "HASH_KEY": watched.hash_key, "VAULT_KEY": b"v" * 32,
        "PUBLIC_URL": "https://rekindle.example",
    }.items():  # fmt: skip
        monkeypatch.setattr(settings, name, value)

    def run(*words: str) -> int:
        return command.run(parser_of("restore").parse_args(words))

    with connect(fresh_dsn) as link:
        beat(link, watched)
        (journal.folder / "mark.json").unlink()
        assert run("status") == 1
        assert "Nothing is sent: the journal of opt-outs and erasures is missing" in capsys.readouterr().out
        with pytest.raises(OperatorError, match="there is no journal"):
            run("replay")
        assert not gate(link, watched).is_open
        assert run("replay", "--without-journal") == 0
        assert (run("status"), gate(link, watched).is_open) == (0, True)
    monkeypatch.setattr(settings, "JOURNAL", None)
    with pytest.raises(OperatorError, match="switched off"):
        run("status")
