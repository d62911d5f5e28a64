"""W3c: how many flow steps per core-second, without delivery? Due runs, each of which gets a message planned.

    python -m bench.w3c [--runs 50000] [--rounds 5] [--batch 1000] [--graphile 30000] [--procrastinate 1500]

Product: engine.advance, from the lock to the commit: end checks, walk of the flow, channel and address, links and
recommendations, send + outbox row + decision + run written. Limit: rows of the same table claimed by SKIP LOCKED in
batches of 1,000 and completed by id in a second transaction, nothing decided, nothing else written. Peers: job engines
with jobs that do nothing (`step_peers`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg

from bench.harness import Bench, BrokenRunError, Comparison, Meter, Sample, database, report, run_rounds
from bench.step_peers import GRAPHILE, PROCRASTINATE, peers
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.collector import spare_the_collector
from rekindle.engine.context import Context
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import base_bucket
from rekindle.store.database import connect

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
#: Of 1,000 runs: how many belong to shoppers who ordered, and to shoppers without an address.
ORDERED, UNREACHABLE = 20, 20

FILL = [
    """
INSERT INTO carts (bucket, id, shop_id, cart_key, state, stage, items, currency, total_cents, created_at, touched_at,
  check_at, abandoned_at, shopper_bucket, shopper_id, views, facts, seq)
SELECT {b}, md5('cart' || g)::uuid, {shop}, 'c' || g, 'abandoned', 'cart', jsonb_build_array(
    jsonb_build_object('product_key', 'p' || g % 500, 'quantity', 1, 'title', 'Tent', 'unit_cents', 19900,
      'url', 'https://fernweh.example/p' || g % 500),
    jsonb_build_object('product_key', 'p' || (g + 7) % 500, 'quantity', 2, 'title', 'Stove', 'unit_cents', 4900,
      'url', 'https://fernweh.example/p' || (g + 7) % 500)),
  'EUR', 29700, {now} - interval '6 hours', {now} - interval '5 hours', {now} + interval '30 days',
  {now} - interval '270 minutes', {b}, md5('shopper' || g)::uuid, '[]', '{{}}', 2
FROM generate_series(1, {n}) g""",
    """
INSERT INTO shoppers (bucket, id, shop_id, first_name, last_name, locale, country, region, timezones, gpc, first_seen_at,
  seen_at, last_order_at, order_count, spent_cents, traits, seq)
SELECT {b}, md5('shopper' || g)::uuid, {shop}, 'Ada', '', 'en', 'DE', '', '[]', false, {now}, {now},
  CASE WHEN g % 1000 < {ordered} THEN {now} END, 0, 0, '{{}}', 1
FROM generate_series(1, {n}) g""",
    """
INSERT INTO contact_points (bucket, id, shop_id, shopper_bucket, shopper_id, channel, address, address_hash, consent,
  consent_at, consent_wording, created_at)
SELECT {b}, md5('contact' || g)::uuid, {shop}, {b}, md5('shopper' || g)::uuid, 'email', 's' || g || '@example.com',
  sha256(g::text::bytea), 'express', {now}, 'w', {now}
FROM generate_series(1, {n}) g WHERE g % 1000 < 1000 - {unreachable}""",
    """
INSERT INTO enrolments (bucket, id, shop_id, flow_id, flow_version_id, cart_bucket, cart_id, shopper_id, arm, state,
  step, due_at, abandoned_at, entered_at, step_at)
SELECT {b}, md5('run' || g)::uuid, {shop}, {flow}, {version}, {b}, md5('cart' || g)::uuid, md5('shopper' || g)::uuid,
  'treated', 'waiting', 'wait-1', {now} - interval '30 minutes' + g * interval '1 ms', {now} - interval '270 minutes',
  {now} - interval '270 minutes', {now} - interval '270 minutes'
FROM generate_series(1, {n}) g""",
    """
INSERT INTO products (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category,
  popularity, seen_at)
SELECT {b}, md5('product' || g)::uuid, {shop}, 'p' || g, 'Product ' || g, 'https://fernweh.example/p' || g, '', 900, 'EUR',
  '', 1 + g % 90, {now}
FROM generate_series(0, 499) g""",
    """
INSERT INTO product_pairs (bucket, shop_id, product_key, other_key, weight)
SELECT {b}, {shop}, 'p' || g, 'p' || (g + k * 3) % 500, k FROM generate_series(0, 499) g, generate_series(1, 20) k""",
]

CLAIM = """
UPDATE enrolments e SET step_at = {now} FROM (
  SELECT id FROM enrolments WHERE bucket = {b} AND state = 'waiting' AND due_at <= {now}
  ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED) d
WHERE e.bucket = {b} AND e.id = d.id RETURNING e.id::text
"""
COMPLETE = """
UPDATE enrolments SET state = 'done', due_at = NULL, ended_at = {now} WHERE bucket = {b} AND id = ANY(%s::uuid[])
"""


def build(bench: Bench, name: str, runs: int) -> None:
    """The database every round starts from: a shop with the default flow, and due runs."""
    dsn = bench.fresh(name)
    context = _context()
    with connect(dsn) as link:
        shop = create_shop(link, context, slug="w3c", name="W3c", url="https://fernweh.example", holdout_rate=0)
        flow = Books.load(link).flows_of(shop.id)[0]
        facts = {"b": base_bucket(shop), "shop": shop.id, "n": runs, "flow": flow.id, "version": flow.version_id}
        facts |= {"ordered": ORDERED, "unreachable": UNREACHABLE, "now": _now()}
        for statement in FILL:
            link.execute(statement.format(**facts))  # type: ignore[arg-type]
        for table in ("carts", "shoppers", "contact_points", "enrolments", "products", "product_pairs"):
            link.execute(f"VACUUM (ANALYZE, FREEZE) {table}")  # type: ignore[arg-type]


def _context() -> Context:
    clock = MovableClock(NOW - timedelta(days=1))
    return Context(hash_key=b"h" * 32, vault_key=b"v" * 32, public_url="https://x.example", clock=clock)


def _now() -> str:
    return f"'{NOW.isoformat()}'::timestamptz"


def copy_of(bench: Bench, source: str) -> str:
    name = f"{source}_run"
    with psycopg.connect(bench.admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')
    bench.settle()
    time.sleep(1.0)  # the session that copied has ended and been reaped: its CPU is not this run's
    return psycopg.conninfo.make_conninfo(bench.admin_dsn, dbname=name)


def product(bench: Bench, source: str, runs: int, batch: int) -> Sample:
    context = _context()
    assert isinstance(context.clock, MovableClock)
    context.clock.set(NOW)
    with connect(copy_of(bench, source)) as link:
        books = Books.load(link)
        (shop,) = books.shops.values()
        meter, taken = Meter(counted=[bench.pid, os.getpid()]), 0
        meter.start()
        while done := advance(link, context, books, base_bucket(shop), batch):
            taken += done
        meter.stop()
        _check(link, runs, taken)
    return Sample.of(runs, meter)


def _check(link: psycopg.Connection[tuple[object, ...]], runs: int, taken: int) -> None:
    """Each run moved once; each reachable one that did not order has exactly one message in line."""

    def count(query: str) -> int:
        row = link.execute(query).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return int(str(row[0]))

    ordered = sum(1 for g in range(1, runs + 1) if g % 1000 < ORDERED)
    unreachable = sum(1 for g in range(1, runs + 1) if g % 1000 >= 1000 - UNREACHABLE)
    expected = runs - ordered - unreachable
    wrong = {
        "taken": taken - runs,
        "sends": count("SELECT count(DISTINCT enrolment_id) FROM sends") - expected,
        "rows": count("SELECT count(*) FROM sends") - expected,
        "in line": count("SELECT count(*) FROM outbox o JOIN sends s USING (bucket, id)") - expected,
        "ended": count("SELECT count(*) FROM enrolments WHERE exit_reason = 'ORDERED'") - ordered,
        "told why not": count("SELECT count(*) FROM decisions WHERE reason = 'NO_ADDRESS'") - unreachable,
        "waiting on": count("SELECT count(*) FROM enrolments WHERE step = 'wait-2' AND state = 'waiting'")
        - expected
        - unreachable,
        "without links": count("SELECT count(*) FROM sends WHERE jsonb_array_length(context->'links') <> 6"),
    }
    if any(wrong.values()):
        raise BrokenRunError(f"W3c counted wrong: {json.dumps(wrong)}")


def limit(bench: Bench, source: str, runs: int) -> Sample:
    with connect(copy_of(bench, source)) as link:
        row = link.execute("SELECT bucket FROM enrolments LIMIT 1").fetchone()
        assert row is not None
        facts = {"b": row[0], "now": _now()}
        meter, taken = Meter(counted=[bench.pid, os.getpid()]), 0
        meter.start()
        while claimed := link.execute(CLAIM.format(**facts)).fetchall():  # type: ignore[arg-type]
            ids = "{" + ",".join(one[0] for one in claimed) + "}"
            taken += link.execute(COMPLETE.format(**facts), [ids]).rowcount  # type: ignore[arg-type]
        meter.stop()
    if taken != runs:
        raise BrokenRunError(f"the limit completed {taken} of {runs} rows")
    return Sample.of(runs, meter)


def run(
    bench: Bench,
    *,
    runs: int = 50_000,
    rounds: int = 5,
    batch: int = 1_000,
    graphile: int = 30_000,
    procrastinate: int = 1_500,
) -> bool:
    """Build, run the rounds, print the ratios; True when the floor is reached."""
    source = f"rekindle_bench_w3c_{runs}"
    spare_the_collector()
    build(bench, source, runs)
    parts: dict[str, Callable[[], Sample]] = {
        "product": lambda: product(bench, source, runs, batch),
        "limit": lambda: limit(bench, source, runs),
    }
    parts |= peers(bench, {GRAPHILE: graphile, PROCRASTINATE: procrastinate})
    done = run_rounds(parts, count=rounds)
    compare = [Comparison("product", "limit", floor=0.1, aim=0.5)]
    if GRAPHILE in parts:
        compare.append(Comparison("product", GRAPHILE, floor=1, aim=2))
    if PROCRASTINATE in parts:
        compare.append(Comparison("product", PROCRASTINATE))
    return report("W3c", done, compare)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--graphile", type=int, default=30_000)
    parser.add_argument("--procrastinate", type=int, default=1_500)
    with database() as bench:
        good = run(bench, **vars(parser.parse_args()))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
