"""How does one letter travel over one SMTP connection? The protocol of a connection that is already logged in.

MAIL, RCPT and DATA leave in one write where the server offers PIPELINING (RFC 2920), else one by one. Replies are
counted in order. The moment that matters is the final dot: before it is written nothing can have been accepted; from
then on only the server knows, so a lost connection or a time limit makes this letter, and only this one, `Uncertain`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Callable
from typing import Final, Literal, cast

from rekindle.providers.base import Accepted, Fault, Letter, NotStarted, Outcome, Pause, Rejected, Uncertain
from rekindle.providers.email.smtp.replies import Command, Reply, ReplyError, ReplyReader, explained, queue_id, refusal
from rekindle.providers.email.smtp.settings import Timeouts

_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f@]{1,64}@[A-Za-z0-9.\[\]:_-]{1,255}")
_BARE_BREAK = re.compile(rb"\r\n|\r|\n")
#: An event loop's clock moves in steps of a millisecond.
_CLOCK_STEP_S: Final = 0.002

#: envelope: waiting for the replies to MAIL, RCPT, DATA · body: the final dot is written, its reply is awaited ·
#: clearing: the outcome is known, the connection is being made ready again · idle: ready · dead: never again
State = Literal["setup", "idle", "envelope", "body", "clearing", "dead"]


class ConnectionLostError(ConnectionError):
    """The connection ended or broke the protocol while a reply was awaited."""


class Wire(asyncio.Protocol):
    """One connection. ``changed`` is called whenever it becomes idle or dead."""

    def __init__(self, timeouts: Timeouts, changed: Callable[[Wire], None]) -> None:
        self.state: State = "setup"
        self.extensions: dict[str, str] = {}
        self.letters_sent = 0
        self.idle_since = 0.0
        self._timeouts = timeouts
        self._changed = changed
        self._reader = ReplyReader()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = self._timer_at = math.inf
        self._early: list[Reply] = []
        self._letter: Letter | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self._commands: list[tuple[Command, bytes]] = []
        self._replies: list[Reply] = []
        self._clearing: list[bytes] = []
        self._pipelining = self._takes_utf8 = self._takes_8bit = False
        self._largest = 0  # 0: no limit
        self._sender = ""  # the last one that was looked at

    # -- set-up: one command, one reply -----------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionLostError("not connected")
        return self._transport

    async def reply(self, timeout_s: float) -> Reply:
        """The next reply. Raises ConnectionLostError, TimeoutError."""
        if self._early:
            return self._early.pop(0)
        if self.state == "dead":
            raise ConnectionLostError("the server closed the connection")
        self._waiter = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._waiter
        finally:
            self._waiter = None

    async def command(self, line: str, timeout_s: float | None = None) -> Reply:
        """Send one command and await its reply. Raises ConnectionLostError, TimeoutError."""
        self.transport.write(line.encode() + b"\r\n")
        return await self.reply(self._timeouts.command if timeout_s is None else timeout_s)

    def forget_clear_text(self) -> None:
        """Before TLS begins. Raises ConnectionLostError when bytes came behind the reply to STARTTLS: an injection."""
        if not self._reader.empty or self._early:
            self.abort()
            raise ConnectionLostError("bytes in clear text behind STARTTLS")

    def use(self, transport: asyncio.Transport) -> None:
        """Go on over the encrypted transport."""
        self._transport = transport
        self.extensions = {}

    def ready(self) -> None:
        """Logged in: letters may start."""
        if self.state != "dead":
            self._pipelining = "PIPELINING" in self.extensions
            self._takes_utf8 = "SMTPUTF8" in self.extensions
            self._takes_8bit = "8BITMIME" in self.extensions
            size = self.extensions.get("SIZE", "")
            self._largest = int(size) if size.isdigit() else 0
            self._to_idle()

    async def check(self) -> bool:
        """Is the server still there? NOOP on a connection that was idle for a while."""
        self.state = "setup"
        try:
            reply = await self.command("NOOP")
        except (ConnectionError, TimeoutError):
            self.abort()
            return False
        if reply.ok:
            self._to_idle()
        else:
            self.abort()
        return reply.ok

    async def quit(self) -> None:
        """Say goodbye. A connection in the middle of a letter is dropped."""
        if self.state not in {"idle", "setup"}:
            self.abort()
            return
        self.state = "setup"
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self.command("QUIT", self._timeouts.close)
        self.abort()

    def abort(self) -> None:
        """Drop the connection; what is under way gets its outcome."""
        if self._transport is not None:
            self._transport.abort()
        self._lost("the connection was dropped")

    # -- letters ------------------------------------------------------------------------------------------------------

    def start(self, letter: Letter, outcome: asyncio.Future[Outcome]) -> None:
        """Write the beginning of a letter now. The connection must be idle."""
        transport = self.transport
        if transport.is_closing():
            outcome.set_result(NotStarted("connection_lost", "the connection is closing", Pause.NONE))
            self._lost("the connection was closed")
            return
        refused = self._impossible(letter)
        if refused is not None:
            outcome.set_result(refused)
            self._changed(self)
            return
        self.letters_sent += 1
        self.state, self._letter, self._outcome, self._replies = "envelope", letter, outcome, []
        self._commands = self._envelope(letter)
        if self._pipelining:
            transport.write(b"".join([line for _, line in self._commands]))
        else:
            transport.write(self._commands[0][1])
        self._limit(self._timeouts.command)

    def _impossible(self, letter: Letter) -> Rejected | None:
        """What this server cannot take, known before a byte is written."""
        if not _ADDRESS.fullmatch(letter.recipient):
            return Rejected(True, "address", "an envelope address is not valid", Fault.LETTER)
        if letter.sender != self._sender:
            if not _ADDRESS.fullmatch(letter.sender):
                return Rejected(True, "address", "an envelope address is not valid", Fault.LETTER)
            self._sender = letter.sender
        if not self._takes_utf8 and not (letter.recipient.isascii() and letter.sender.isascii()):
            text = "the address needs SMTPUTF8, which this server does not offer"
            return Rejected(True, "smtputf8", text, Fault.LETTER)
        if not self._takes_8bit and not letter.content.isascii():
            return Rejected(True, "8bitmime", "8-bit content, which this server does not offer", Fault.LETTER)
        if 0 < self._largest < len(letter.content):
            return Rejected(True, "size", f"larger than the {self._largest} bytes this server takes", Fault.LETTER)
        return None

    def _envelope(self, letter: Letter) -> list[tuple[Command, bytes]]:
        parameters = ""
        if "SIZE" in self.extensions:
            parameters += f" SIZE={len(letter.content)}"
        if not letter.content.isascii():
            parameters += " BODY=8BITMIME"
        if not (letter.recipient.isascii() and letter.sender.isascii()):
            parameters += " SMTPUTF8"
        return [
            ("mail", f"MAIL FROM:<{letter.sender}>{parameters}\r\n".encode()),
            ("rcpt", f"RCPT TO:<{letter.recipient}>\r\n".encode()),
            ("data", b"DATA\r\n"),
        ]

    def _on_reply(self, reply: Reply) -> None:
        if self.state == "envelope":
            self._replies.append(reply)
            self._on_envelope_reply(reply)
        elif self.state == "body":
            self._on_final_reply(reply)
        elif self.state == "clearing":
            self._on_cleared(reply)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reply)
        elif self.state == "setup":
            self._early.append(reply)
        else:  # nothing was asked: a server that says 421 before it closes
            self.abort()

    def _on_envelope_reply(self, reply: Reply) -> None:
        if reply.code == 421:
            self._settle(self._refusal_of(reply, self._commands[len(self._replies) - 1][0]))
            self.abort()
            return
        if len(self._replies) < len(self._commands) and not self._pipelining:
            if reply.ok:
                self.transport.write(self._commands[len(self._replies)][1])
                self._limit(self._timeouts.command)
            else:
                self._finish_refused()
            return
        if len(self._replies) == len(self._commands):
            self._on_envelope_complete()

    def _on_envelope_complete(self) -> None:
        mail, rcpt, data = self._replies
        if mail.ok and rcpt.ok and data.code == 354:
            self.state = "body"
            self.transport.write(_wired(cast(Letter, self._letter)))
            self._limit(self._timeouts.final)
        elif data.code == 354 and rcpt.ok:
            self._finish_refused()
            self.abort()  # a lone dot would send an empty letter to the recipient
        elif data.code == 354:
            # RFC 2920 3.1: a DATA that nobody wanted is ended by a lone dot; its reply, a refusal, is not the letter's
            self._finish_refused(b".\r\n")
        elif data.ok:
            self._finish_refused()
            self.abort()  # 2xx to DATA is out of step
        else:
            self._finish_refused()

    def _finish_refused(self, first: bytes = b"") -> None:
        """Tell the outcome of a letter that was refused, and clear the connection for the next."""
        wanted = zip(self._replies, self._commands, strict=False)
        reply, command = next(
            ((reply, name) for reply, (name, _) in wanted if not (reply.code == 354 if name == "data" else reply.ok)),
            (self._replies[-1], "data"),
        )
        self._settle(self._refusal_of(reply, command))
        self._clear(*([first] if first else []), b"RSET\r\n")

    def _clear(self, *commands: bytes) -> None:
        """Forget the letter on the server's side; each command waits for its reply."""
        self.state, self._clearing = "clearing", list(commands)
        self.transport.write(commands[0])
        self._limit(self._timeouts.command)

    def _on_cleared(self, reply: Reply) -> None:
        self._clearing.pop(0)
        if self._clearing:
            self._clear(*self._clearing)
        elif reply.ok:
            self._to_idle()
        else:
            self.abort()

    def _on_final_reply(self, reply: Reply) -> None:
        letter = cast(Letter, self._letter)
        if reply.ok:
            self._settle(Accepted(queue_id(reply), explained(reply, letter.recipient)))
        elif reply.code < 400:
            self._settle(Uncertain(f"an unexpected reply to the letter: {reply.code}"))
            self.abort()
            return
        else:
            self._settle(self._refusal_of(reply, "dot"))
        if reply.code == 421:
            self.abort()
        elif reply.ok:
            self._to_idle()
        else:
            self._clear(b"RSET\r\n")

    def _refusal_of(self, reply: Reply, command: Command) -> Outcome:
        return refusal(reply, command, cast(Letter, self._letter).recipient)

    def _settle(self, outcome: Outcome) -> None:
        future, self._outcome = self._outcome, None
        if future is not None and not future.done():
            future.set_result(outcome)

    def _to_idle(self) -> None:
        self._limit(None)
        self.state, self._letter = "idle", None
        self.idle_since = self._loop.time()
        self._changed(self)

    # -- limits and losses --------------------------------------------------------------------------------------------

    def _limit(self, seconds: float | None) -> None:
        """Until when the server has to answer. The timer is only moved when it would ring too late: it costs as much as
        a reply."""
        if seconds is None:
            self._deadline = math.inf
            return
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._timer_at:
            self._ring_at(self._deadline)

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = None if at == math.inf else self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._loop.time() + _CLOCK_STEP_S < self._deadline:
            self._ring_at(self._deadline)
        else:
            self._too_late()

    def _too_late(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lost("the server did not answer in time")

    def _lost(self, why: str) -> None:
        """The end of the connection, for whatever reason: the only place that decides what it means for a letter."""
        if self.state == "dead":
            return
        before, self.state = self.state, "dead"
        self._limit(None)
        self._ring_at(math.inf)
        if before == "body":
            self._settle(Uncertain(f"{why} after the letter was sent and before it was confirmed"))
        else:
            self._settle(Rejected(False, "connection_lost", f"{why} before the letter was sent", Fault.PROVIDER))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionLostError(why))
        self._changed(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except ReplyError as fault:
            if self._transport is not None:
                self._transport.abort()
            self._lost(f"{fault}")
            return
        for reply in replies:
            if self.state != "dead":
                self._on_reply(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost("the connection was lost")


def _wired(letter: Letter) -> bytes:
    """The content with its final dot; looked through unless it is known to be safe."""
    content = letter.content
    if not letter.wire_safe or not content.endswith(b"\r\n") or content.startswith(b"."):
        return _dotted(content)
    return content + b".\r\n"


def _dotted(content: bytes) -> bytes:
    r"""The content as it goes over the wire: CRLF everywhere, dots doubled at line starts, the final dot.

    A bare CR or LF would let a recipient's server see the end of the letter elsewhere than this one.

    >>> _dotted(b"a\n.b\r\n")
    b'a\r\n..b\r\n.\r\n'
    """
    if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        content = _BARE_BREAK.sub(b"\r\n", content)
    if content.startswith(b".") or b"\r\n." in content:
        content = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
    return content + (b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
