"""May this sender go on right now? A bucket of requests per key and address, in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil

_MAX_SENDERS = 50_000


class RateLimit:
    """``per_s`` requests a second on average, twice as many in one go; 0 switches the limit off.

    Addresses are only keys in memory here; nothing of them is stored. Used by one thread at a time, or by several
    under the GIL: a lost update lets one request more through, no more.
    """

    def __init__(self, per_s: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._monotonic = monotonic
        self._senders: dict[tuple[str, str], tuple[float, float]] = {}

    def is_empty(self, key: str, remote: str) -> bool:
        """Would a request have to wait? Takes nothing out of the bucket."""
        seen = self._senders.get((key, remote))
        if not self._per_s or seen is None:
            return False
        return seen[0] + (self._monotonic() - seen[1]) * self._per_s < 1.0

    def wait_s(self, key: str, remote: str) -> int:
        """0 when the request may pass, else the whole seconds to wait."""
        if not self._per_s:
            return 0
        now = self._monotonic()
        burst = 2.0 * self._per_s
        sender = (key, remote)
        left, at = self._senders.get(sender, (burst, now))
        left = min(burst, left + (now - at) * self._per_s)
        if left < 1.0:
            self._senders[sender] = (left, now)
            return max(1, ceil((1.0 - left) / self._per_s))
        if len(self._senders) >= _MAX_SENDERS:
            self._forget_idle(now)
        self._senders[sender] = (left - 1.0, now)
        return 0

    def _forget_idle(self, now: float) -> None:
        """Drop the senders whose bucket is full again; all of them when that is not enough."""
        full = 2.0
        kept = {sender: seen for sender, seen in self._senders.items() if now - seen[1] < full}
        self._senders = kept if len(kept) < _MAX_SENDERS else {}
