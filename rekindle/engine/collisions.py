"""How carefully are new rows of a shop added? By COPY, until it turns out that somebody else adds the same ones.

A collision (two requests of one new visitor in two processes, a batch that is sent again) costs one batch that is
computed again. After it a shop's rows are added with care for a while, which costs twice as much and collides with
nobody; the longer, the sooner it happened again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

CARE_S: Final = 0.2
MOST_CARE_S: Final = 10.0
_SOON: Final = 10  #: spans of care; who collides again within so many of them collides often
_MAX_KNOWN: Final = 10_000


class Collisions:
    """What one process met, by shop."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._care: dict[int, tuple[float, float]] = {}  # until when, and for how long

    def is_calm(self, shop_id: int) -> bool:
        """Whether nobody else added rows of the shop lately."""
        return self._monotonic() >= self._care.get(shop_id, (-math.inf, 0.0))[0]

    def note(self, shop_id: int) -> None:
        """Somebody else did."""
        now = self._monotonic()
        until, span_s = self._care.get(shop_id, (-math.inf, 0.0))
        span_s = min(2 * span_s, MOST_CARE_S) if now - until < _SOON * span_s else CARE_S
        if len(self._care) >= _MAX_KNOWN:
            self._care.clear()
        self._care[shop_id] = (now + span_s, span_s)
