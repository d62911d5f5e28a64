"""W4: how many provider reports, and how many followed links, a core-second?

    python -m bench.w4            five rounds of W4a and W4b
    python -m bench.w4 --only a --rounds 3 --sends 20000

W4a posts SendGrid's event webhook, 500 signed events a body, each about a send of its own or its second or third event:
verified, deduplicated and stored before the answer. Its limit is COPY of the same rows, as the product stored them, into
the same indexed table; COPY into a table without any index is printed beside it. Then the same bodies once more, all of
them repetitions, which must not be slower. W4b follows the recovery link of a send of its own each time: token verified,
click stored and deduplicated; its limit is an answer of a few bytes by the same kind of server. Servers are `rekindle
serve` with its defaults; their start is outside of the time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

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
from rekindle.engine.context import Context
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.lib.ids import fresh_timed_id
from rekindle.lib.tokens import Purpose, hash_of, make_token, secret_of
from rekindle.store.buckets import base_bucket
from rekindle.store.copying import bytes_cell
from rekindle.store.database import connect
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings
from tests.factories import make_shop
from tests.providers.signed_reports import Account, sign_sendgrid
from tests.web.hooks.hooked import put_account

BATCH = 500
EVENTS_PER_SEND = 3
SEED = b"w4-seed-of-links"
_COLUMNS = "bucket, id, shop_id, send_id, shopper_id, kind, at, reason, provider_key, detail"


@dataclass(frozen=True)
class Plan:
    bench: Bench
    workers: int
    sends: int
    clicks: int


@dataclass(frozen=True)
class World:
    """A database with a shop, its SendGrid account and sends that went out an hour ago."""

    dsn: str
    shop: ShopSettings
    bucket: int
    account: Account
    sends: list[UUID]


def make_world(plan: Plan, count: int) -> World:
    dsn = plan.bench.fresh()
    now = SYSTEM_CLOCK.now()
    with connect(dsn) as link:
        shop = make_shop(link, now=now, country="US")  # where it is noted who opens and clicks
        account = put_account(link, context(), shop, "sendgrid")
        bucket = base_bucket(shop)
        sends = [fresh_timed_id(now - timedelta(hours=1)) for _ in range(count)]
        people = [fresh_timed_id(now) for _ in range(count)]
        carts = [fresh_timed_id(now) for _ in range(count)]
        hashes = [bytes_cell(hash_of(secret_of(SEED, purpose))) for purpose in (Purpose.LINK, Purpose.OPTOUT)]
        at = (now - timedelta(hours=1)).isoformat()
        _copy(
            link,
            "COPY sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id,"
            " contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash,"
            " optout_hash, context) FROM STDIN",
            [
                f"{bucket}\t{send}\t{shop.id}\t{send}\t1\t1\tmail-1\temail\t{person}\t{person}\t{bucket}\t{cart}\t1\t{at}"
                f'\t{at}\t{hashes[0]}\t{hashes[1]}\t{{"links": ["https://fernweh.example/p/1"], "locale": "en"}}'
                for send, person, cart in zip(sends, people, carts, strict=True)
            ],
        )
        _copy(
            link,
            "COPY carts (bucket, id, shop_id, cart_key, state, stage, items, currency, total_cents, created_at,"
            " touched_at, views, facts, seq) FROM STDIN",
            [
                f"{bucket}\t{cart}\t{shop.id}\t{cart}\tabandoned\tcart\t"
                f'[{{"product_key": "p1", "quantity": 1, "unit_cents": 1000}}]\tEUR\t1000\t{at}\t{at}\t[]\t{{}}\t1'
                for cart in carts
            ],
        )
        _copy(
            link,
            "COPY shoppers (bucket, id, shop_id, first_name, last_name, locale, country, region, timezones, gpc,"
            " first_seen_at, seen_at, order_count, spent_cents, traits, seq) FROM STDIN",
            [
                f"{bucket}\t{person}\t{shop.id}\tAda\t\ten\tUS\tCA\t[]\tf\t{at}\t{at}\t0\t0\t{{}}\t0"
                for person in people
            ],
        )
        link.execute("ANALYZE sends, carts, shoppers")
    return World(dsn, shop, bucket, account, sends)


def context() -> Context:
    """The keys of a server in development, which `environment` starts."""
    from django.conf import settings

    return Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)


def _copy(link: psycopg.Connection[tuple[object, ...]], statement: str, lines: list[str]) -> None:
    with link.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[arg-type]
        copy.write("\n".join(lines) + "\n")


@contextlib.contextmanager
def serving(plan: Plan, dsn: str) -> Iterator[tuple[int, int]]:
    port = free_port()
    arguments = [sys.executable, "-m", "rekindle.commands.cli", "serve", "--port", str(port)]
    arguments += ["--workers", str(plan.workers)]
    with process(arguments, environment(dsn, REKINDLE_INGEST_RATE="0"), ready=port_open(port)) as server:
        yield port, server.pid


# --- W4a ----------------------------------------------------------------------------------------------------------


def bodies(world: World) -> list[bytes]:
    """Signed batches of 500 events, about 330 bytes each, as the provider posts them."""
    now = datetime.now(UTC) - timedelta(minutes=5)
    made = []
    for number in range(len(world.sends) * EVENTS_PER_SEND):
        send = world.sends[number % len(world.sends)]
        name = ("delivered", "open", "deferred")[number // len(world.sends)]
        made.append(
            {
                "email": f"person-{number}@shopper.example",
                "timestamp": int(now.timestamp()) + number % 60,
                "smtp-id": f"<{send}@rekindle.example>",
                "event": name,
                "category": ["carts"],
                "sg_event_id": f"{number:022d}",
                "sg_message_id": f"14c5d75ce93.dfd.{number:06d}.filter0001.16648.5515E0B88.0",
                "response": "250 2.0.0 OK 1740000000 x12si1234567edq.123 - gsmtp",
                "send_id": str(SendReference(world.bucket, send)),
            }
        )
    requests = []
    for start in range(0, len(made), BATCH):
        body = b"[" + b",\r\n".join(msgspec.json.encode(one) for one in made[start : start + BATCH]) + b"]\r\n"
        sealed = sign_sendgrid(world.account.key, body, datetime.now(UTC))
        lines = [f"{name}: {value}" for name, value in sealed.headers.items()]
        requests.append(request(world.account.path, sealed.body, *lines))
    return requests


class Reports:
    """One round of W4a: first delivery, repetition, and the two limits."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.count = plan.sends * EVENTS_PER_SEND
        self.requests: list[bytes] = []
        self.again: Sample | None = None
        self.rows: list[bytes] = []

    def first(self) -> Sample:
        world = make_world(self.plan, self.plan.sends)
        self.requests = bodies(world)
        with serving(self.plan, world.dsn) as (port, pid):
            first = self._post(port, pid)
            self.check(world)
            self.again = self._post(port, pid)
            self.check(world)
        self.rows = _stored(world.dsn)
        return first

    def repeated(self) -> Sample:
        assert self.again is not None
        return self.again

    def _post(self, port: int, pid: int) -> Sample:
        self.plan.bench.settle()
        meter = Meter([pid, self.plan.bench.pid])
        meter.start()
        outcome, sender_s = put(port, 4, self.requests)
        meter.stop()
        meter.add_beside(sender_s)
        return Sample.of(self.count, meter, f"p50 {outcome.p50_ms:.0f} ms, p99 {outcome.p99_ms:.0f} ms a body")

    def check(self, world: World) -> None:
        with psycopg.connect(world.dsn) as link:
            found = link.execute("SELECT count(*), count(DISTINCT (send_id, kind)) FROM send_events").fetchone()
        if found != (self.count, self.count):
            raise BrokenRunError(f"{found} events instead of {self.count}")

    def copy(self) -> Sample:
        return self._copy("send_events")

    def copy_bare(self) -> Sample:
        return self._copy("send_events_bare")

    def _copy(self, table: str) -> Sample:
        dsn = self.plan.bench.fresh("rekindle_bench_limit")
        with psycopg.connect(dsn, autocommit=True) as link:
            if table != "send_events":
                link.execute(f"CREATE TABLE {table} (LIKE send_events)")  # type: ignore[arg-type]
            self.plan.bench.settle()
            meter = Meter([os.getpid(), self.plan.bench.pid])
            meter.start()
            with link.cursor() as cursor, cursor.copy(f"COPY {table} ({_COLUMNS}) FROM STDIN") as copy:  # type: ignore[arg-type]
                for start in range(0, len(self.rows), BATCH):
                    copy.write(b"".join(self.rows[start : start + BATCH]))
            meter.stop()
        return Sample.of(len(self.rows), meter)


def _stored(dsn: str) -> list[bytes]:
    statement = f"COPY (SELECT {_COLUMNS} FROM send_events) TO STDOUT"
    with psycopg.connect(dsn) as link, link.cursor().copy(statement) as copy:  # type: ignore[arg-type]
        return [bytes(row) for row in copy]


# --- W4b ----------------------------------------------------------------------------------------------------------


def clicks(plan: Plan) -> Sample:
    world = make_world(plan, plan.clicks)
    tokens = [make_token(world.bucket, send, SEED, Purpose.LINK) for send in world.sends]
    with serving(plan, world.dsn) as (port, pid):
        plan.bench.settle()
        sample = _get(plan, port, pid, [f"/r/{token}" for token in tokens], expected="302")
    with psycopg.connect(world.dsn) as link:  # the server has ended: what it had not stored by then is lost
        found = link.execute(
            "SELECT count(*), count(DISTINCT send_id) FROM send_events WHERE kind = 'clicked'"
        ).fetchone()
    if found != (plan.clicks, plan.clicks):
        raise BrokenRunError(f"{found} clicks stored of {plan.clicks}")
    return sample


def hello(plan: Plan) -> Sample:
    """The same kind of server with nothing to do."""
    port = free_port()
    arguments = [sys.executable, "-m", "granian", "--interface", "rsgi", "--port", str(port), "--no-ws"]
    arguments += ["--workers", str(plan.workers), "--log-level", "critical", "bench.w4:nothing"]
    with process(arguments, dict(os.environ), ready=port_open(port)) as server:
        return _get(plan, port, server.pid, ["/r/" + "x" * 46] * plan.clicks, expected="302")


async def nothing(scope: object, protocol: object) -> None:
    """An RSGI application that answers at once."""
    headers = [("location", "https://fernweh.example/cart"), ("cache-control", "no-store")]
    protocol.response_empty(302, headers)  # type: ignore[attr-defined]


def _get(plan: Plan, port: int, pid: int, paths: list[str], *, expected: str) -> Sample:
    agent = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
    requests = [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{agent}\r\n\r\n".encode() for path in paths]
    meter = Meter([pid, plan.bench.pid])
    meter.start()
    outcome, sender_s = put(port, 64, requests, expected=expected)
    meter.stop()
    meter.add_beside(sender_s)
    return Sample.of(len(paths), meter, f"p50 {outcome.p50_ms:.1f} ms, p99 {outcome.p99_ms:.1f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["a", "b"], help="one of the two workloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sends", type=int, default=20_000, help="sends of a W4a run; each gets three events")
    parser.add_argument("--clicks", type=int, default=20_000, help="clicks of a W4b run")
    parser.add_argument("--workers", type=int, default=2, help="server processes")
    chosen = parser.parse_args()
    os.environ.setdefault("REKINDLE_DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")
    good = True
    with database() as bench:
        plan = Plan(bench, chosen.workers, chosen.sends, chosen.clicks)
        if chosen.only != "b":
            each = Reports(plan)
            runs = {"reports": each.first, "repeated": each.repeated, "copy": each.copy, "bare copy": each.copy_bare}
            rounds = run_rounds(runs, count=chosen.rounds, turn=False)
            aims = [
                Comparison("reports", "copy", floor=0.10, aim=0.20),
                Comparison("reports", "bare copy"),
                Comparison("repeated", "reports", floor=1.0),
            ]
            good &= report("W4a", rounds, aims)
        if chosen.only != "a":
            runs = {"clicks": lambda: clicks(plan), "hello": lambda: hello(plan)}
            rounds = run_rounds(runs, count=chosen.rounds)
            good &= report("W4b", rounds, [Comparison("clicks", "hello", floor=0.5, aim=0.8)])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
