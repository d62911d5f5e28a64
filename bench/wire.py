"""The limit of W3a: finished messages from memory to the sink, and nothing else. Its CPU is the least a sender can use.

Run as a process: ``python -m bench.wire PORT COUNT CONNECTIONS``; waits for a line, sends, prints "done", waits. One raw
protocol per connection, commands pipelined: the envelope of the next message travels with the body of the current one.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from typing import cast


def message(number: int) -> tuple[bytes, bytes]:
    """An envelope and a finished message of the size of W3a's letter on the wire, unique per recipient."""
    to = b"wire-%d@shopper.example" % number
    envelope = b"MAIL FROM:<shop@fernweh.example>\r\nRCPT TO:<%b>\r\nDATA\r\n" % to
    head = b"From: shop@fernweh.example\r\nTo: %b\r\nMessage-ID: <%d@wire.example>\r\n\r\n" % (to, number)
    return envelope, head + _BODY + b"\r\n.\r\n"


_BODY = b"\r\n".join(base64.b64encode(b"Shall we keep this for you? " * 4)[:76] for _ in range(215))


class Wire(asyncio.Protocol):
    """Sends what it takes from the shared queue."""

    def __init__(self, queue: list[tuple[bytes, bytes]], left: list[int], done: asyncio.Future[None]) -> None:
        self.queue, self.left, self.done = queue, left, done
        self.buffer = b""
        self.awaited, self.phase = 1, "greeting"
        self.body: bytes | None = None
        self.next: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        lines = (self.buffer + data).split(b"\r\n")
        self.buffer = lines.pop()
        for line in lines:
            if line[3:4] == b"-":
                continue
            if line[:1] not in b"23":
                sys.exit(f"the sink said {line!r}")
            self.awaited -= 1
            if self.awaited == 0:
                self.go_on()

    def go_on(self) -> None:
        if self.phase == "greeting":
            self.phase, self.awaited = "hello", 1
            self.transport.write(b"EHLO wire.example\r\n")
            return
        if self.phase == "sent":
            self.left[0] -= 1
            if self.left[0] == 0:
                self.done.set_result(None)
        if self.phase == "sent" and self.next is not None:
            self.body = self.next
        elif self.phase in ("hello", "sent"):
            if not self.queue:
                return
            envelope, self.body = self.queue.pop()
            self.phase, self.awaited = "envelope", 3
            self.transport.write(envelope)
            return
        self.send_body()

    def send_body(self) -> None:
        assert self.body is not None
        self.phase, self.next, self.awaited = "sent", None, 1
        if self.queue:
            envelope, self.next = self.queue.pop()
            self.awaited = 4
            self.transport.writelines([self.body, envelope])
        else:
            self.transport.write(self.body)


async def send(port: int, messages: list[tuple[bytes, bytes]], connections: int) -> None:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    left = [len(messages)]
    wires = [
        await loop.create_connection(lambda: Wire(messages, left, done), "127.0.0.1", port) for _ in range(connections)
    ]
    await done
    for transport, _ in wires:
        transport.close()


if __name__ == "__main__":
    import uvloop

    prepared = [message(number) for number in range(int(sys.argv[2]))]
    print("ready", flush=True)
    sys.stdin.readline()
    uvloop.run(send(int(sys.argv[1]), prepared, int(sys.argv[3])))
    print("done", flush=True)
    sys.stdin.readline()
