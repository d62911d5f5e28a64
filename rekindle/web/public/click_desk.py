"""How do many followed links share one look into the database and one commit? Those that wait are opened together.

Used by the event loop's entrance; every click that may be noted is stored before its visitor is sent on, so that none
is lost, whatever ends the process. What is no well-formed link goes the way of `follow`, with its brake on guessing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import psycopg

from rekindle.engine.clicks import Asked, Opened, open_cart_link, open_cart_links, record_clicks
from rekindle.engine.tracking import Decided
from rekindle.lib.clock import Clock
from rekindle.lib.tokens import take_apart
from rekindle.store.database import Connection
from rekindle.store.links import LinkedSend
from rekindle.web import metrics
from rekindle.web.crowd import Crowd
from rekindle.web.http import NO_STORE, Answer, Request
from rekindle.web.public import page
from rekindle.web.public.door import is_person, language_of, note_wrong, shop_of
from rekindle.web.public.follow import Wanted, detail_of, redirect, wanted_of

MAX_TOGETHER: Final = 500
MAX_WAITING: Final = 20_000

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    request: Request
    wanted: Wanted
    asked: Asked
    future: asyncio.Future[Answer]


class ClickDesk:
    """One per process; its thread starts with the first click. ``open_bucket`` gives a connection for one batch."""

    def __init__(self, open_bucket: Callable[[int], AbstractContextManager[Connection]], clock: Clock) -> None:
        self._open_bucket = open_bucket
        self._clock = clock
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._crowd = Crowd(lock)
        self._waiting: list[_Job] = []
        self._started = False
        self._decided = Decided()

    def take(self, request: Request) -> Awaitable[Answer] | None:
        """The answer to come to a look at a well-formed link; None for everything else, which may not wait here."""
        wanted = wanted_of(request.path) if request.method in ("GET", "HEAD") else None
        parts = take_apart(wanted.token) if wanted is not None else None
        if wanted is None or parts is None:
            return None
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        job = _Job(request, wanted, Asked(*parts, wanted.number is not None), future)
        if not self._queue(job):
            metrics.LINKS.labels(wanted.link, "away").inc()
            future.set_result(page.away(language_of(request)))
        return future

    def _queue(self, job: _Job) -> bool:
        """False when too many wait already."""
        with self._changed:
            waiting = self._waiting
            if len(waiting) >= MAX_WAITING:
                return False
            waiting.append(job)
            if len(waiting) == 1:
                self._changed.notify()
            self._crowd.joined(len(waiting))
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="click-desk", daemon=True).start()
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                self._crowd.wait(lambda: len(self._waiting))
                jobs, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            for bucket, group in _by_bucket(jobs):
                answers = self._answers(bucket, group)
                with self._changed:
                    self._crowd.size = len(jobs) + len(self._waiting)
                _wake(group, answers)

    def _answers(self, bucket: int, jobs: Sequence[_Job]) -> list[Answer]:
        counts: Counter[tuple[str, str]] = Counter()
        try:
            with self._open_bucket(bucket) as connection:
                return self._answer(connection, bucket, jobs, counts)
        except psycopg.OperationalError as error:
            log.warning("link_database_away", extra={"facts": {"links": len(jobs), "error": type(error).__name__}})
            counts = Counter((job.wanted.link, "away") for job in jobs)
            return [page.away(language_of(job.request)) for job in jobs]
        except Exception:
            log.exception("links_failed", extra={"facts": {"links": len(jobs)}})
            counts.clear()
            return [Answer(500, b"Something went wrong on our side.\n", headers=NO_STORE)] * len(jobs)
        finally:
            for labels, count in counts.items():
                metrics.LINKS.labels(*labels).inc(count)

    def _answer(
        self, connection: Connection, bucket: int, jobs: Sequence[_Job], counts: Counter[tuple[str, str]]
    ) -> list[Answer]:
        now = self._clock.now()
        links = open_cart_links(connection, bucket, [job.asked for job in jobs], now=now)
        clicks: list[tuple[LinkedSend, str, bytes]] = []
        answers = []
        for job, link in zip(jobs, links, strict=True):
            request, wanted, _, _ = job
            answer = None if link is None else self._redirect(connection, job, link)
            if answer is None or link is None:
                note_wrong(wanted.link, request.remote)
                answers.append(page.gone(language_of(request)))
                counts[wanted.link, "unknown"] += 1
                continue
            if answer.status == 302 and is_person(request) and _may_note(connection, self._decided, link.send):
                detail = detail_of(request, wanted)
                clicks.append((link.send, wanted.name, _coded(*detail.items())))
            answers.append(answer)
            counts[wanted.link, "good" if answer.status < 400 else "refused"] += 1
        record_clicks(connection, bucket, clicks, at=now)
        return answers

    def _redirect(self, connection: Connection, job: _Job, link: Opened) -> Answer | None:
        """None for a shop that is no more."""
        shop = shop_of(connection, link.send.shop_id)
        if shop is None:
            return None
        answer = redirect(job.request, link.goal, shop, job.wanted)
        if answer.status == 302 or job.asked.needs_context:
            return answer
        whole = open_cart_link(connection, job.wanted.token, now=self._clock.now())  # its language is asked for
        return None if whole is None else redirect(job.request, whole.goal, shop, job.wanted)


def _may_note(connection: Connection, decided: Decided, send: LinkedSend) -> bool:
    """May it be noted who followed it? Asked only for links that led somewhere."""
    shop = shop_of(connection, send.shop_id)
    return shop is not None and decided.may_note(shop, send.channel, send.country, send.region, send.clicks)


@lru_cache(maxsize=4_096)
def _coded(*detail: tuple[str, object]) -> bytes:
    """The detail of a click as JSON: few devices follow few kinds of links."""
    return msgspec.json.encode(dict(detail))


def _by_bucket(jobs: list[_Job]) -> Iterator[tuple[int, list[_Job]]]:
    groups: dict[int, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.asked.bucket, []).append(job)
    return iter(sorted(groups.items()))


def _wake(jobs: Sequence[_Job], answers: Sequence[Answer]) -> None:
    """Answer all, those of one loop by one call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Answer]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.future.get_loop(), []).append((job.future, answer))
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: the process stops, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, settled)


def _resolve(settled: Sequence[tuple[asyncio.Future[Answer], Answer]]) -> None:
    for future, answer in settled:
        if not future.done():
            future.set_result(answer)
