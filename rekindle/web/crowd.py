"""How long does a transaction wait for company? Until those who were answered by the last one have asked again.

Each transaction costs half a millisecond whatever it holds, so a crowd that is stored together is answered sooner, not
later. Where many were there when the last one ended, the next one waits until as many are back: in steps, as long as a
step brings somebody, and never longer than all steps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

FEW: Final = 8  #: so many or fewer are not waited for
STEP_S: Final = 0.004
STEPS: Final = 5


class Crowd:
    """Those who wait for one thing. Every method is called with the lock held that guards what they wait in."""

    __slots__ = ("_back", "_is_awaited", "size")

    def __init__(self, lock: threading.Lock) -> None:
        self.size = 0  #: how many were there when the last transaction ended
        self._back = threading.Condition(lock)
        self._is_awaited = False

    def joined(self, count: int) -> None:
        """Somebody came; ``count`` are here now."""
        if self._is_awaited and count >= self.size:
            self._back.notify()

    def wait(self, count: Callable[[], int]) -> None:
        """Wait until the crowd is back; lets go of the lock meanwhile."""
        if self.size <= FEW:
            return
        here = count()
        self._is_awaited = True
        for _ in range(STEPS):
            if here >= self.size:
                break
            pause(self._back, STEP_S)
            before, here = here, count()
            if here == before:
                break
        self._is_awaited = False


def pause(back: threading.Condition, seconds: float) -> None:
    """One step of waiting."""
    back.wait(seconds)
