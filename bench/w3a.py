"""W3a: how many mails per core-second, from a due outbox row to the SMTP server's yes and the row completed?

    python -m bench.w3a [--sends 30000] [--peer 1500] [--wire 20000] [--rounds 5] [--connections 64]

Product: two delivery workers (engine.delivery_loop) with everything in: claim, facts, consent, suppression, caps, order
and holdout checks, a stored decision for each, render, content lint, MIME, both locks, hand-over over SMTP, event, row
completed. Their start is inside the time. Limit: finished messages from memory over a raw protocol (sender only). Peer:
django-post-office with its documented set-up, its queueing and start outside the time. All send the same letter (about
11 KB of HTML, unique per recipient) to the same sink, which writes down everything it took. One in twenty seeded
shoppers must get nothing (opted out, suppressed, held out, capped).
"""

from __future__ import annotations

import argparse
import email
import email.policy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from bench import w3a_letter
from bench.harness import (
    ROOT,
    Bench,
    BrokenRunError,
    Comparison,
    Meter,
    Sample,
    cpu_s,
    database,
    environment,
    free_port,
    port_open,
    process,
    report,
    run_rounds,
)
from bench.w3a_worker import HASH_KEY, PUBLIC_URL, VAULT_KEY
from rekindle.engine.context import Context
from rekindle.lib.clock import SYSTEM_CLOCK
from rekindle.lib.ids import fresh_timed_id
from rekindle.lib.tokens import Purpose, hash_of, make_token, read_token, secret_of
from rekindle.render.email import EmailTemplate
from rekindle.render.money_format import money
from rekindle.store.database import Connection, connect
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

CONTEXT = Context(hash_key=HASH_KEY, vault_key=VAULT_KEY, public_url=PUBLIC_URL)
WORKERS = 2
SHOPS = 4  #: each in its own bucket, as most shops are
#: Of a hundred shoppers: who must not get anything, and why.
FORBIDDEN = {"opted_out": 1, "suppressed": 1, "held_out": 2, "capped": 1}
SAMPLE = 500
TABLES = ("outbox", "sends", "send_events", "enrolments", "shoppers", "contact_points", "carts", "suppressions")


@dataclass(frozen=True)
class Plan:
    bench: Bench
    sink: Path
    folder: Path
    connections: int


# --- the sink ---------------------------------------------------------------------------------------------------


def compile_sink(folder: Path) -> Path:
    """The sink as a program. Raises Broken without a C compiler."""
    if shutil.which("cc") is None:
        raise BrokenRunError("bench/sink.c needs a C compiler (cc)")
    target = folder / "sink"
    subprocess.run(["cc", "-O2", "-o", str(target), str(ROOT / "bench" / "sink.c")], check=True)
    return target


@contextmanager
def running_sink(plan: Plan) -> Iterator[tuple[int, int]]:
    """A fresh sink; yields its port and pid."""
    port = free_port()
    arguments = [str(plan.sink), str(port), str(plan.folder / "log"), str(plan.folder / "samples"), str(SAMPLE)]
    with process(arguments, {}, ready=port_open(port)) as child:
        yield port, child.pid


def taken(plan: Plan) -> list[str]:
    """Recipients in the order in which the sink took their messages."""
    return [line.partition("\t")[0] for line in (plan.folder / "log").read_text().splitlines()]


def messages(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """(recipient, message) of everything the sink took."""
    with (plan.folder / "samples").open("rb") as file:
        while head := file.readline():
            length, _, recipient = head.decode().strip().partition(" ")
            yield recipient, file.read(int(length))
            file.readline()


def exactly(what: str, got: list[str], expected: set[str]) -> None:
    if len(got) != len(set(got)):
        raise BrokenRunError(f"{what}: {len(got)} messages went to {len(set(got))} recipients")
    if set(got) != expected:
        lost, wrong = expected - set(got), set(got) - expected
        raise BrokenRunError(f"{what}: {len(lost)} lost, {len(wrong)} sent to somebody who must get nothing")


# --- product ----------------------------------------------------------------------------------------------------


def kind_of(number: int) -> str:
    """What is special about the n-th shopper; empty: may get the letter."""
    place = number % 100
    for kind, count in FORBIDDEN.items():
        if place < count:
            return kind
        place -= count
    return ""


def people_of(shops: Sequence[tuple[ShopSettings, int]], sends: int) -> list[Person]:
    """The shoppers, taking turns over the shops (each with its template version)."""
    people = []
    for number in range(sends):
        shop, version = shops[number % len(shops)]
        items = [
            {
                "product_key": f"p{number}-{at}",
                "title": f"Piece {number}-{at} & <more>",
                "quantity": at + 1,
                "unit_cents": 1_000 + number % 9_000,
                "url": f"https://fernweh.example/p{at}",
                "image_url": f"https://fernweh.example/p{at}.jpg",
                "sku": "",
                "variant": "",
                "category": "",
                "brand": "",
            }
            for at in range(3)
        ]
        kind = kind_of(number)
        changes = {
            "opted_out": {"opted_out": timedelta(hours=1)},
            "suppressed": {"suppressed": True},
            "held_out": {"arm": "holdout"},
        }.get(kind, {})
        people.append(Person(f"shopper{number}", shop, template_version_id=version, items=items, **changes))
    return people


def build(bench: Bench, name: str, sends: int) -> list[Person]:
    """The database every run of the product starts from, made once and copied."""
    with connect(bench.fresh(name)) as link:
        subject, html, text = w3a_letter.ours()
        template = EmailTemplate(subject, "", html, text)
        places = []
        for _ in range(SHOPS):
            shop = make_shop(link, now=SYSTEM_CLOCK.now())
            places.append((shop, publish_template(link, shop, SYSTEM_CLOCK.now(), template)))
            add_account(link, shop, kind="smtp")
        people = people_of(places, sends)
        seed(link, CONTEXT, people)
        _had_one_today(link, [p for n, p in enumerate(people) if kind_of(n) == "capped"])
        for table in (
            "outbox",
            "sends",
            "send_events",
            "enrolments",
            "shoppers",
            "contact_points",
            "carts",
            "suppressions",
        ):
            link.execute(f"VACUUM (ANALYZE) {table}")  # type: ignore[arg-type]
    return people


def _had_one_today(link: Connection, people: list[Person]) -> None:
    """An earlier message of today for each."""
    now = SYSTEM_CLOCK.now() - timedelta(hours=3)
    for person in people:
        earlier = fresh_timed_id(now)
        link.execute(
            "INSERT INTO sends SELECT bucket, %s, shop_id, enrolment_id, flow_id, flow_version_id, 'earlier', channel,"
            " shopper_id, contact_point_id, cart_bucket, cart_id, template_version_id, %s, %s, link_hash, optout_hash,"
            " context FROM sends WHERE bucket = %s AND id = %s",
            [earlier, now, now, person.bucket, person.send_id],
        )
        link.execute(
            "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
            " VALUES (%s, %s, %s, %s, %s, 'handed_over', %s, '{}')",
            [person.bucket, fresh_timed_id(now), person.shop.id, earlier, person.shopper_id, now],
        )


def product(plan: Plan, source: str, people: list[Person]) -> Sample:
    dsn = copy_of(plan.bench, source)
    allowed = {p.to for n, p in enumerate(people) if not kind_of(n)}
    with running_sink(plan) as (port, sink_pid):
        arguments = [sys.executable, "-m", "bench.w3a_worker", dsn, str(port), str(plan.connections)]
        workers = [
            subprocess.Popen(arguments, cwd=ROOT, env=environment(dsn), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(WORKERS)
        ]
        try:
            meter = Meter(counted=[plan.bench.pid, *(w.pid for w in workers)], beside=[sink_pid])
            meter.start()
            for worker in workers:
                _say(worker)
            _wait_for(plan.folder / "log", len(allowed))
            for worker in workers:
                _say(worker)
            for worker in workers:
                _hear(worker, b"done")
            meter.stop()
            own = cpu_s([w.pid for w in workers])
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()
    exactly("product", taken(plan), allowed)
    with connect(dsn) as link:
        _check_rows(link, people)
    _check_letters(plan, {p.to: (n, p) for n, p in enumerate(people)})
    return Sample.of(len(allowed), meter, f"database {1 - own / meter.core_s:.0%}")


def _wait_for(log: Path, count: int, limit_s: float = 300.0) -> None:
    """Until the sink has written down so many messages, or no more have come for a while (the checks then say why)."""
    end = time.monotonic() + limit_s
    quiet_since, before = time.monotonic(), 0
    while time.monotonic() < end and time.monotonic() - quiet_since < 20:
        lines = log.read_bytes().count(b"\n")
        if lines >= count:
            return
        if lines != before:
            quiet_since, before = time.monotonic(), lines
        time.sleep(0.1)


def _check_rows(link: Connection, people: list[Person]) -> None:
    """Every send ended once: handed over, or skipped for the right reason; every one has its decision. Those that were
    put off by a cap still wait."""
    reasons = {"opted_out": "OPTED_OUT", "suppressed": "SUPPRESSED", "held_out": "HELD_OUT"}
    expected = sorted(
        (p.send_id, "skipped" if kind_of(n) else "handed_over", reasons.get(kind_of(n)))
        for n, p in enumerate(people)
        if kind_of(n) != "capped"
    )
    rows = link.execute(
        "SELECT send_id, kind, reason FROM send_events WHERE send_id = ANY(%s)", [[p.send_id for p in people]]
    )
    if sorted(rows.fetchall()) != expected:
        raise BrokenRunError("product: the events are not those of the shoppers that were seeded")
    waiting = link.execute("SELECT send_id FROM decisions WHERE outcome = 'defer' AND reason = 'CAP_24H'").fetchall()
    left = link.execute("SELECT id FROM outbox WHERE state = 'scheduled'").fetchall()
    capped = sorted((p.send_id,) for n, p in enumerate(people) if kind_of(n) == "capped")
    if sorted(waiting) != capped or sorted(left) != capped:
        raise BrokenRunError("product: other sends wait than those that a cap puts off")
    decided = link.execute("SELECT count(DISTINCT send_id), count(*) FROM decisions").fetchone()
    if decided != (len(people), len(people)):
        raise BrokenRunError(f"product: decisions {decided} of {len(people)}")


def _check_letters(plan: Plan, by_recipient: dict[str, tuple[int, Person]]) -> None:
    """Tokens of every letter; the content of one in 500 against the reference."""
    for line in (plan.folder / "log").read_text().splitlines():
        recipient, send_id, unsubscribe = line.split("\t")
        person = by_recipient[recipient][1]
        parts = read_token(unsubscribe.removeprefix("<https://rekindle.example/u/").removesuffix(">"))
        stored = hash_of(secret_of(person.seed, Purpose.OPTOUT))
        if parts is None or (parts.send_id, parts.secret_hash) != (person.send_id, stored):
            raise BrokenRunError("product: the token of a letter does not verify")
        if send_id != str(SendReference(person.bucket, person.send_id)):
            raise BrokenRunError("product: a letter names another send")
    compared = 0
    for recipient, raw in messages(plan):
        _compare(raw, *by_recipient[recipient])
        compared += 1
    if compared == 0:
        raise BrokenRunError("product: no letter was compared")


def _compare(raw: bytes, number: int, person: Person) -> None:
    letter = email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)
    link = make_token(person.bucket, person.send_id, person.seed, Purpose.LINK)
    rows = [
        {
            "TITLE": str(item["title"]),
            "QUANTITY": str(item["quantity"]),
            "PRICE": money(int(str(item["unit_cents"])) * int(str(item["quantity"])), "EUR", "en"),
            "LINK": f"https://rekindle.example/c/{link}/{at}",
            "IMAGE": str(item["image_url"]),
        }
        for at, item in enumerate(person.items)
    ]
    total = sum(int(str(item["unit_cents"])) * int(str(item["quantity"])) for item in person.items)
    values = {
        "NAME": person.name.title(),
        "SHOP": "Fernweh",
        "COUNT": str(sum(int(str(item["quantity"])) for item in person.items)),
        "TOTAL": money(total, "EUR", "en"),
        "RECOVER": f"https://rekindle.example/r/{link}",
        "STOP": f"https://rekindle.example/u/{make_token(person.bucket, person.send_id, person.seed, Purpose.OPTOUT)}",
        "ADDRESS": "Fernweh, Hauptstr. 1, 10115 Berlin",
    }
    subject, html, text = w3a_letter.reference(values, rows)
    parts = {part.get_content_type(): part.get_content() for part in letter.walk() if not part.is_multipart()}
    names = ("subject", "to", "send", "html", "text")
    heads = (letter["Subject"], letter["To"], letter["X-Rekindle-Send"])
    got = (*heads, parts["text/html"].strip().splitlines(), _words(parts["text/plain"]))
    send = str(SendReference(person.bucket, person.send_id))
    expected = (subject, person.to, send, html.strip().splitlines(), _words(text))
    if got != expected:
        wrong = [name for name, a, b in zip(names, got, expected, strict=True) if a != b]
        raise BrokenRunError(f"product: the letter of shopper {number} differs from the reference in {wrong}")


def _words(text: str) -> list[str]:
    """Text without its blank lines, which the renderer may close up."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


# --- limit and peer -----------------------------------------------------------------------------------------------


def wire(plan: Plan, count: int) -> Sample:
    with running_sink(plan) as (port, sink_pid), _child(["-m", "bench.wire", str(port), str(count), "16"], {}) as child:
        _hear(child, b"ready")
        meter = Meter(counted=[child.pid], beside=[sink_pid])
        meter.start()
        _say(child)
        _hear(child, b"done")
        meter.stop()
    exactly("wire", taken(plan), {f"wire-{n}@shopper.example" for n in range(count)})
    return Sample.of(count, meter)


def peer(plan: Plan, count: int) -> Sample:
    name = "rekindle_bench_peer"
    with psycopg.connect(plan.bench.admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
    dsn = psycopg.conninfo.make_conninfo(plan.bench.admin_dsn, dbname=name)
    with running_sink(plan) as (port, sink_pid):
        env = environment(dsn, SINK_PORT=str(port), TMPDIR=str(plan.folder))
        for mode in (["migrate"], ["queue", str(count)]):
            subprocess.run([sys.executable, "-m", "bench.post_office", *mode], cwd=ROOT, env=env, check=True)
        plan.bench.settle()
        with _child(["-m", "bench.post_office", "deliver"], env) as child:
            _hear(child, b"ready")
            meter = Meter(counted=[plan.bench.pid, child.pid], beside=[sink_pid])
            meter.start()
            _say(child)
            _hear(child, b"done")
            meter.stop()
    exactly("peer", taken(plan), {f"peer-{n}@shopper.example" for n in range(count)})
    sizes = [len(raw) for _, raw in messages(plan)]
    return Sample.of(count, meter, f"{sum(sizes) // len(sizes)} B on the wire")


# --- processes ----------------------------------------------------------------------------------------------------


@contextmanager
def _child(arguments: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env or None,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def _say(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"go\n")
    child.stdin.flush()


def _hear(child: subprocess.Popen[bytes], word: bytes) -> None:
    assert child.stdout is not None
    if child.stdout.readline().strip() != word:
        raise BrokenRunError(f"a process ended before it was {word.decode()}")


def copy_of(bench: Bench, source: str) -> str:
    name = "rekindle_bench_w3a_run"
    with psycopg.connect(bench.admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}" STRATEGY FILE_COPY')
    bench.settle()
    time.sleep(1.0)  # the session that copied has ended and been reaped: its CPU is not this run's
    return psycopg.conninfo.make_conninfo(bench.admin_dsn, dbname=name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=30_000)
    parser.add_argument("--peer", type=int, default=1_500)
    parser.add_argument("--wire", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", choices=["product", "wire", "peer"])
    options = parser.parse_args()
    source = "rekindle_bench_w3a"
    with database() as bench, tempfile.TemporaryDirectory(prefix="rk-w3a-") as folder:
        plan = Plan(bench, compile_sink(Path(folder)), Path(folder), options.connections)
        people = build(bench, source, options.sends) if options.only in (None, "product") else []
        runs = {
            "product": lambda: product(plan, source, people),
            "wire": lambda: wire(plan, options.wire),
            "peer": lambda: peer(plan, options.peer),
        }
        if options.only:
            runs = {options.only: runs[options.only]}
        rounds = run_rounds(runs, count=options.rounds)
        if options.only:
            return 0
        compare = [Comparison("product", "peer", floor=10, aim=20), Comparison("product", "wire", aim=0.07)]
        return 0 if report("W3a", rounds, compare) else 1


if __name__ == "__main__":
    sys.exit(main())
