"""Do the short way to run a statement and psycopg's own give the same rows and the same errors?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.policy.cart_draft import to_us
from rekindle.store.copying import id_array
from rekindle.store.database import Connection, Database
from rekindle.store.ingest import EventRow, copy_events, known_events
from rekindle.store.prepared import command, run, transaction
from rekindle.store.visitors import VisitorNews, add_visitors, load_visitors

pytestmark = pytest.mark.usefixtures("session_dsn")
BUCKET = 77


@pytest.fixture
def database(session_dsn: str) -> Iterator[Database]:
    with Database(session_dsn, size=2) as found:
        yield found


@pytest.fixture
def kept(database: Database) -> Iterator[Connection]:
    with database.kept(BUCKET) as connection:
        yield connection
        if not connection.closed:
            connection.execute("DELETE FROM visitors WHERE bucket = %s", [BUCKET])


def somebody(key: str) -> VisitorNews:
    now = SYSTEM_CLOCK.now()
    return VisitorNews(bucket=BUCKET, id=uuid4(), shop_id=1, visitor_key=key, first_seen_at=now, seen_at=now)


def event(name: str = "Häuser\t\\n") -> EventRow:
    now = to_us(SYSTEM_CLOCK.now())
    return (BUCKET, uuid4().bytes, 1, "other", name, now, now, None, None, b'{"a": 1}')


def test_both_ways_give_the_same_rows(database: Database, kept: Connection) -> None:
    news = [somebody("a:1"), somebody("a:2")]
    assert add_visitors(kept, BUCKET, news) == {one.id for one in news}
    ids = [*(one.id for one in news), uuid4()]
    with database.data(BUCKET) as pooled:
        assert pooled.prepare_threshold is not None
        ordinary = load_visitors(pooled, BUCKET, ids)
    short = load_visitors(kept, BUCKET, ids)
    assert sorted(short, key=lambda row: row.id) == sorted(ordinary, key=lambda row: row.id)
    assert len(short) == 2
    assert load_visitors(kept, BUCKET, [uuid4()]) == []


def test_a_thread_keeps_its_connection_until_it_breaks(database: Database) -> None:
    with database.kept(BUCKET) as first:
        pass
    with database.kept(BUCKET) as second:
        assert second is first
        second.execute("BEGIN")
    assert first.closed
    with database.kept(BUCKET) as third:
        assert third is not first
        assert run(third, "load_visitors", {"bucket": BUCKET, "ids": "{}"}) == []


def test_a_kept_connection_whose_session_was_ended_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rekindle.store.database.DOUBT_S", 0.0)
    with database.kept(BUCKET) as first, database.control() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first.info.backend_pid])
    with database.kept(BUCKET) as second:
        assert second is not first
        assert second.execute("SELECT 1").fetchone() == (1,)


def test_a_lost_connection_is_an_operational_error(database: Database, kept: Connection) -> None:
    run(kept, "load_visitors", {"bucket": BUCKET, "ids": "{}"})
    with database.control() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [kept.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        run(kept, "load_visitors", {"bucket": BUCKET, "ids": "{}"})
    with pytest.raises(psycopg.OperationalError), transaction(kept):
        pass


def test_statements_survive_a_rollback(kept: Connection) -> None:
    values = {"bucket": BUCKET, "ids": id_array([uuid4()])}
    assert run(kept, "load_visitors", values) == []
    for _ in range(12):  # psycopg prepares what it ran a few times, and drops all that is prepared after a rollback
        with transaction(kept), pytest.raises(psycopg.errors.DivisionByZero), kept.transaction():
            kept.execute("SELECT 1 / (%s)::int", [0])
        assert run(kept, "load_visitors", values) == []


def _fail_after_adding(connection: Connection, one: VisitorNews) -> None:
    with transaction(connection):
        add_visitors(connection, BUCKET, [one])
        raise ZeroDivisionError


def _mind_nothing(connection: Connection) -> None:
    with transaction(connection), suppress(psycopg.errors.UndefinedTable):
        command(connection, b"SELECT 1 FROM nowhere")


def test_a_transaction_is_all_or_nothing_and_a_savepoint_inside_another(kept: Connection) -> None:
    first, second = somebody("a:1"), somebody("a:2")
    with transaction(kept):
        add_visitors(kept, BUCKET, [first])
        with pytest.raises(ZeroDivisionError):
            _fail_after_adding(kept, second)
    assert [row.id for row in load_visitors(kept, BUCKET, [first.id, second.id])] == [first.id]
    with pytest.raises(ZeroDivisionError):
        _fail_after_adding(kept, second)
    assert load_visitors(kept, BUCKET, [second.id]) == []


def test_a_failure_that_nobody_minded_is_no_commit(kept: Connection) -> None:
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        _mind_nothing(kept)
    assert kept.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def test_copy_takes_any_text_and_says_what_was_wrong(kept: Connection) -> None:
    rows = sorted((event() for _ in range(3)), key=lambda row: row[1])
    try:
        copy_events(kept, rows)
        assert known_events(kept, BUCKET, [row[1] for row in rows]) == {row[1] for row in rows}
        with pytest.raises(psycopg.errors.UniqueViolation):
            copy_events(kept, [event(), rows[0]])
        with pytest.raises(psycopg.DataError):
            copy_events(kept, [(*event()[:9], b'{"a": ')])
        many = sorted((event("x" * 900) for _ in range(3_000)), key=lambda row: row[1])
        copy_events(kept, many)  # more than goes out in one piece
        told = kept.execute("SELECT count(*) FROM events WHERE bucket = %s", [BUCKET]).fetchone()
        assert told == (3_003,)
    finally:
        kept.execute("DELETE FROM events WHERE bucket = %s", [BUCKET])


def test_an_interval_arrives_as_one(kept: Connection) -> None:
    assert run(kept, "see_products", {"bucket": BUCKET, "rows": "[]", "stale": timedelta(hours=1)}) == []
