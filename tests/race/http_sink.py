"""A counting provider over HTTP that knows keys, in a process of its own: ``python -m tests.race.http_sink 0 RATE LATE REPLY``.

As Resend: a repeated key with the same body is answered without a second delivery, with another body by 409. What it
took survives the client's death, a share of it is taken ``LATE`` seconds after it arrived. ``GET /stats`` tells. After
``POST /hold`` no answer goes out any more, until ``POST /free``: whoever is killed in between was waiting for one.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter, defaultdict


class Sink:
    """What was delivered, and which bodies came with each key."""

    def __init__(self, late_rate: float, late_s: float, reply_s: float) -> None:
        self.late_rate, self.late_s, self.reply_s = late_rate, late_s, reply_s
        self.draw = random.Random(11)
        self.calls = self.open = 0
        self.free = asyncio.Event()
        self.free.set()
        self.delivered: Counter[str] = Counter()
        self.under_way: set[str] = set()
        self.bodies: defaultdict[str, set[bytes]] = defaultdict(set)

    def stats(self) -> dict[str, object]:
        return {
            "calls": self.calls,
            "open": self.open,
            "doubled": sorted(key for key, count in self.delivered.items() if count > 1),
            "changed": sorted(key for key, bodies in self.bodies.items() if len(bodies) > 1),
            "repeats": self.calls - len(self.bodies),
            "sends": sorted(key.partition("-")[2] for key in self.delivered),
        }

    async def take(self, key: str, body: bytes) -> tuple[int, dict[str, object]]:
        self.calls += 1
        self.open += 1
        try:
            return await self._answer(key, body)
        finally:
            await self.free.wait()
            self.open -= 1

    async def _answer(self, key: str, body: bytes) -> tuple[int, dict[str, object]]:
        self.bodies[key].add(body)
        if len(self.bodies[key]) > 1:
            return 409, {"name": "invalid_idempotent_request", "message": "another body", "statusCode": 409}
        if key in self.under_way:
            return 409, {"name": "concurrent_idempotent_requests", "message": "under way", "statusCode": 409}
        if not self.delivered[key]:
            self.under_way.add(key)
            await asyncio.sleep(self.late_s if self.draw.random() < self.late_rate else 0.0)
            self.under_way.discard(key)
            self.delivered[key] += 1
        await asyncio.sleep(self.reply_s)
        return 200, {"id": f"re-{key}"}


async def converse(sink: Sink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection; what was asked for is done even when nobody waits for the answer any more."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            if first.startswith("GET /stats"):
                status, told = 200, sink.stats()
            elif first.startswith(("POST /hold", "POST /free")):
                (sink.free.clear if "/hold" in first else sink.free.set)()
                status, told = 200, {}
            else:
                status, told = await asyncio.shield(sink.take(headers["idempotency-key"], body))
            data = json.dumps(told).encode()
            writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(data), data))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve(port: int, late_rate: float, late_s: float, reply_s: float) -> None:
    sink = Sink(late_rate, late_s, reply_s)
    server = await asyncio.start_server(
        lambda reader, writer: converse(sink, reader, writer), "127.0.0.1", port, backlog=1024, limit=1 << 20
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *(float(value) for value in sys.argv[2:5])))
