"""How does a worker go round? Each kind of work has a loop of its own: look, work while there is work, sleep till more.

Loops need no coordination, neither in one process nor over many machines: what they take is locked with SKIP LOCKED.
A turn that fails is logged and tried again after a growing pause; a database that restarts is waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.store import work as store
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection, connect

#: Longest sleep of a loop: what another process schedules for now is noticed within it.
LONGEST_SLEEP_S = 2.0
SHORTEST_SLEEP_S = 0.02
#: Work is there, but others hold it.
CONTENDED_SLEEP_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
BEAT_EVERY_S = 10.0
_log = logging.getLogger(__name__)


class Turn(NamedTuple):
    """``done``: units of work; ``sleep_s``: how long nothing will be due."""

    done: int
    sleep_s: float


class Loop:
    """One thread that takes turns until it is told to stop. Subclasses say what a turn is."""

    def __init__(self, name: str, dsn: str, context: Context) -> None:
        self.name, self.context = name, context
        self._dsn = dsn
        self._link: Connection | None = None
        self._awake = threading.Event()
        self._beat_at = float("-inf")
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def turn(self, connection: Connection) -> Turn:
        """Do what is due; raises whatever goes wrong."""
        raise NotImplementedError

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """End after the batch at hand."""
        self._stop.set()
        self._awake.set()

    def wake(self) -> None:
        """There may be work sooner than it looked."""
        self._awake.set()

    def join(self, timeout_s: float) -> bool:
        """Whether the loop has ended; a statement that still runs then is cancelled."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            link = self._link
            if link is not None and not link.closed:
                link.cancel_safe(timeout=1.0)
            self._thread.join(1.0)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Take turns until stopped. Never raises: what goes wrong is logged and tried again."""
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                taken = self.turn(self._connection())
                self._beat("")
                pause_s = FIRST_PAUSE_S
                sleep_s = 0.0 if taken.done else taken.sleep_s
            except Exception as error:  # a loop outlives every mistake
                self._note_failure(error, pause_s)
                sleep_s, pause_s = pause_s, min(pause_s * 2, LONGEST_PAUSE_S)
            if sleep_s > 0:
                self._awake.wait(min(sleep_s, LONGEST_PAUSE_S))
            self._awake.clear()
        self._drop_link()

    def _connection(self) -> Connection:
        if self._link is None or self._link.closed or self._link.broken:
            self._drop_link()
            self._link = connect(self._dsn)
            self._link.prepare_threshold = 2
        return self._link

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _beat(self, error: str) -> None:
        now = time.monotonic()
        if error or now - self._beat_at > BEAT_EVERY_S:
            store.beat(self._connection(), f"loop:{self.name}", self.context.clock.now(), error)
            self._beat_at = now

    def _note_failure(self, error: Exception, pause_s: float) -> None:
        kind = type(error).__name__
        facts = {"loop": self.name, "error": kind, "pause_s": pause_s}
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            _log.warning("database_away", extra={"facts": facts})
            self._drop_link()
            return
        _log.exception("turn_failed", extra={"facts": facts})
        self._drop_link()  # whatever state its transaction was in
        try:
            self._beat(kind)
        except psycopg.Error:
            _log.warning("beat_failed", extra={"facts": facts})


class StageLoop(Loop):
    """A loop over buckets with due work: one sweep finds them, each gets batches until it has nothing due.

    Args:
        discover: (connection, buckets) -> (bucket, earliest due instant), earliest first.
        work: (connection, books, bucket) -> units done in one batch.
        after: loops to wake when something was done.
    """

    def __init__(
        self,
        name: str,
        dsn: str,
        context: Context,
        *,
        discover: Callable[[Connection, Sequence[int]], list[tuple[int, datetime]]],
        work: Callable[[Connection, Books, int], int],
        after: Sequence[Callable[[], None]] = (),
    ) -> None:
        super().__init__(name, dsn, context)
        self._discover, self._work, self._after = discover, work, after
        self._books = Books()

    def turn(self, connection: Connection) -> Turn:
        self._books.refresh_if_stale(connection)
        buckets = sorted({bucket for shop in self._books.shops.values() for bucket in buckets_of(shop)})
        found = self._discover(connection, buckets)
        now = self.context.clock.now()
        ready = [bucket for bucket, at in found if at <= now]
        done = 0
        for bucket in ready:
            if self._stop.is_set():
                break
            done += self._work(connection, self._books, bucket)
        if done:
            for wake in self._after:
                wake()
            return Turn(done, 0.0)
        if ready:
            return Turn(0, CONTENDED_SLEEP_S)
        return Turn(0, sleep_until([at for _, at in found], now))


class Job(NamedTuple):
    """Something to do every ``every_s`` seconds, by one worker of the installation at a time."""

    name: str
    every_s: float
    run: Callable[[Connection, Context], object]
    lease_s: float = 600.0


class JobLoop(Loop):
    """The periodic jobs. A worker that dies in one loses its lease, and another takes it."""

    def __init__(self, name: str, dsn: str, context: Context, jobs: Sequence[Job]) -> None:
        super().__init__(name, dsn, context)
        self._jobs = jobs
        self._is_known = False

    def turn(self, connection: Connection) -> Turn:
        if not self._is_known:
            for job in self._jobs:
                store.put_job(connection, job.name, self.context.clock.now())
            self._is_known = True
        done = 0
        for job in self._jobs:
            if self._stop.is_set():
                break
            done += self._take(connection, job)
        now = self.context.clock.now()
        due_at = store.next_job_at(connection, [job.name for job in self._jobs])
        return Turn(done, sleep_until([due_at] if due_at else [], now))

    def _take(self, connection: Connection, job: Job) -> int:
        now = self.context.clock.now()
        if not store.claim_job(connection, job.name, now, now + timedelta(seconds=job.lease_s)):
            return 0
        error = ""
        try:
            job.run(connection, self.context)
        except psycopg.OperationalError:
            raise  # the lease ends by itself
        except Exception as mistake:  # one job must not stop the others
            error = type(mistake).__name__
            _log.exception("job_failed", extra={"facts": {"job": job.name, "error": error}})
        finished_at = self.context.clock.now()
        store.finish_job(
            connection,
            job.name,
            finished_at + timedelta(seconds=job.every_s),
            last_ok_at=None if error else finished_at,
            error=error,
        )
        return 1


def sleep_until(instants: Sequence[datetime], now: datetime) -> float:
    """Seconds to the earliest instant, between the shortest and the longest sleep."""
    first = min(instants, default=None)
    if first is None:
        return LONGEST_SLEEP_S
    return min(max((first - now).total_seconds(), SHORTEST_SLEEP_S), LONGEST_SLEEP_S)
