"""How do many followed links share one look into the database and one commit? Those that wait are opened together.

Used by the event loop's entrance; every click is stored before its visitor is sent on, so that none is lost, whatever
ends the process. What is no well-formed link goes the way of `follow`, with its brake on guessing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Final, NamedTuple

import psycopg

from rekindle.engine.clicks import open_cart_links, record_clicks
from rekindle.lib.clock import Clock
from rekindle.lib.tokens import TokenParts, read_token
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.web.http import NO_STORE, Answer, Request
from rekindle.web.public import page
from rekindle.web.public.door import counted, is_person, language_of, shop_of
from rekindle.web.public.follow import Wanted, detail_of, redirect, wanted_of

MAX_TOGETHER: Final = 500
MAX_WAITING: Final = 20_000

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    request: Request
    wanted: Wanted
    parts: TokenParts
    future: asyncio.Future[Answer]


class ClickDesk:
    """One per process; its thread starts with the first click. ``connect`` opens a connection for one batch."""

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[_Job] = []
        self._started = False

    def takes(self, request: Request) -> bool:
        """Is this something that may wait for others? A look at a well-formed link."""
        return request.method in ("GET", "HEAD") and self._read(request.path) is not None

    async def follow(self, request: Request) -> Answer:
        """The answer to what `takes` said yes to."""
        read = self._read(request.path)
        assert read is not None
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                return counted(read[0].link, "away", page.away(language_of(request)))
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="click-desk", daemon=True).start()
            self._waiting.append(_Job(request, *read, future))
            self._changed.notify()
        return await future

    def _read(self, path: str) -> tuple[Wanted, TokenParts] | None:
        wanted = wanted_of(path)
        parts = read_token(wanted.token) if wanted is not None else None
        return (wanted, parts) if wanted is not None and parts is not None else None

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                jobs, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            _wake(jobs, self._answers(jobs))

    def _answers(self, jobs: Sequence[_Job]) -> list[Answer]:
        try:
            with self._connect() as connection:
                return self._open(connection, jobs)
        except psycopg.OperationalError as error:
            log.warning("link_database_away", extra={"facts": {"links": len(jobs), "error": type(error).__name__}})
            return [counted(job.wanted.link, "away", page.away(language_of(job.request))) for job in jobs]
        except Exception:
            log.exception("links_failed", extra={"facts": {"links": len(jobs)}})
            return [Answer(500, b"Something went wrong on our side.\n", headers=NO_STORE)] * len(jobs)

    def _open(self, connection: Connection, jobs: Sequence[_Job]) -> list[Answer]:
        now = self._clock.now()
        links = open_cart_links(connection, [job.parts for job in jobs], now=now)
        clicks: list[tuple[SendBehindLink, dict[str, object]]] = []
        answers = []
        for job, link in zip(jobs, links, strict=True):
            shop = shop_of(connection, link.send.shop_id) if link is not None else None
            if link is None or shop is None:
                gone = page.gone(language_of(job.request))
                answers.append(counted(job.wanted.link, "unknown", gone, guessed_by=job.request.remote))
                continue
            answer = redirect(job.request, link, shop, job.wanted)
            if answer.status == 302 and is_person(job.request):
                clicks.append((link.send, detail_of(job.request, job.wanted)))
            answers.append(counted(job.wanted.link, "good" if answer.status < 400 else "refused", answer))
        record_clicks(connection, clicks, at=now)
        return answers


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
