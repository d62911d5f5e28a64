"""Is what people did written down in a chain that even the owner of the database cannot change unseen (check C-15)?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import psycopg
import pytest

from rekindle.engine.audit import audit
from rekindle.engine.audit_log import fault_of_log, keep_head, kept_heads, note
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.log_entry import Deed, LogOutcome
from tests.databases import Copies

ENTRIES, ATTACKS = 60, 300


@pytest.fixture
def heads(context: Context, tmp_path: Path) -> Context:
    """A context whose heads are kept in a file."""
    return replace(context, heads_file=tmp_path / "outside" / "heads.jsonl")


def fill(connection: Connection, context: Context, clock: MovableClock, count: int = ENTRIES) -> None:
    for number in range(count):
        clock.advance(timedelta(minutes=7))
        deed = Deed(
            actor=f"person{number % 3}@shop.example",
            action="change_shop",
            outcome=LogOutcome.REFUSED if number % 5 == 0 else LogOutcome.DONE,
            shop_id=number % 2 + 1,
            subject=f"account_id={number}",
            facts={"changed": {"holdout_rate": [0.1, number / 7]}, "name": "Zoë \x00 ☂"},
            network="203.0.113.0/24",
        )
        note(connection, context, deed)


def test_entries_are_counted_chained_and_whole(connection: Connection, heads: Context, clock: MovableClock) -> None:
    fill(connection, heads, clock, 5)
    assert fault_of_log(connection, heads) == (5, None)
    row = connection.execute("SELECT seq, facts FROM audit_log ORDER BY seq DESC LIMIT 1").fetchone()
    assert row == (5, {"changed": {"holdout_rate": [0.1, 4 / 7]}, "name": "Zoë  ☂"})


def test_facts_without_end_are_left_out_rather_than_the_entry(connection: Connection, heads: Context) -> None:
    note(connection, heads, Deed(actor="a" * 500, action="x", facts={"much": "y" * 10_000}))
    row = connection.execute("SELECT length(actor), facts FROM audit_log").fetchone()
    assert row == (200, {})
    assert fault_of_log(connection, heads) == (1, None)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_the_table_refuses_changes(connection: Connection, heads: Context, clock: MovableClock, statement: str) -> None:
    fill(connection, heads, clock, 2)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(statement)  # type: ignore[arg-type]
    assert fault_of_log(connection, heads) == (2, None)


def attacks() -> dict[str, Callable[[Connection, Random], None]]:
    def pick(draw: Random) -> int:
        return draw.randint(1, ENTRIES)

    def edit(link: Connection, draw: Random) -> None:
        column, value = draw.choice(
            [
                ("actor", "'somebody else'"),
                ("outcome", "'seen'"),
                ("facts", "'{}'"),
                ("at", "at + interval '1 microsecond'"),
                ("shop_id", "shop_id + 1"),
                ("subject", "subject || ' '"),
                ("network", "''"),
                ("row_hash", "sha256('forged')"),
                ("previous_hash", "sha256('forged')"),
            ]
        )
        link.execute(f"UPDATE audit_log SET {column} = {value} WHERE seq = %s", [pick(draw)])  # type: ignore[arg-type]

    def delete(link: Connection, draw: Random) -> None:
        link.execute("DELETE FROM audit_log WHERE seq = %s", [pick(draw)])

    def swap(link: Connection, draw: Random) -> None:
        one, other = draw.sample(range(1, ENTRIES + 1), 2)
        for old, new in ((one, -1), (other, one), (-1, other)):
            link.execute("UPDATE audit_log SET seq = %s WHERE seq = %s", [new, old])

    def cut(link: Connection, draw: Random) -> None:
        link.execute("DELETE FROM audit_log WHERE seq > %s", [draw.randint(0, ENTRIES - 1)])

    def insert(link: Connection, draw: Random) -> None:
        place = pick(draw)
        link.execute("UPDATE audit_log SET seq = -seq - 1 WHERE seq >= %s", [place])
        link.execute("UPDATE audit_log SET seq = -seq WHERE seq < 0")
        link.execute(
            "INSERT INTO audit_log SELECT %s, at, shop_id, 'nobody', action, outcome, subject, facts, network,"
            " previous_hash, row_hash FROM audit_log WHERE seq = %s",
            [place, place + 1],
        )

    def close_the_gap(link: Connection, draw: Random) -> None:
        place = draw.randint(1, ENTRIES - 1)
        link.execute("DELETE FROM audit_log WHERE seq = %s", [place])
        link.execute("UPDATE audit_log SET seq = -seq + 1 WHERE seq > %s", [place])
        link.execute("UPDATE audit_log SET seq = -seq WHERE seq < 0")

    return {"edit": edit, "delete": delete, "swap": swap, "cut": cut, "insert": insert, "close": close_the_gap}


def test_300_attacks_by_a_superuser_are_found(heads: Context, clock: MovableClock, copies: Copies) -> None:
    dsn, found, kinds = copies.take(), 0, attacks()
    with connect(dsn, autocommit=False) as link:
        fill(link, heads, clock)
        keep_head(link, heads)
        kept = kept_heads(heads.heads_file)
        link.execute("SET session_replication_role = replica")  # a superuser goes past the trigger
        link.execute("SAVEPOINT whole")
        for number in range(ATTACKS):
            draw = Random(number)
            kinds[list(kinds)[number % len(kinds)]](link, draw)
            found += fault_of_log(link, heads, kept)[1] is not None
            link.execute("ROLLBACK TO SAVEPOINT whole")
        assert fault_of_log(link, heads, kept) == (ENTRIES, None)
        link.rollback()
    copies.give_back(dsn)
    print(f"C-15: {found} of {ATTACKS} attacks found")
    assert found == ATTACKS


def test_the_head_is_kept_once_and_the_audit_holds_the_log_against_it(
    heads: Context, clock: MovableClock, fresh_dsn: str
) -> None:
    with connect(fresh_dsn) as link:
        assert keep_head(link, heads) is None
        fill(link, heads, clock, 3)
        keep_head(link, heads)
        keep_head(link, heads)
        fill(link, heads, clock, 2)
        keep_head(link, heads)
        assert heads.heads_file is not None
        lines = [json.loads(line) for line in heads.heads_file.read_text().splitlines()]
        assert [(line["ledger"], line["seq"]) for line in lines] == [("log", 3), ("log", 5)]
        with heads.heads_file.open("a") as file:
            file.write("not json\n")
        report = audit(link, heads, since=clock.now() - timedelta(days=1))
        assert report.holds
        link.execute("SET session_replication_role = replica")
        link.execute("DELETE FROM audit_log WHERE seq > 4")
        (broken,) = [check for check in audit(link, heads, since=clock.now()).checks if check.broken]
        assert (broken.name, broken.looked_at) == ("log", 4)
        assert "kept elsewhere" in broken.ids[0]
