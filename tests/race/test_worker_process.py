"""Does the worker command start, survive the loss of one of its processes, and leave nothing behind when stopped?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rekindle.store.database import Connection, connect
from tests.engine.scene import rows
from tests.web.test_serve import url_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


def start(dsn: str, home: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DATABASE_URL": url_of(dsn), "REKINDLE_DEBUG": "1", "REKINDLE_HOME": str(home)}
    command = [sys.executable, "-m", "rekindle.commands.cli", "worker", *words]
    log = (home / "log").open("wb")
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def backends(link: Connection) -> int:
    return len(
        rows(link, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    )


def is_alive(link: Connection) -> bool:
    return len(rows(link, "SELECT 1 FROM jobs WHERE name LIKE 'loop:%%' AND last_ok_at IS NOT NULL")) >= 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_works_and_stops_when_asked(
    fresh_dsn: str, link: Connection, tmp_path: Path, number: signal.Signals
) -> None:
    worker = start(fresh_dsn, tmp_path)
    try:
        until(lambda: is_alive(link))
        worker.send_signal(number)
        assert worker.wait(PATIENCE_S) == 0
    finally:
        worker.kill()
        worker.wait()
    log = (tmp_path / "log").read_text()
    assert '"event": "worker_stopped"' in log
    assert '"level": "error"' not in log
    until(lambda: backends(link) == 0)


def test_a_process_that_is_killed_is_replaced_and_all_end_together(
    fresh_dsn: str, link: Connection, tmp_path: Path
) -> None:
    worker = start(fresh_dsn, tmp_path, "--processes", "2")
    try:
        until(lambda: len(children_of(worker.pid)) == 2 and is_alive(link))
        first, second = children_of(worker.pid)
        os.kill(first, signal.SIGKILL)
        until(lambda: len(children_of(worker.pid)) == 2 and first not in children_of(worker.pid))
        assert second in children_of(worker.pid)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0
    finally:
        worker.kill()
        worker.wait()
    until(lambda: backends(link) == 0)


def test_the_processes_of_a_supervisor_that_is_killed_end_too(fresh_dsn: str, link: Connection, tmp_path: Path) -> None:
    worker = start(fresh_dsn, tmp_path, "--processes", "2")
    try:
        until(lambda: len(children_of(worker.pid)) == 2 and is_alive(link))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        until(lambda: backends(link) == 0)
    finally:
        worker.kill()
        worker.wait()


def test_nonsense_is_refused(fresh_dsn: str, tmp_path: Path) -> None:
    worker = start(fresh_dsn, tmp_path, "--processes", "0")
    assert worker.wait(PATIENCE_S) == 2
    assert "--processes must be from 1 to 64" in (tmp_path / "log").read_text()
