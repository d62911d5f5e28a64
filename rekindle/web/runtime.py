"""Which database and which context do the requests of this process share? Made on first use, from the settings.

A server forks or spawns its workers before the first request, so nothing is opened at import.
"""

from __future__ import annotations

import threading
from functools import cache

from django.conf import settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rekindle.engine.context import Context
from rekindle.lib.journal import Journal
from rekindle.store.database import Database

#: How long a request waits for a connection before it answers 503.
PATIENCE_S = 5.0

_LIMITS = "-c statement_timeout=20s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"

_lock = threading.Lock()
_opened: list[Database] = []


@cache
def context() -> Context:
    """Keys, public address and the machine's clock, for every verb that a request calls."""
    return Context(
        hash_key=settings.HASH_KEY,
        vault_key=settings.VAULT_KEY,
        public_url=settings.PUBLIC_URL,
        journal=Journal(settings.JOURNAL, settings.HASH_KEY) if settings.JOURNAL is not None else None,
    )


def database() -> Database:
    """The process's pool. Opens without waiting: a database that is away shows when a connection is asked for."""
    if not _opened:
        with _lock:
            if not _opened:
                pool = Database(_bounded(settings.DATABASE_URL), size=settings.DATABASE_POOL, patience_s=PATIENCE_S)
                _opened.append(pool.open(wait=False))
    return _opened[0]


def _bounded(dsn: str) -> str:
    """The address with limits on how long a statement, a lock or a dead network may hold a request up; limits that
    the operator wrote into the address stay."""
    given = conninfo_to_dict(dsn)
    limits: dict[str, str] = {"connect_timeout": "5", "tcp_user_timeout": "15000", "options": _LIMITS}
    return make_conninfo(dsn, **{name: value for name, value in limits.items() if name not in given})
