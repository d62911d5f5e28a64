"""How do many small requests share one commit? Those that wait for the same shop are stored together.

A few threads each take a shop with waiting jobs, store all of them in one transaction and answer them after its
commit; what arrives meanwhile forms the next one. A shop is written by one thread at a time, so its events never wait
for each other's locks, and one transaction never holds two shops.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from rekindle.terms.event import ShopEvent
from rekindle.terms.shop import ShopSettings
from rekindle.web import metrics
from rekindle.web.crowd import FEW, Crowd

THREADS = 2
MAX_TOGETHER = 2_500  #: events of one transaction, unless a single request has more
MAX_WAITING = 50_000  #: events waiting in all before requests are turned away

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """The commit is done. ``refused`` tells by position which events the database could not take, and why."""

    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotStored:
    """Nothing is promised about these events. ``again``: the same request may succeed in a moment."""

    again: bool


STORED = Stored()
Result = Stored | NotStored
#: Stores groups of events of one shop, one group per request, and says what became of each.
Store = Callable[[ShopSettings, Sequence[Sequence[ShopEvent]]], list[Result]]


class Job:
    """The events of one request and how to wake it: a future of its event loop, or its waiting thread."""

    __slots__ = ("_done", "events", "future", "result", "shop")

    def __init__(
        self, shop: ShopSettings, events: Sequence[ShopEvent], future: asyncio.Future[Result] | None = None
    ) -> None:
        self.shop = shop
        self.events = events
        self.future = future
        if future is None:
            self.result: Result = NotStored(again=True)
            self._done = threading.Lock()
            self._done.acquire()

    def wait(self, timeout_s: float) -> Result:
        """Block until the commit. A job that takes too long counts as not stored; its events may still be."""
        self._done.acquire(timeout=timeout_s)
        return self.result

    def settle(self, result: Result) -> None:
        self.result = result
        self._done.release()


class Writer:
    """The queue and its threads; they start with the first job and end with the process."""

    def __init__(self, store: Store, *, threads: int = THREADS) -> None:
        self._store = store
        self._threads = threads
        self._started = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: dict[int, list[Job]] = {}
        self._ready: deque[int] = deque()
        self._busy: set[int] = set()
        self._crowds: dict[int, Crowd] = {}  # of the shops for which many requests wait
        self._count = 0

    def submit(self, job: Job) -> bool:
        """Queue a job; False when too much is waiting already."""
        with self._lock:
            if self._count + len(job.events) > MAX_WAITING and self._count:
                return False
            if not self._started:
                self._start()
            self._count += len(job.events)
            shop_id = job.shop.id
            jobs = self._waiting.get(shop_id)
            if jobs is not None:
                jobs.append(job)
                crowd = self._crowds.get(shop_id)
                if crowd is not None:
                    crowd.joined(len(jobs))
                return True
            self._waiting[shop_id] = [job]
            if shop_id not in self._busy:
                self._ready.append(shop_id)
                self._changed.notify()
        return True

    def _start(self) -> None:
        self._started = True
        for number in range(self._threads):
            threading.Thread(target=self._run, name=f"ingest-writer-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            jobs = self._take()
            try:
                results = self._store(jobs[-1].shop, [job.events for job in jobs])
            except Exception:
                log.exception("ingest_writer_failed")
                results = [NotStored(again=True)] * len(jobs)
            self._give_back(jobs)
            _count(jobs, results)
            _wake(jobs, results)

    def _take(self) -> list[Job]:
        with self._changed:
            while not self._ready:
                self._changed.wait()
            shop_id = self._ready.popleft()
            self._busy.add(shop_id)
            crowd = self._crowds.get(shop_id)
            if crowd is not None:
                crowd.wait(lambda: len(self._waiting[shop_id]))
            jobs = self._waiting.pop(shop_id)
            size = 0
            for index, job in enumerate(jobs):
                size += len(job.events)
                if size > MAX_TOGETHER and index:
                    self._waiting[shop_id] = jobs[index:]
                    return jobs[:index]
            return jobs

    def _give_back(self, jobs: list[Job]) -> None:
        shop_id = jobs[0].shop.id
        with self._changed:
            self._count -= sum(len(job.events) for job in jobs)
            self._busy.discard(shop_id)
            waiting = self._waiting.get(shop_id, ())
            if waiting:
                self._ready.append(shop_id)
                self._changed.notify()
            self._note_crowd(shop_id, len(jobs) + len(waiting))

    def _note_crowd(self, shop_id: int, size: int) -> None:
        if size <= FEW:
            self._crowds.pop(shop_id, None)
            return
        crowd = self._crowds.get(shop_id)
        if crowd is None:
            crowd = self._crowds[shop_id] = Crowd(self._lock)
        crowd.size = size


def _count(jobs: list[Job], results: list[Result]) -> None:
    accepted = failed = 0
    for job, result in zip(jobs, results, strict=True):
        if isinstance(result, Stored):
            accepted += len(job.events) - len(result.refused)
        else:
            failed += len(job.events)
    metrics.ACCEPTED.inc(accepted)
    metrics.FAILED.inc(failed)


def _wake(jobs: list[Job], results: list[Result]) -> None:
    """Answer all; the futures of a loop with one call, for each call costs a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result]]] = {}
    for job, result in zip(jobs, results, strict=True):
        if job.future is not None:
            by_loop.setdefault(job.future.get_loop(), []).append((job.future, result))
        else:
            job.settle(result)
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: the process stops, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, settled)


def _resolve(settled: list[tuple[asyncio.Future[Result], Result]]) -> None:
    for future, result in settled:
        if not future.done():  # the client may have hung up
            future.set_result(result)
