"""How do Django and the request pool get a test's own database? Pointed at its DSN, and back again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from rekindle.engine.context import Context
from rekindle.store.database import Database

#: People sign in all the time in tests, and no test is about how slow a hash is.
_QUICK_HASHERS = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("MD5", "PBKDF2")]


@contextmanager
def django_on(dsn: str, context: Context, *, pool: int = 4, options: str = "") -> Iterator[Database]:
    """Within the block Django's connections and `rekindle.web.runtime` use this database and this context.

    ``options``: settings of the pool's sessions, as libpq takes them; Django's own keep to the server's.
    """
    import django

    django.setup()
    from django.db import connections
    from django.test import override_settings

    from rekindle.web import runtime

    settings: dict[str, Any] = connections["default"].settings_dict
    kept, kept_pools, kept_context = dict(settings), list(runtime._opened), runtime.context
    connections["default"].close()
    settings.update(_django_names(dsn), CONN_MAX_AGE=0)
    database = Database(psycopg.conninfo.make_conninfo(dsn, options=options), size=pool).open()
    runtime._opened[:] = [database]
    runtime.context = lambda: context  # type: ignore[assignment]
    try:
        with override_settings(PASSWORD_HASHERS=_QUICK_HASHERS):
            yield database
    finally:
        runtime.context = kept_context  # type: ignore[assignment]
        runtime._opened[:] = kept_pools
        database.close()
        connections["default"].close()
        settings.clear()
        settings.update(kept)


def _django_names(dsn: str) -> dict[str, str]:
    info = psycopg.conninfo.conninfo_to_dict(dsn)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {theirs: str(info.get(ours) or "") for ours, theirs in names.items()}
