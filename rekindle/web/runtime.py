"""Which database and which context do the requests of this process share? Made on first use, from the settings.

A server forks or spawns its workers before the first request, so nothing is opened at import.
"""

from __future__ import annotations

import threading
from functools import cache

from django.conf import settings

from rekindle.engine.context import Context
from rekindle.store.database import Database

#: How long a request waits for a connection before it answers 503.
PATIENCE_S = 5.0

_lock = threading.Lock()
_opened: list[Database] = []


@cache
def context() -> Context:
    """Keys, public address and the machine's clock, for every verb that a request calls."""
    return Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)


def database() -> Database:
    """The process's pool. Opens without waiting: a database that is away shows when a connection is asked for."""
    if not _opened:
        with _lock:
            if not _opened:
                pool = Database(settings.DATABASE_URL, size=settings.DATABASE_POOL, patience_s=PATIENCE_S)
                _opened.append(pool.open(wait=False))
    return _opened[0]
