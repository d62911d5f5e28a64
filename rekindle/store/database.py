"""How is PostgreSQL reached? One pool a process, JSON by msgspec, UTC, two roles ready for a cluster.

`control()` is for configuration and fan-out reads, `data(bucket)` for everything routed to one bucket. On one
PostgreSQL both are the same pool; on a cluster `data` leads to the node that owns the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[TupleRow]


def _dumps(value: Any) -> bytes:
    return msgspec.json.encode(value)


set_json_dumps(_dumps)
set_json_loads(msgspec.json.decode)


def connect(dsn: str, *, autocommit: bool = True) -> Connection:
    """One connection outside any pool, in UTC. Raises psycopg.OperationalError when the server is away."""
    connection = psycopg.connect(dsn, autocommit=autocommit, application_name="rekindle")
    configure(connection)
    return connection


def configure(connection: Connection) -> None:
    """Session settings every connection of ours has."""
    was = connection.autocommit
    connection.autocommit = True
    connection.execute("SET timezone TO 'UTC'")
    connection.autocommit = was


class Database:
    """The pools of one process. Close it, or use it as a context manager.

    ``patience_s`` is how long a caller waits for a connection before PoolTimeout (an OperationalError).
    """

    def __init__(self, dsn: str, *, size: int = 8, patience_s: float = 30.0) -> None:
        self.dsn = dsn
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=patience_s,
            open=False,
            configure=configure,
            kwargs={"autocommit": True, "application_name": "rekindle"},
            check=ConnectionPool.check_connection,
            name="rekindle",
        )

    def open(self, *, wait: bool = True, timeout_s: float = 30.0) -> Database:
        """Open the pool and, unless told not to, wait for its first connection. Raises PoolTimeout."""
        self._pool.open(wait=wait, timeout=timeout_s)
        return self

    @contextmanager
    def control(self) -> Iterator[Connection]:
        with self._pool.connection() as connection:
            yield connection

    @contextmanager
    def data(self, bucket: int) -> Iterator[Connection]:
        """A connection to where this bucket lives; the same server until a cluster says otherwise."""
        with self._pool.connection() as connection:
            yield connection

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Database:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()
