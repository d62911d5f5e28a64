"""What was looked up a moment ago? A small memory of a process, so that a request costs no query of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

FRESH_S = 10.0  #: a changed shop, or a revoked key, counts after this time
_MOST = 10_000


class Remembered(Generic[K, V]):
    """Values of ``look_up`` by key, kept for some seconds; what it raises is not kept."""

    def __init__(
        self,
        look_up: Callable[[K], V],
        *,
        fresh_s: float = FRESH_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._known: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()

    def fresh(self, key: K) -> tuple[V] | None:
        """The value in a tuple while it is fresh, else None; never looks up, so it never blocks."""
        entry = self._known.get(key)
        if entry is None or self._monotonic() - entry[0] > self._fresh_s:
            return None
        return (entry[1],)

    def find(self, key: K) -> V:
        """The value, looked up when it is not fresh."""
        kept = self.fresh(key)
        if kept is not None:
            return kept[0]
        return self.keep(key, self._look_up(key))

    def keep(self, key: K, value: V) -> V:
        """Remember a value that was found otherwise."""
        with self._lock:
            if len(self._known) >= _MOST:  # keys made up by a stranger must not fill the memory
                self._known.clear()
            self._known[key] = (self._monotonic(), value)
        return value
