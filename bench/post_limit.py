"""The limit of W3b: finished requests from memory to the API, and nothing else. Its CPU is the least a client can use.

Run as a process: ``python -m bench.post_limit PORT COUNT CONNECTIONS``; waits for a line, posts, prints "done", waits.
One raw protocol per connection, one request at a time on each, kept alive.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

_HTML = '<p style="color:#6b7280">Shall we keep this for you?</p>\n' * 190
_TEXT = "Shall we keep this for you? " * 48


def request(number: int) -> bytes:
    """A finished request of the size of W3b's, unique per recipient."""
    body = json.dumps(
        {
            "personalizations": [
                {"to": [{"email": f"post-{number}@shopper.example"}], "custom_args": {"send_id": f"1-{number}"}}
            ],
            "from": {"email": "shop@fernweh.example"},
            "subject": f"Letter {number}",
            "content": [{"type": "text/plain", "value": _TEXT}, {"type": "text/html", "value": _HTML}],
            "headers": {"List-Unsubscribe": f"<https://rekindle.example/u/{number}>"},
        }
    ).encode()
    head = (
        "POST /v3/mail/send HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer key\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Poster(asyncio.Protocol):
    """Posts what it takes from the shared queue."""

    def __init__(self, queue: list[bytes], left: list[int], done: asyncio.Future[None]) -> None:
        self.queue, self.left, self.done = queue, left, done
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.post()

    def post(self) -> None:
        if self.queue:
            self.transport.write(self.queue.pop())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\r\n\r\n"):
            return
        if not self.buffer.startswith(b"HTTP/1.1 202"):
            sys.exit(f"the API said {self.buffer[:40]!r}")
        self.buffer = b""
        self.left[0] -= 1
        if self.left[0] == 0:
            self.done.set_result(None)
        self.post()


async def post_all(port: int, requests: list[bytes], connections: int) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    left = [len(requests)]
    open_ones = [
        await loop.create_connection(lambda: Poster(requests, left, done), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await done
    for transport, _ in open_ones:
        transport.close()


if __name__ == "__main__":
    import uvloop

    prepared = [request(number) for number in range(int(sys.argv[2]))]
    print("ready", flush=True)
    sys.stdin.readline()
    uvloop.run(post_all(int(sys.argv[1]), prepared, int(sys.argv[3])))
    print("done", flush=True)
    sys.stdin.readline()
