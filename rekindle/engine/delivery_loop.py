"""How does a worker keep delivering? One loop with an event loop of its own: deliver what is due, settle, sleep.

Several may run, in one process or over many machines: what they claim is locked with SKIP LOCKED. Asked to stop, it
finishes what is being handed over, records it, and gives the rest of its batch back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import uvloop

from rekindle.engine.batch import PACE, Pace
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.loops import FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_SLEEP_S, Loop, sleep_until
from rekindle.engine.make_provider import MakeProvider, Maker
from rekindle.engine.restore_gate import begin, gate
from rekindle.engine.settle import Settler
from rekindle.store import outbox
from rekindle.store.async_connection import Line
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection

#: Batches of one bucket before the others get their turn.
BATCHES_IN_A_ROW = 8

log = logging.getLogger(__name__)


class DeliveryLoop(Loop):
    """A thread that delivers. ``make`` makes providers from accounts; its own maker without one."""

    def __init__(
        self,
        dsn: str,
        context: Context,
        *,
        name: str = "deliver",
        make: MakeProvider | None = None,
        pace: Pace = PACE,
    ) -> None:
        super().__init__(name, dsn, context)
        self.maker = Maker(context.clock, sandbox=context.sandbox, push_hosts=context.push_hosts)
        self._make, self._pace = make or self.maker, pace
        self._settle_at = float("-inf")
        self._has_begun = False
        self._why = ""  # why nothing was sent at the last look
        self._deliverer: Deliverer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rouse = asyncio.Event()

    def ask_to_stop(self) -> None:
        super().ask_to_stop()
        if self._deliverer is not None:
            self._deliverer.stop()
        self._call_rouse()

    def wake(self) -> None:
        super().wake()
        self._call_rouse()

    def run(self) -> None:
        """Deliver until stopped. Never raises: what goes wrong is logged and tried again."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run())
        self._drop_link()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            line = Line(self._dsn)
            try:
                self._deliverer = Deliverer(
                    line, self._connection(), self.context, Books(), self._make, pace=self._pace
                )
                settler = Settler(self.context, self._deliverer.routes, self._pace)
                while not self._stop.is_set():
                    sleep_s = await self._turn_async(self._deliverer, settler)
                    pause_s = FIRST_PAUSE_S
                    await self._sleep(sleep_s)
            except Exception as error:  # a loop outlives every mistake
                self._note_failure(error, pause_s)
                await self._sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            finally:
                await self._close()
        self._loop = None

    async def _turn_async(self, deliverer: Deliverer, settler: Settler) -> float:
        """One pass over the buckets with due sends; returns how long nothing will be due."""
        deliverer.control = self._connection()
        deliverer.books.refresh_if_stale(deliverer.control)
        await deliverer.hand_over.record_late()
        if not self._may_send(deliverer.control):
            return LONGEST_SLEEP_S
        buckets = sorted({bucket for shop in deliverer.books.shops.values() for bucket in buckets_of(shop)})
        if not buckets:
            return LONGEST_SLEEP_S
        link = await deliverer.line.get()
        if time.monotonic() - self._settle_at > self._pace.settle_every_s:
            await settler.settle(link, buckets)
            self._settle_at = time.monotonic()
        done = 0
        for bucket in await outbox.due_buckets(link, buckets, self.context.clock.now()):
            for _ in range(BATCHES_IN_A_ROW):
                if self._stop.is_set():
                    return 0.0
                tally = await deliverer.deliver_batch(bucket)
                done += tally.claimed
                if tally.claimed < self._pace.limit:
                    break
        self._beat("")
        if done:
            return 0.0
        next_at = await outbox.next_send_at(await deliverer.line.get(), buckets)
        return sleep_until([next_at] if next_at else [], self.context.clock.now())

    def _may_send(self, connection: Connection) -> bool:
        """Whether this database is the one that was last worked with; the log says when that changes."""
        if not self._has_begun:
            begin(connection, self.context)
            self._has_begun = True
        found = gate(connection, self.context)
        if found.why != self._why:
            facts = {"facts": {"why": found.why}}
            log.info("gate_opened") if found.is_open else log.error("nothing_is_sent", extra=facts)
            self._why = found.why
        if not found.is_open:
            self._beat("GateClosed")
        return found.is_open

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0 and not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._rouse.wait()
        self._rouse.clear()

    async def _close(self) -> None:
        deliverer, self._deliverer = self._deliverer, None
        if deliverer is None:
            return
        try:
            await deliverer.close()
            await self.maker.close()
        except Exception:  # the worker ends or begins anew; leases end by themselves
            log.exception("delivery_not_closed")

    def _call_rouse(self) -> None:
        """End a sleep, from another thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended this very moment
                loop.call_soon_threadsafe(self._rouse.set)
