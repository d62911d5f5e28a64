"""How does one request travel over one connection? One at a time: no pipelining, so that a doubt concerns one letter.

The moment that matters is the first byte. Before it is written nothing can have been accepted; from then on only a
whole answer tells, so a lost connection, a time limit or an unreadable answer leaves the request `Unanswered`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from rekindle.providers.http_client.answers import Answer, AnswerError, AnswerReader


@dataclass(frozen=True, slots=True)
class NotWritten:
    """Not a byte has left. ``code`` is one of not_ready, connection_lost, dns, connect, timeout, tls, certificate,
    blocked."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request, or a part of it, has left, and no whole answer came: it may or may not have been carried out."""

    why: str


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer


Exchange: TypeAlias = Answered | NotWritten | Unanswered


class Connection(asyncio.Protocol):
    """One open connection. ``changed`` is called whenever it becomes idle or dead."""

    def __init__(self, answer_limit: int, changed: Callable[[Connection], None]) -> None:
        self.state: Literal["idle", "busy", "dead"] = "idle"
        self.idle_since = 0.0
        self.idle_limit_s: float | None = None
        self._answer_limit = answer_limit
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._future: asyncio.Future[Exchange] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Idle, and the other side has not begun to close."""
        return self.state == "idle" and self._transport is not None and not self._transport.is_closing()

    def start(self, wire: bytes, future: asyncio.Future[Exchange], *, timeout_s: float, bodiless: bool) -> bool:
        """Write a request now. False: the connection is closing, nothing was written and the future is untouched."""
        transport = self._transport
        if not self.usable or transport is None:
            return False
        self.state, self._future = "busy", future
        self._reader = AnswerReader(self._answer_limit, bodiless=bodiless)
        self._timer = self._loop.call_later(timeout_s, self._too_late)
        transport.write(wire)
        return True

    def close(self) -> None:
        """End it; what is under way is left without an answer."""
        if self._transport is not None:
            self._transport.abort()
        self._lost("the connection was dropped")

    # -- asyncio.Protocol ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.idle_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        if self._reader is None:  # nothing was asked: an answer to nobody, such as a 408 before closing
            self.close()
            return
        try:
            answer = self._reader.feed(data)
        except AnswerError as fault:
            if self._transport is not None:
                self._transport.abort()
            self._lost(str(fault))
            return
        if answer is not None:
            self._finish(answer)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        answer = self._reader.end() if self._reader is not None and exc is None else None
        if answer is not None:
            self._finish(answer)
        self._lost("the connection was lost")

    # -- ends ---------------------------------------------------------------------------------------------------------

    def _finish(self, answer: Answer) -> None:
        reader, transport = cast(AnswerReader, self._reader), cast(asyncio.Transport, self._transport)
        self._settle(Answered(answer))
        # An answer that came before the whole request had left ends the connection: the rest would be read as the next.
        if reader.keep_alive and not transport.is_closing() and transport.get_write_buffer_size() == 0:
            self.state, self.idle_since, self.idle_limit_s = "idle", self._loop.time(), reader.idle_limit_s
            self._changed(self)
        else:
            transport.close()
            self._lost("the connection was closed")

    def _settle(self, exchange: Exchange) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        future, self._future, self._reader = self._future, None, None
        if future is not None and not future.done():
            future.set_result(exchange)

    def _too_late(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lost("the server did not answer in time")

    def _lost(self, why: str) -> None:
        """The end, for whatever reason: the only place that decides what it means for a request."""
        if self.state == "dead":
            return
        begun = self._reader is not None and self._reader.begun
        self.state = "dead"
        self._settle(Unanswered(f"{why} {'within the answer' if begun else 'before an answer came'}"))
        self._changed(self)
