"""W3a: how many mails per core-second, from a due outbox row to the SMTP server's yes and the row completed?

    python -m bench.w3a [--sends 40000] [--peer 1500] [--wire 40000] [--rounds 5] [--connections 64]

Product: two delivery workers (engine.delivery_loop) with everything in: claim, facts, consent, suppression, caps, order
and holdout checks, a stored decision for each, render, content lint, MIME, both locks, hand-over over SMTP, event, row
completed. Their start is inside the time. After the rounds one more run shows where the time goes. Limit: finished messages from memory over a raw protocol (sender only). Peer:
django-post-office with its documented set-up, its queueing and start outside the time. All send the same letter (about
11 KB of HTML, unique per recipient) to the same sink, which writes down everything it took. One in twenty seeded
shoppers must get nothing (opted out, suppressed, held out, capped).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.children import child, hear, say
from bench.due_people import build, kind_of
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
from bench.letters_sent import check_letters, check_rows
from bench.profile import stage_table
from rekindle.store.database import connect
from tests.due_sends import Person

WORKERS = 2
SAMPLE = 500
#: Functions of the product by stage, for the profile.
STAGES = {
    "claim": ("claim",),
    "facts: read": ("read_candidates",),
    "decide: facts of one send, may_send": ("facts_of", "may_send"),
    "write the letter": ("Composer.compose",),
    "    of it: values a template reads": ("letter_facts", "Links.__init__"),
    "    of it: subject, text, HTML": ("write_for_mail", "write_bare"),
    "    of it: message": ("Letterhead.message",),
    "store the verdicts": ("Deliverer._store",),
    "first lock, and record what left before": ("HandOver._mark_sending",),
    "second lock, begin": ("HandOver._start",),
    "    of it: to the connections": ("SmtpProvider.start", "HttpProvider.start"),
    "replies": ("Wire.data_received", "Connection.data_received"),
}


@dataclass(frozen=True)
class Plan:
    bench: Bench
    sink: Path
    folder: Path
    connections: int
    way: str = "smtp"  #: how the product's workers hand over: smtp, api


# --- the sink ---------------------------------------------------------------------------------------------------


def compile_sink(folder: Path, source: str = "sink.c") -> Path:
    """The sink as a program. Raises BrokenRunError without a C compiler."""
    if shutil.which("cc") is None:
        raise BrokenRunError(f"bench/{source} needs a C compiler (cc)")
    target = folder / "sink"
    subprocess.run(["cc", "-O2", "-o", str(target), str(ROOT / "bench" / source)], check=True)
    return target


@contextmanager
def running_sink(plan: Plan) -> Iterator[tuple[int, int]]:
    """A fresh sink; yields its port and pid."""
    port = free_port()
    arguments = [str(plan.sink), str(port), str(plan.folder / "log"), str(plan.folder / "samples"), str(SAMPLE)]
    with process(arguments, {}, ready=port_open(port)) as sender:
        yield port, sender.pid


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


def product(plan: Plan, source: str, people: list[Person], profile: bool = False) -> Sample:
    dsn = copy_of(plan.bench, source)
    allowed = {p.to for n, p in enumerate(people) if not kind_of(n)}
    with running_sink(plan) as (port, sink_pid):
        arguments = [sys.executable, "-m", "bench.w3a_worker", dsn, plan.way, str(port), str(plan.connections)]
        workers = [
            subprocess.Popen(
                [*arguments, *([str(plan.folder / f"profile{number}")] if profile else [])],
                cwd=ROOT,
                env=environment(dsn),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for number in range(WORKERS)
        ]
        try:
            meter = Meter(counted=[plan.bench.pid, *(w.pid for w in workers)], beside=[sink_pid])
            meter.start()
            for worker in workers:
                say(worker)
            _wait_for(plan.folder / "log", len(allowed))
            for worker in workers:
                say(worker)
            for worker in workers:
                hear(worker, b"done")
            meter.stop()
            own = cpu_s([w.pid for w in workers])
        finally:
            for worker in workers:
                worker.kill()
                worker.communicate()
    exactly("product", taken(plan), allowed)
    with connect(dsn) as link:
        check_rows(link, people)
    lines = [tuple(line.split("\t")) for line in (plan.folder / "log").read_text().splitlines()]
    by_recipient = {p.to: (n, p) for n, p in enumerate(people)}
    check_letters(lines, messages(plan), by_recipient, in_json=plan.way == "api")  # type: ignore[arg-type]
    return Sample.of(len(allowed), meter, f"database {1 - own / meter.core_s:.0%}")


def show_profile(plan: Plan, source: str, people: list[Person]) -> None:
    """One more run, not counted: where a mail's CPU goes. The sampler costs some itself; read the shares."""
    sample = product(plan, source, people, profile=True)
    in_database = float(sample.note.removeprefix("database ").rstrip("%")) / 100
    per_mail = 1e6 / sample.per_core_s
    print(
        f"\nProfile: {per_mail:.0f} us of CPU a mail, {per_mail * in_database:.0f} of them in the database; the rest:"
    )
    paths = [plan.folder / f"profile{number}" for number in range(WORKERS)]
    print(stage_table(paths, STAGES, per_mail * (1 - in_database)))


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


# --- limit and peer -----------------------------------------------------------------------------------------------


def wire(plan: Plan, count: int) -> Sample:
    with running_sink(plan) as (port, sink_pid), child(["-m", "bench.wire", str(port), str(count), "16"], {}) as sender:
        hear(sender, b"ready")
        meter = Meter(counted=[sender.pid], beside=[sink_pid])
        meter.start()
        say(sender)
        hear(sender, b"done")
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
        with child(["-m", "bench.post_office", "deliver"], env) as sender:
            hear(sender, b"ready")
            meter = Meter(counted=[plan.bench.pid, sender.pid], beside=[sink_pid])
            meter.start()
            say(sender)
            hear(sender, b"done")
            meter.stop()
    exactly("peer", taken(plan), {f"peer-{n}@shopper.example" for n in range(count)})
    sizes = [len(raw) for _, raw in messages(plan)]
    return Sample.of(count, meter, f"{sum(sizes) // len(sizes)} B on the wire")


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
    parser.add_argument("--sends", type=int, default=40_000)
    parser.add_argument("--peer", type=int, default=1_500)
    parser.add_argument("--wire", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", choices=["product", "wire", "peer", "profile"])
    options = parser.parse_args()
    source = "rekindle_bench_w3a"
    with database() as bench, tempfile.TemporaryDirectory(prefix="rk-w3a-") as folder:
        plan = Plan(bench, compile_sink(Path(folder)), Path(folder), options.connections)
        people = build(bench, source, options.sends) if options.only not in ("wire", "peer") else []
        runs = {
            "product": lambda: product(plan, source, people),
            "wire": lambda: wire(plan, options.wire),
            "peer": lambda: peer(plan, options.peer),
        }
        if options.only in runs:
            run_rounds({options.only: runs[options.only]}, count=options.rounds)
            return 0
        rounds = [] if options.only else run_rounds(runs, count=options.rounds)
        show_profile(plan, source, people)
        if options.only:
            return 0
        compare = [Comparison("product", "peer", floor=10, aim=20), Comparison("product", "wire", aim=0.07)]
        return 0 if report("W3a", rounds, compare) else 1


if __name__ == "__main__":
    sys.exit(main())
