"""A scripted SMTP server on loopback: every reply and every point of disconnection can be chosen."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: A reply as bytes, or one of these instead of a reply.
HANG_UP = b"<hang up>"
SILENCE = b"<silence>"


@dataclass
class Script:
    """``replies`` maps a command (or ``dot``, ``banner``, ``ehlo-tls``) to replies used in turn; the last one stays.

    ``only_for`` limits a command's replies to letters for that recipient. Without an entry the server is friendly.
    """

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    replies: dict[str, list[bytes]] = field(default_factory=dict)
    for_recipient: dict[str, dict[str, bytes]] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    implicit_tls: ssl.SSLContext | None = None
    behind_starttls: bytes = b""


@dataclass
class Received:
    sender: str
    recipient: str
    content: bytes


class Server:
    """Counts what a client did; ``received`` holds letters whose final dot was answered with 250, or hung up on."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self.connections = 0
        self.open_now = 0
        self.commands: list[str] = []
        self.segments: list[bytes] = []
        self.received: list[Received] = []
        self.dots = 0
        self.secure_commands: list[str] = []
        self.gate: asyncio.Event | None = None
        self._used: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def reply(self, command: str, recipient: str, friendly: bytes) -> bytes:
        for address, replies in self.script.for_recipient.items():
            if address == recipient and command in replies:
                return replies[command]
        scripted = self.script.replies.get(command)
        if not scripted:
            return friendly
        used = self._used.get(command, 0)
        self._used[command] = used + 1
        return scripted[min(used, len(scripted) - 1)]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_now += 1
        try:
            await _Session(self, reader, writer).run()
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self.open_now -= 1
            writer.transport.abort()
            self._tasks.discard(task)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _HangUpError(ConnectionError):
    pass


class _Session:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.secure = server.script.implicit_tls is not None
        self.buffer = b""
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.asked = ""

    async def say(self, data: bytes) -> bool:
        """Sends a reply; True if it was a success (or 354)."""
        if data == HANG_UP:
            raise _HangUpError
        if data == SILENCE:
            await asyncio.Event().wait()
        self.writer.write(data if data.endswith(b"\n") else data + b"\r\n")
        await self.writer.drain()
        return data[:1] in b"23"

    async def line(self) -> str:
        while b"\r\n" not in self.buffer:
            data = await self.reader.read(65536)
            if not data:
                raise _HangUpError
            self.server.segments.append(data)
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode()

    async def run(self) -> None:
        await self.say(self.server.reply("banner", "", b"220 test ESMTP"))
        while True:
            text = await self.line()
            word = text.split()[0].upper() if text.split() else ""
            self.server.commands.append(text)
            if self.secure:
                self.server.secure_commands.append(word)
            handler: Callable[[str], Awaitable[None]] | None = getattr(self, f"on_{word.lower()}", None)
            if self.server.gate is not None and word in {"MAIL", "DATA"}:
                await self.server.gate.wait()
            if handler is None:
                await self.say(b"500 5.5.2 unknown")
            else:
                await handler(text)

    async def on_ehlo(self, text: str) -> None:
        words = list(self.server.script.extensions)
        if self.server.script.tls and not self.secure:
            words.append("STARTTLS")
        if self.server.script.login and (self.secure or self.server.script.tls is None):
            words.append("AUTH PLAIN LOGIN")
        lines = [b"test greets you", *(word.encode() for word in words)]
        reply = b"".join(b"250%b%b\r\n" % (b" " if at == len(lines) - 1 else b"-", one) for at, one in enumerate(lines))
        await self.say(self.server.reply("ehlo", "", reply))

    async def on_helo(self, text: str) -> None:
        await self.say(self.server.reply("helo", "", b"250 test"))

    async def on_starttls(self, text: str) -> None:
        context = self.server.script.tls
        if context is None:
            await self.say(b"502 no")
            return
        if not await self.say(
            self.server.reply("starttls", "", b"220 go ahead\r\n" + self.server.script.behind_starttls)
        ):
            return
        await self.writer.start_tls(context)
        self.secure = True

    async def on_auth(self, text: str) -> None:
        kind, _, rest = text[5:].partition(" ")
        if kind == "PLAIN":
            _, name, password = base64.b64decode(rest).decode().split("\0")
        else:
            await self.say(b"334 VXNlcm5hbWU6")
            name = base64.b64decode(await self.line()).decode()
            await self.say(b"334 UGFzc3dvcmQ6")
            password = base64.b64decode(await self.line()).decode()
        good = (name, password) == self.server.script.login
        await self.say(self.server.reply("auth", "", b"235 2.7.0 welcome" if good else b"535 5.7.8 bad credentials"))

    async def on_mail(self, text: str) -> None:
        recipient = f"ada{text.partition('bounce+')[2].partition('@')[0]}@example.com"  # as `letters.letter` writes it
        if self.sender is not None:
            await self.say(b"503 5.5.1 nested MAIL")
        elif await self.say(self.server.reply("mail", recipient, b"250 2.1.0 ok")):
            self.sender = text[11:].split(">", maxsplit=1)[0]

    async def on_rcpt(self, text: str) -> None:
        address = text[9:].split(">", maxsplit=1)[0]
        self.asked = address
        if self.sender is None and "rcpt" not in self.server.script.for_recipient.get(address, {}):
            await self.say(b"503 5.5.1 need MAIL")
        elif await self.say(self.server.reply("rcpt", address, b"250 2.1.5 ok")):
            self.recipients.append(address)

    async def on_data(self, text: str) -> None:
        friendly = b"354 go on" if self.recipients else b"503 5.5.1 need RCPT"
        if not await self.say(self.server.reply("data", self.asked, friendly)):
            return
        while not (self.buffer.startswith(b".\r\n") or b"\r\n.\r\n" in self.buffer):
            data = await self.reader.read(65536)
            if not data:
                raise _HangUpError
            self.buffer += data
        if self.buffer.startswith(b".\r\n"):
            content, self.buffer = b"", self.buffer[3:]
        else:
            content, self.buffer = self.buffer.split(b"\r\n.\r\n", 1)
        self.server.dots += 1
        if not self.recipients:
            self.sender = None
            await self.say(b"554 5.5.1 no valid recipients")
            return
        lines = [line[1:] if line.startswith(b".") else line for line in content.split(b"\r\n")]
        letter = Received(self.sender or "", self.recipients[-1], b"\r\n".join(lines) + b"\r\n")
        reply = self.server.reply("dot", letter.recipient, b"250 2.0.0 Ok: queued as Q%06d" % self.server.dots)
        if reply in (HANG_UP, SILENCE) or reply.startswith(b"2"):
            self.server.received.append(letter)
        self.sender, self.recipients = None, []
        await self.say(reply)

    async def on_rset(self, text: str) -> None:
        self.sender, self.recipients = None, []
        await self.say(self.server.reply("rset", "", b"250 2.0.0 ok"))

    async def on_noop(self, text: str) -> None:
        await self.say(self.server.reply("noop", "", b"250 2.0.0 ok"))

    async def on_quit(self, text: str) -> None:
        await self.say(b"221 2.0.0 bye")
        raise _HangUpError


@asynccontextmanager
async def serving(script: Script | None = None) -> AsyncIterator[Server]:
    """The server, listening on a free port of loopback."""
    server = Server(script or Script())
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=server.script.implicit_tls, limit=1 << 22)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
