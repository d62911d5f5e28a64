"""A counting SMTP server of the tests' own: what it accepts stays accepted, whether the client lives to hear it or not.

Run as a process: ``python -m tests.race.smtp_sink PORT LATE_RATE LATE_S REPLY_S``. A message counts when the sink accepts
it; a share of them (``LATE_RATE``) is accepted ``LATE_S`` seconds after its last byte arrived, and every reply comes
``REPLY_S`` seconds after the acceptance. On the same port a line ``STATS`` answers with one line of JSON, ``HAS <send>``
with how often a send was accepted: that is the look-up of a provider that has one. After ``HOLD`` no acceptance is told
any more, until ``FREE``: whoever is killed in between was waiting for an answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections import Counter

_SEND = re.compile(rb"^X-Rekindle-Send: *\d+-([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_MAILBOX = re.compile(rb"<([^>]*)>")


class Sink:
    """What was accepted, by send id and by recipient."""

    def __init__(self, late_rate: float, late_s: float, reply_s: float) -> None:
        self.late_rate, self.late_s, self.reply_s = late_rate, late_s, reply_s
        self.draw = random.Random(7)
        self.calls = self.open = 0
        self.free = asyncio.Event()
        self.free.set()
        self.sends: Counter[str] = Counter()
        self.recipients: Counter[str] = Counter()

    def stats(self) -> dict[str, object]:
        return {
            "calls": self.calls,
            "open": self.open,
            "accepted": sum(self.sends.values()),
            "unique": len(self.sends),
            "doubled": sorted(send for send, count in self.sends.items() if count > 1),
            "recipients": len(self.recipients),
            "sends": sorted(self.sends),
        }


class Conversation(asyncio.Protocol):
    """One client. Commands may be pipelined; replies keep their order even when one is late."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.buffer = b""
        self.in_data = False
        self.recipient = b""
        self.replies: dict[int, bytes] = {}
        self.asked = self.said = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._say(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        mark = b"\r\n.\r\n" if self.in_data else b"\r\n"
        if self.in_data and self.buffer.startswith(b".\r\n"):
            message, self.buffer = b"", self.buffer[3:]
        else:
            at = self.buffer.find(mark)
            if at < 0:
                return False
            message, self.buffer = self.buffer[:at], self.buffer[at + len(mark) :]
        if self.in_data:
            self.in_data = False
            self._message(message)
        else:
            self._command(message)
        return True

    def _command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._say(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n")
        elif verb == b"DATA":
            self.in_data = True
            self._say(b"354 go on\r\n")
        elif verb == b"STAT":
            self._say(json.dumps(self.sink.stats()).encode() + b"\r\n")
        elif verb == b"HAS ":
            self._say(b"%d\r\n" % self.sink.sends[line[4:].decode().strip()])
        elif verb in (b"HOLD", b"FREE"):
            (self.sink.free.clear if verb == b"HOLD" else self.sink.free.set)()
            self._say(b"250 ok\r\n")
        elif verb == b"QUIT":
            self._say(b"221 bye\r\n")
            self.transport.close()
        else:
            found = _MAILBOX.search(line)
            if verb == b"RCPT" and found:
                self.recipient = found[1]
            self._say(b"250 ok\r\n")

    def _message(self, message: bytes) -> None:
        self.sink.calls += 1
        self.sink.open += 1
        found = _SEND.search(message)
        send = found[1].decode().strip() if found else "?"
        place, self.asked = self.asked, self.asked + 1
        late = self.sink.late_s if self.sink.draw.random() < self.sink.late_rate else 0.0
        asyncio.get_running_loop().create_task(self._accept(send, self.recipient.decode(), place, late))

    async def _accept(self, send: str, recipient: str, place: int, late: float) -> None:
        await asyncio.sleep(late)
        self.sink.sends[send] += 1
        self.sink.recipients[recipient] += 1
        await asyncio.sleep(self.sink.reply_s)
        await self.sink.free.wait()
        self.sink.open -= 1
        self.replies[place] = b"250 2.0.0 queued as %b\r\n" % send.encode()
        self._flush()

    def _say(self, line: bytes) -> None:
        self.replies[self.asked] = line
        self.asked += 1
        self._flush()

    def _flush(self) -> None:
        """Say what is ready, in the order in which it was asked."""
        while (reply := self.replies.pop(self.said, None)) is not None:
            self.transport.write(reply)
            self.said += 1


async def serve(port: int, late_rate: float, late_s: float, reply_s: float) -> None:
    sink = Sink(late_rate, late_s, reply_s)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(sink), "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *(float(value) for value in sys.argv[2:5])))
