"""How long does a request wait for what it shares? One timer for all, where one for each costs a microsecond."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
LOOK_S = 1.0  #: how often it is looked who has waited too long


class Patience(Generic[T]):
    """Gives futures of one event loop the result ``given_up`` when they are not done in ``limit_s`` or a bit more."""

    def __init__(self, given_up: T, limit_s: float, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._given_up = given_up
        self._limit_s = limit_s
        self._monotonic = monotonic
        self._waiting: deque[tuple[float, asyncio.Future[T]]] = deque()
        self._looking_on: asyncio.AbstractEventLoop | None = None

    def watch(self, future: asyncio.Future[T], since: float) -> None:
        """Called on the future's own loop; ``since`` is told by the same clock, and never earlier than the last one."""
        waiting = self._waiting
        while waiting and waiting[0][1].done():
            waiting.popleft()
        waiting.append((since, future))
        loop = future.get_loop()
        if self._looking_on is not loop:
            self._looking_on = loop
            loop.call_later(LOOK_S, self.look)

    def look(self) -> None:
        """Forget those who have their result, give up those who waited too long."""
        waiting, latest = self._waiting, self._monotonic() - self._limit_s
        while waiting and (waiting[0][0] <= latest or waiting[0][1].done()):
            future = waiting.popleft()[1]
            if not future.done():
                future.set_result(self._given_up)
        if waiting and self._looking_on is not None:
            self._looking_on.call_later(LOOK_S, self.look)
        else:
            self._looking_on = None
