"""Processes of the race tests: the sink, and delivery workers that may be killed at any moment."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_ENV = {**os.environ, "REKINDLE_DEBUG": "1", "DJANGO_SETTINGS_MODULE": "rekindle.settings"}


class Sink:
    """The counting sink, in a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(self._say(b"STATS"))
        return stats

    def hold(self) -> None:
        """Tell no acceptance until `free`."""
        self._say(b"HOLD")

    def free(self) -> None:
        self._say(b"FREE")

    def _say(self, line: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as link, link.makefile("rwb") as file:
            file.readline()
            file.write(line + b"\r\n")
            file.flush()
            return file.readline()


@contextmanager
def sink(*, late_rate: float = 0.0, late_s: float = 0.0, reply_s: float = 0.0) -> Iterator[Sink]:
    """A running sink; a share of what it is given it accepts ``late_s`` seconds later, all replies take ``reply_s``."""
    with _listening("tests.race.smtp_sink", late_rate, late_s, reply_s) as port:
        yield Sink(port)


class HttpSink:
    """The counting provider over HTTP, in a process of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.ask("GET", "/stats")[1]
        return stats

    def hold(self) -> None:
        """Answer nothing until `free`."""
        self.ask("POST", "/hold")

    def free(self) -> None:
        self.ask("POST", "/free")

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        """One request; the status and what was told."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            link.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            link.close()


@contextmanager
def http_sink(*, late_rate: float = 0.0, late_s: float = 0.0, reply_s: float = 0.0) -> Iterator[HttpSink]:
    """As `sink`, for a provider that knows keys."""
    with _listening("tests.race.http_sink", late_rate, late_s, reply_s) as port:
        yield HttpSink(port)


@contextmanager
def _listening(module: str, *settings: float) -> Iterator[int]:
    child = subprocess.Popen([sys.executable, "-m", module, "0", *map(str, settings)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()


class Worker:
    """One delivery worker."""

    def __init__(self, options: dict[str, object]) -> None:
        self._options = options
        self.start()

    def start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.race.delivery_worker", json.dumps(self._options)],
            cwd=ROOT,
            env=_ENV,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """As a crash: no clean-up of any kind."""
        os.kill(self._child.pid, signal.SIGKILL)
        self._child.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still meanwhile."""
        os.kill(self._child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._child.pid, signal.SIGCONT)

    def stop(self) -> int:
        self._child.terminate()
        return self._child.wait(60)

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None


@contextmanager
def worker(**options: object) -> Iterator[Worker]:
    running = Worker(options)
    try:
        yield running
    finally:
        if running.is_alive:
            running.kill()


def until(condition: Any, *, timeout_s: float, what: str) -> None:
    """Wait for something that other processes do. Raises AssertionError when it does not come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {timeout_s} s"
        time.sleep(0.02)
