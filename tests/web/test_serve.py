"""`rekindle serve`: it answers, it stops gracefully, and it leaves no process behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

ROOT = Path(__file__).parents[2]


def url_of(dsn: str) -> str:
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    login = quote(str(info.get("user", ""))) + (f":{quote(str(info['password']))}" if info.get("password") else "")
    return f"postgresql://{login}@/{info['dbname']}?host={quote(str(info['host']), safe='')}&port={info['port']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(dsn: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """A running server that takes connections; killed at the end if the test did not stop it."""
    command = [sys.executable, "-m", "rekindle.commands.cli", "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url_of(dsn)}, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until_it_takes_connections(process, port)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def wait_until_it_takes_connections(process: subprocess.Popen[str], port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            _, told = process.communicate(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"the server ended before it took connections:\n{told}")
    pytest.fail("the server took no connection for a minute")


def status_of(port: int, path: str) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request("GET", path)
        return link.getresponse().status
    finally:
        link.close()


def test_it_answers_and_ends_on_sigterm(fresh_dsn: str) -> None:
    port = free_port()
    with serving(fresh_dsn, port) as process:
        assert status_of(port, "/healthz") == 200
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    with pytest.raises(ConnectionRefusedError):
        status_of(port, "/healthz")


def test_its_workers_end_when_it_is_killed(fresh_dsn: str) -> None:
    port = free_port()
    with serving(fresh_dsn, port) as process:
        assert status_of(port, "/healthz") == 200
        process.kill()
        process.communicate(timeout=60)  # returns when the last worker has closed the shared standard error
    with serving(fresh_dsn, port):
        assert status_of(port, "/healthz") == 200


#: A worker as the server forks it, while it loads: the server's own handler came along.
LOADING_WORKER = """
import multiprocessing, os, signal
from rekindle.commands.serve import _load_in_worker

def child(parent):
    _load_in_worker(parent, "os:getpid")
    signal.raise_signal(signal.SIGTERM)

signal.signal(signal.SIGTERM, lambda *told: None)
worker = multiprocessing.get_context("fork").Process(target=child, args=(os.getpid(),))
worker.start()
worker.join()
print(worker.exitcode)
"""


def test_a_worker_that_is_told_to_stop_before_it_listens_ends() -> None:
    command = [sys.executable, "-c", LOADING_WORKER]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert told.stdout.strip() == str(-signal.SIGTERM), told.stderr


def test_a_port_in_use_is_the_operators_mistake(fresh_dsn: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-m", "rekindle.commands.cli", "serve", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"DATABASE_URL": url_of(fresh_dsn)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert answer.returncode == 2
    assert f"rekindle: cannot listen on 127.0.0.1:{port}: Address already in use." in answer.stderr
    assert "Traceback" not in answer.stderr
