"""What do job engines need for a step that does nothing? graphile-worker (Node) and procrastinate (Python) beside W3c.

Each has a database of its own on the same server; its jobs are queued, and the worker's program loaded, outside the time.
`make bench` installs both (``bench/package-lock.json``, ``requirements/bench.lock``); where one is not there its line says
so, and the rest is measured without it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psycopg

from bench.children import child, hear, say
from bench.harness import ROOT, Bench, BrokenRunError, Meter, Sample
from scripts.setup import find_node

GRAPHILE, PROCRASTINATE = "graphile-worker", "procrastinate"
#: How many are left, and how many were tried more than once or failed.
_LEFT = {
    GRAPHILE: "SELECT count(*), 0 FROM graphile_worker._private_jobs",
    PROCRASTINATE: "SELECT count(*) FILTER (WHERE status <> 'succeeded'), count(*) FILTER (WHERE attempts <> 1)"
    " FROM procrastinate_jobs",
}


def peers(bench: Bench, jobs: Mapping[str, int]) -> dict[str, Callable[[], Sample]]:
    """One run for each peer that is installed; prints which are absent. ``jobs``: how many, by peer."""
    programs = {GRAPHILE: _graphile(), PROCRASTINATE: _procrastinate()}
    for name, program in programs.items():
        if program is None:
            print(f"peer {name}: peer absent (make bench installs it)")
    return {name: partial(_run, bench, name, found, jobs[name]) for name, found in programs.items() if found}


def _graphile() -> list[str] | None:
    node = find_node()
    if node is None or not (ROOT / "bench" / "node_modules" / GRAPHILE).is_dir():
        return None
    return [str(node), str(Path("bench") / "graphile_jobs.mjs")]


def _procrastinate() -> list[str] | None:
    return [sys.executable, "-m", "bench.procrastinate_jobs"] if importlib.util.find_spec(PROCRASTINATE) else None


def _run(bench: Bench, name: str, program: list[str], count: int) -> Sample:
    database = "rekindle_bench_step_peer"
    with psycopg.connect(bench.admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{database}"')
    dsn = psycopg.conninfo.make_conninfo(bench.admin_dsn, dbname=database)
    env = {**os.environ, **_variables(dsn)}
    subprocess.run([*program, "queue", str(count)], cwd=ROOT, env=env, check=True)
    with psycopg.connect(dsn, autocommit=True) as link:
        link.execute("ANALYZE")
    bench.settle()
    with child(["work", str(count)], env, program=program) as worker:
        hear(worker, b"ready")
        meter = Meter(counted=[bench.pid, worker.pid])
        meter.start()
        say(worker)
        hear(worker, b"done")
        meter.stop()
    with psycopg.connect(dsn) as link:
        left = link.execute(_LEFT[name]).fetchone()  # type: ignore[arg-type]
    if left != (0, 0):
        raise BrokenRunError(f"{name} left or repeated jobs: {left}")
    return Sample.of(count, meter)


def _variables(dsn: str) -> dict[str, str]:
    """A connection string as the variables that every client of PostgreSQL reads."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    found = psycopg.conninfo.conninfo_to_dict(dsn)
    return {variable: str(found[name]) for name, variable in names.items() if found.get(name)}
