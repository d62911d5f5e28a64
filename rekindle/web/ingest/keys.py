"""Whose write key is this? Remembered for seconds, so that an event costs no query of its own."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from rekindle.store.database import Connection
from rekindle.store.shops import shop_by_write_key
from rekindle.terms.shop import ShopSettings

FRESH_S = 10.0  #: a changed shop setting or a revoked key counts after this time
_MAX_KNOWN = 10_000
_MAX_KEY = 200


class WriteKeys:
    """The shops by write key. ``control`` opens a connection; a database that is away raises OperationalError."""

    def __init__(
        self,
        control: Callable[[], AbstractContextManager[Connection]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control = control
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, ShopSettings | None]] = {}
        self._lock = threading.Lock()

    def remembered(self, key: str) -> tuple[bool, ShopSettings | None]:
        """Is the answer still fresh, and what is it? Never blocks."""
        entry = self._known.get(key)
        if entry is None or self._monotonic() - entry[0] > FRESH_S:
            return False, None
        return True, entry[1]

    def find(self, key: str) -> ShopSettings | None:
        """The shop of a key, None for an unknown one. Asks the database when the answer is not fresh."""
        fresh, shop = self.remembered(key)
        if fresh:
            return shop
        with self._control() as connection:
            shop = shop_by_write_key(connection, key)
        with self._lock:
            if len(self._known) >= _MAX_KNOWN:  # keys made up by a stranger must not fill the memory
                self._known.clear()
            self._known[key] = (self._monotonic(), shop)
        return shop


def told_key(authorization: str, in_body: str | None) -> str | None:
    """The write key of a request: the user name of Basic authorization, else the body's; None if there is none."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            name = base64.b64decode(coded.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError):
            name = ""
        if name:
            return name if _plausible(name) else None
    return in_body if in_body and _plausible(in_body) else None


def _plausible(key: str) -> bool:
    return len(key) <= _MAX_KEY and "\0" not in key
