"""How are many requests put on the wire cheaply? Keep-alive connections on a raw protocol, one process.

Run as a program so that its CPU is its own (``python -m bench.load PORT CONNECTIONS < requests``): standard input holds
requests as 4-byte big-endian lengths and bytes; one JSON line with the outcome goes to standard output. Every answer
must be a 2xx; a request whose connection breaks is sent again, as a client that wants nothing lost does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import cast

from bench.harness import ROOT, BrokenRunError


@dataclass(frozen=True)
class Outcome:
    """Answers by status, wall seconds from the first request to the last answer, latencies in ms."""

    statuses: dict[str, int]
    wall_s: float
    p50_ms: float
    p99_ms: float


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self.run = run
        self.buffer = b""
        self.current: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.next()

    def next(self) -> None:
        if not self.run.waiting:
            self.current = None
            self.transport.close()
            return
        self.current = self.run.waiting.popleft()
        self.sent_at = time.perf_counter()
        self.transport.write(self.current)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        header = self.buffer[:head].lower()
        at = header.find(b"content-length:")
        length = int(header[at + 15 : (header + b"\r\n").find(b"\r\n", at)]) if at >= 0 else 0
        if len(self.buffer) < head + 4 + length:
            return
        self.run.done(header[9:12].decode(), time.perf_counter() - self.sent_at)
        self.buffer = b""
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        if self.current is not None and self.run.left:
            self.run.waiting.appendleft(self.current)
            self.run.reconnect()


class _Run:
    def __init__(self, port: int, connections: int, requests: list[bytes]) -> None:
        self.port, self.connections = port, connections
        self.waiting = deque(requests)
        self.left = len(requests)
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []

    async def go(self) -> Outcome:
        self.loop = asyncio.get_running_loop()
        self.finished = self.loop.create_future()
        began = time.perf_counter()
        for _ in range(min(self.connections, self.left)):
            self.reconnect()
        await self.finished
        wall = time.perf_counter() - began
        ordered = sorted(self.latencies)
        return Outcome(self.statuses, wall, ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000)

    def reconnect(self) -> None:
        task = self.loop.create_task(self.loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.port))
        task.add_done_callback(lambda done: done.exception())

    def done(self, status: str, took_s: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(took_s)
        self.left -= 1
        if not self.left:
            self.finished.set_result(None)


def put(port: int, connections: int, requests: list[bytes], *, expected: str = "200 202") -> tuple[Outcome, float]:
    """Send all requests from a process of its own; returns the outcome and that process's CPU seconds.

    Raises: BrokenRunError when any answer has none of the expected statuses.
    """
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = b"".join(len(request).to_bytes(4, "big") + request for request in requests)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", str(port), str(connections)],
        input=told,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = Outcome(**json.loads(done.stdout))
    if set(outcome.statuses) - set(expected.split()) or sum(outcome.statuses.values()) != len(requests):
        raise BrokenRunError(f"answers: {outcome.statuses} for {len(requests)} requests")
    return outcome, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def request(path: str, body: bytes, *headers: str) -> bytes:
    """A POST as bytes on the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def main() -> None:
    import uvloop

    port, connections = int(sys.argv[1]), int(sys.argv[2])
    told = sys.stdin.buffer.read()
    requests, at = [], 0
    while at < len(told):
        size = int.from_bytes(told[at : at + 4], "big")
        requests.append(told[at + 4 : at + 4 + size])
        at += 4 + size
    outcome = uvloop.run(_Run(port, connections, requests).go())
    print(json.dumps({name: getattr(outcome, name) for name in outcome.__dataclass_fields__}))


if __name__ == "__main__":
    main()
