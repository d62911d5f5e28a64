"""Which connection takes which letter? The `EmailProvider` over SMTP: a set of connections that are kept ready.

`prepare` does everything slow (connect, TLS, login, NOOP after a pause); `start` only writes. Each connection carries
one letter at a time, because the first bytes of every letter must be written before `start` returns and the next
letter's commands may not be written before the current one's body.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from rekindle.providers.base import Capabilities, Letter, NotStarted, Outcome, Pause
from rekindle.providers.email.smtp.connect import SmtpUnavailableError, connect
from rekindle.providers.email.smtp.settings import SmtpSettings
from rekindle.providers.email.smtp.wire import Wire

log = logging.getLogger(__name__)

_CAPABILITIES: Final = Capabilities(batch=False, idempotency_ttl_s=None, lookup=False, signed_webhooks=False)
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0


class SmtpProvider:
    """One account, used from one event loop."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._trouble: NotStarted | None = None
        self._failures = 0
        self._not_before = 0.0
        self._settled = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def start_width(self) -> int:
        return len(self._idle)

    @property
    def trouble(self) -> NotStarted | None:
        return self._trouble

    async def open(self) -> None:
        self._closed = False
        await self.prepare(1)

    async def prepare(self, width: int) -> int:
        """Get up to ``width`` connections ready (at most the configured number). Never raises; see `trouble`.

        After a failure it waits before it connects again, 1 s doubling to 60 s: a server that refuses a login must not
        be asked at every batch.
        """
        async with self._opening:
            if self._closed:
                return 0
            width = min(width, self._settings.connections)
            await self._check_idle()
            while len(self._idle) < width and any(wire.state == "clearing" for wire in self._busy):
                self._settled.clear()
                await self._settled.wait()  # bounded: a connection that clears for too long dies, and tells
            missing = min(width - len(self._idle), self._settings.connections - len(self._idle) - len(self._busy))
            if missing > 0 and asyncio.get_running_loop().time() >= self._not_before:
                await self._connect(missing)
            return len(self._idle)

    def start(self, letters: Sequence[Letter]) -> list[asyncio.Future[Outcome]]:
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Outcome]] = []
        for letter in letters:
            future: asyncio.Future[Outcome] = loop.create_future()
            futures.append(future)
            if self._idle:
                wire = self._idle.pop()
                self._busy.add(wire)
                wire.start(letter, future)
            else:
                future.set_result(self._trouble or NotStarted("not_ready", "no connection is ready", Pause.NONE))
        return futures

    async def lookup(self, message_id: str) -> bool | None:
        """SMTP knows no way to ask."""
        return None

    async def close(self) -> None:
        """Wait for letters under way, at most ``timeouts.drain``, then say goodbye on every connection.

        A letter that is still unanswered then is told as `Uncertain` (or as not accepted, before its final dot).
        """
        self._closed = True
        async with self._opening:
            pass  # a `prepare` that was under way ends first
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.timeouts.drain):
                while self._busy:
                    self._settled.clear()
                    await self._settled.wait()
        for wire in list(self._busy):
            wire.abort()
        idle, self._idle = self._idle, []
        for wire in idle:
            self._say_goodbye(wire)
        while self._goodbyes:
            await asyncio.gather(*self._goodbyes)

    # -- connections --------------------------------------------------------------------------------------------------

    async def _check_idle(self) -> None:
        """Connections that slept are asked whether they live; the order of use stays last in, first out."""
        before = asyncio.get_running_loop().time() - self._settings.check_after_s
        slept = [wire for wire in self._idle if wire.idle_since <= before]
        if slept:
            self._idle = [wire for wire in self._idle if wire.idle_since > before]
            self._busy.update(slept)
            await asyncio.gather(*(wire.check() for wire in slept))

    async def _connect(self, count: int) -> None:
        results = await asyncio.gather(
            *(connect(self._settings, self._changed) for _ in range(count)), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, SmtpUnavailableError):
                raise failure
            self._trouble = failure.outcome
        if not failures:
            self._trouble, self._failures, self._not_before = None, 0, 0.0
            return
        self._failures += 1
        wait = min(_FIRST_WAIT_S * 2 ** (self._failures - 1), _LONGEST_WAIT_S)
        self._not_before = asyncio.get_running_loop().time() + wait
        if self._trouble is not None:
            log.warning(
                "smtp_unavailable",
                extra={"facts": {"code": self._trouble.code, "connections": len(self._idle), "wait_s": wait}},
            )

    def _changed(self, wire: Wire) -> None:
        """A connection became idle, died, or could not take a letter."""
        self._busy.discard(wire)
        if wire.state == "idle":
            self._to_rest(wire)
        elif wire in self._idle:
            self._idle.remove(wire)
        self._settled.set()

    def _to_rest(self, wire: Wire) -> None:
        if self._closed or wire.letters_sent >= self._settings.letters_per_connection:
            self._say_goodbye(wire)
            return
        if wire not in self._idle:
            self._idle.append(wire)
        if self._sweeper is None:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(self._settings.close_after_s, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody used: an open connection costs the server more than a new one costs us."""
        self._sweeper = None
        before = asyncio.get_running_loop().time() - self._settings.close_after_s
        for wire in [wire for wire in self._idle if wire.idle_since <= before]:
            self._idle.remove(wire)
            self._say_goodbye(wire)
        if self._idle:
            self._sweep_later()

    def _say_goodbye(self, wire: Wire) -> None:
        task = asyncio.get_running_loop().create_task(wire.quit())
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)
