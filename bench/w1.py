"""W1: how many events a core-second, over HTTP, stored, deduplicated and folded into carts before the answer?

    python -m bench.w1            five rounds of W1a and W1b
    python -m bench.w1 --only a --rounds 3 --events 20000

W1a posts batches of 500 to /v1/batch and has two limits, both COPY of the rows that the product stored:

- "copy 3 idx", the limit that floor and aim were set against: a plain table with a primary key, a unique index over the
  shop and the sender's own id of the event, and an index over shop, cart and time. It is what storing and deduplicating
  events costs where ids are given out by the database.
- "copy own", our own table. Its ids are made of the instant and the sender's id, so that the primary key deduplicates
  and one index less is needed: COPY into it is cheaper than the first, and a ratio to it is lower for the same product.
  It has no floor; it says how far everything beside the bare rows (reading, carts, visitors, answers) is from nothing.

W1b posts single events to /v1/track from 256 and from 64 connections, each answered after its commit;
its limit is one INSERT and one commit per event. The servers are `rekindle serve` with its defaults; their start and
a warm-up are outside of the time. Every cart gets four events, two in each of two batches. PostgreSQL's own cleaning
is off in the databases of this benchmark: it looks around once a minute and reads 30,000 rows of each changed table,
which is a tenth of the time of a run of seconds, or nothing, as it happens.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import msgspec
import psycopg
import psycopg.sql

from bench.harness import (
    Bench,
    BrokenRunError,
    Comparison,
    Meter,
    Sample,
    database,
    environment,
    free_port,
    port_open,
    process,
    report,
    run_rounds,
)
from bench.load import put, request

KEY = "w1-write-key"
BATCH = 500
WARM = 2_000
EVENTS_PER_CART = 4
PRODUCTS = 400


@dataclass(frozen=True)
class Plan:
    bench: Bench
    workers: int
    batch_events: int
    single_events: int
    limit_events: int


def events(count: int, *, salt: str) -> list[bytes]:
    """Messages as shops send them, about 650 bytes each: additions, views, snapshots, checkouts."""
    now = datetime.now(UTC) - timedelta(minutes=10)
    half = count // 2
    made = []
    for number in range(count):
        cart = (number % half) // (EVENTS_PER_CART // 2)
        product = _product((number * 7919) % PRODUCTS)
        name, properties = "Product Added", {"cart_id": f"{salt}-{cart}", "currency": "EUR", **product}
        if number % 8 == 5:
            name = "Product Viewed"
        elif number % 8 == 6:
            name, properties = (
                "Cart Updated",
                {
                    "cart_id": f"{salt}-{cart}",
                    "currency": "EUR",
                    "products": [product, _product(number % PRODUCTS)],
                },
            )
        elif number % 8 == 7:
            name = "Checkout Started"
        made.append(
            msgspec.json.encode(
                {
                    "type": "track",
                    "event": name,
                    "anonymousId": f"{salt}-{cart}",
                    "messageId": str(uuid.uuid4()),
                    "timestamp": (now + timedelta(milliseconds=number)).isoformat(),
                    "context": {
                        "library": {"name": "analytics.js", "version": "2.1.0"},
                        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148",
                        "locale": "de-DE",
                        "page": {"path": "/p", "url": f"https://shop.example/p/{number % PRODUCTS}"},
                    },
                    "properties": properties,
                    "writeKey": KEY,
                }
            )
        )
    return made


def _product(number: int) -> dict[str, object]:
    return {
        "product_id": f"prod-{number:06d}",
        "sku": f"SKU-{number:05d}",
        "name": f"Hiking jacket, model {number}",
        "price": 10 + number / 100,
        "quantity": 1,
        "category": "Outdoor",
        "image_url": f"https://cdn.shop.example/{number}.jpg",
    }


@contextlib.contextmanager
def serving(plan: Plan, dsn: str) -> Iterator[tuple[int, int]]:
    """A fresh server over this database, warm; gives its port and process id."""
    port = free_port()
    arguments = [sys.executable, "-m", "rekindle.commands.cli", "serve", "--port", str(port)]
    arguments += ["--workers", str(plan.workers)]
    with process(arguments, environment(dsn, REKINDLE_INGEST_RATE="0"), ready=port_open(port)) as server:
        warm = events(WARM, salt="warm")
        put(port, 16, [request("/v1/track", event) for event in warm])
        yield port, server.pid


def make_shop(dsn: str) -> None:
    from tests.factories import make_shop

    with psycopg.connect(dsn, autocommit=True) as connection:
        make_shop(connection, write_key=KEY)
        without_cleaning(connection)


def without_cleaning(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """No autovacuum in this database."""
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    for (table,) in connection.execute(tables).fetchall():
        name = psycopg.sql.Identifier(str(table))
        connection.execute(psycopg.sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(name))


def check(dsn: str, count: int) -> None:
    """Every event once, every cart there, nothing else. Raises BrokenRunError."""
    with psycopg.connect(dsn) as connection:
        stored = connection.execute(
            "SELECT count(*), count(DISTINCT id) FROM events WHERE visitor_key NOT LIKE 'a:warm%'"
        ).fetchone()
        carts = connection.execute(
            "SELECT count(*) FROM carts WHERE cart_key NOT LIKE 'warm%' AND jsonb_array_length(items) > 0"
        ).fetchone()
    assert stored is not None
    assert carts is not None
    expected = count // EVENTS_PER_CART
    if stored != (count, count) or carts[0] != expected:
        raise BrokenRunError(f"{stored} of {count} events, {carts[0]} of {expected} carts")


# --- W1a ----------------------------------------------------------------------------------------------------------


def batches(plan: Plan) -> Sample:
    count = plan.batch_events
    made = events(count, salt=uuid.uuid4().hex[:8])
    requests = [
        request("/v1/batch", b'{"writeKey":"%s","batch":[%s]}' % (KEY.encode(), b",".join(made[at : at + BATCH])))
        for at in range(0, count, BATCH)
    ]
    return _measured(plan, requests, connections=8, count=count)


def _measured(plan: Plan, requests: list[bytes], *, connections: int, count: int) -> Sample:
    dsn = plan.bench.fresh()
    make_shop(dsn)
    with serving(plan, dsn) as (port, pid):
        plan.bench.settle()
        meter = Meter([pid, plan.bench.pid])
        meter.start()
        outcome, sender_s = put(port, connections, requests)
        meter.stop()
        meter.add_beside(sender_s)
    check(dsn, count)
    return Sample.of(count, meter, f"p50 {outcome.p50_ms:.0f} ms, p99 {outcome.p99_ms:.0f} ms")


def own_table_limit(plan: Plan) -> Sample:
    """COPY of the rows that a product run left behind, into the same table of a fresh database."""
    return _copied(plan, "events", _rows_of_last_run(plan, "*"))


def three_index_limit(plan: Plan) -> Sample:
    """The same rows, each with an id as a sender gives it, into the plain table of the docstring."""
    return _copied(plan, "plain_events", _rows_of_last_run(plan, "*, gen_random_uuid()"), *_PLAIN_EVENTS)


_PLAIN_EVENTS: tuple[LiteralString, ...] = (
    "CREATE TABLE plain_events (LIKE events, event uuid NOT NULL)",
    "ALTER TABLE plain_events ADD PRIMARY KEY (bucket, id)",
    "CREATE UNIQUE INDEX ON plain_events (shop_id, event)",
    "CREATE INDEX ON plain_events (shop_id, cart_id, at)",
)


def _copied(plan: Plan, table: LiteralString, rows: list[bytes], *before: LiteralString) -> Sample:
    dsn = plan.bench.fresh("rekindle_bench_limit")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in before:
            connection.execute(statement)
        without_cleaning(connection)
        plan.bench.settle()
        meter = Meter([_own(), plan.bench.pid])
        meter.start()
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for at in range(0, len(rows), BATCH):
                copy.write(b"".join(rows[at : at + BATCH]))
        meter.stop()
        _exactly(connection, len(rows), table)
    return Sample.of(len(rows), meter)


def _rows_of_last_run(plan: Plan, columns: LiteralString) -> list[bytes]:
    statement = f"COPY (SELECT {columns} FROM events ORDER BY received_at) TO STDOUT"
    dsn = psycopg.conninfo.make_conninfo(plan.bench.admin_dsn, dbname="rekindle_bench")
    with psycopg.connect(dsn) as connection, connection.cursor().copy(statement) as copy:
        return [bytes(row) for row in copy]


# --- W1b ----------------------------------------------------------------------------------------------------------


def singles(plan: Plan, connections: int) -> Sample:
    count = plan.single_events
    requests = [request("/v1/track", event) for event in events(count, salt=uuid.uuid4().hex[:8])]
    return _measured(plan, requests, connections=connections, count=count)


def insert_limit(plan: Plan) -> Sample:
    """One INSERT and one commit per row, ten connections, prepared statements."""
    with psycopg.connect(psycopg.conninfo.make_conninfo(plan.bench.admin_dsn, dbname="rekindle_bench")) as connection:
        rows = connection.execute(
            "SELECT bucket, id, shop_id, kind, name, at, received_at, visitor_key, cart_id, payload::text FROM events"
            f" LIMIT {plan.limit_events}"
        ).fetchall()
    dsn = plan.bench.fresh("rekindle_bench_limit")
    plan.bench.settle()
    links = [psycopg.connect(dsn, autocommit=True, prepare_threshold=0) for _ in range(10)]
    statement = "INSERT INTO events VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"

    def insert(at: int) -> None:
        for row in rows[at :: len(links)]:
            links[at].execute(statement, row)

    threads = [threading.Thread(target=insert, args=(at,)) for at in range(len(links))]
    meter = Meter([_own(), plan.bench.pid])
    meter.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    meter.stop()
    _exactly(links[0], len(rows))
    for link in links:
        link.close()
    return Sample.of(len(rows), meter)


def _own() -> int:
    import os

    return os.getpid()


def _exactly(connection: psycopg.Connection[tuple[object, ...]], count: int, table: LiteralString = "events") -> None:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    if row != (count,):
        raise BrokenRunError(f"{row} rows instead of {count}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["a", "b"], help="one of the two workloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=60_000, help="events of a W1a run; W1b uses half")
    parser.add_argument("--workers", type=int, default=2, help="server processes")
    chosen = parser.parse_args()
    good = True
    with database() as bench:
        plan = Plan(bench, chosen.workers, chosen.events, chosen.events // 2, min(chosen.events // 4, 10_000))
        if chosen.only != "b":
            runs = {
                "batches": lambda: batches(plan),
                "copy 3 idx": lambda: three_index_limit(plan),
                "copy own": lambda: own_table_limit(plan),
            }
            rounds = run_rounds(runs, count=chosen.rounds, turn=False)
            aims = [Comparison("batches", "copy 3 idx", floor=0.25, aim=0.5), Comparison("batches", "copy own")]
            good &= report("W1a", rounds, aims)
        if chosen.only != "a":
            runs = {
                "256 conn.": lambda: singles(plan, 256),
                "64 conn.": lambda: singles(plan, 64),
                "insert": lambda: insert_limit(plan),
            }
            rounds = run_rounds(runs, count=chosen.rounds, turn=False)
            aims = [
                Comparison("256 conn.", "insert", floor=1.5, aim=4.0),
                Comparison("64 conn.", "insert", floor=1.5),
            ]
            good &= report("W1b", rounds, aims)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
