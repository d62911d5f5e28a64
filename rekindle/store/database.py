"""How is PostgreSQL reached? One pool a process, JSON by msgspec, UTC, two roles ready for a cluster.

`control()` is for configuration and fan-out reads, `data(bucket)` for everything routed to one bucket. On one
PostgreSQL both are the same pool; on a cluster `data` leads to the node that owns the bucket.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakSet

import msgspec
import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format, TransactionStatus
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import ConnectionPool

Connection = psycopg.Connection[TupleRow]
#: A kept connection that was not used for so long is asked whether it still is one.
DOUBT_S: Final = 0.5


def _dumps(value: Any) -> bytes:
    return msgspec.json.encode(value)


class _JsonbLoader(Loader):
    """jsonb as it travels in binary form, one version byte before the document; psycopg's own takes twice as long."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        view = memoryview(data)
        if view[0] != 1:
            raise psycopg.DataError(f"jsonb of an unknown version: {view[0]}")
        return _decode(view[1:])


_decode = msgspec.json.decode
set_json_dumps(_dumps)
set_json_loads(msgspec.json.decode)
psycopg.adapters.register_loader("jsonb", _JsonbLoader)


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
        self._own = threading.local()
        self._kept: WeakSet[Connection] = WeakSet()

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

    @contextmanager
    def kept(self, bucket: int) -> Iterator[Connection]:
        """As `data`, but this thread's own connection, for one that works without a pause; made when first asked for.

        A pool hands out another connection each time, and asks it first whether it is still there: with hundreds of
        small transactions a second, every one of its sessions then reads the same plans and catalogue, and the question
        costs as much as a statement. One that is left broken or in a transaction is given up.
        """
        connection = self._own_connection()
        try:
            yield connection
        finally:
            if connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
                connection.close()
            self._own.used_at = time.monotonic()

    def close(self) -> None:
        self._pool.close()
        for connection in list(self._kept):
            connection.close()

    def _own_connection(self) -> Connection:
        known: Connection | None = getattr(self._own, "connection", None)
        if known is not None and not known.closed:
            if time.monotonic() - self._own.used_at < DOUBT_S:
                return known
            try:
                ConnectionPool.check_connection(known)
            except psycopg.OperationalError:
                known.close()
            else:
                return known
        self._own.connection = made = connect(self.dsn)
        made.prepare_threshold = None  # `prepared.run` does it, and psycopg would undo it after each rollback
        self._kept.add(made)
        return made

    def __enter__(self) -> Database:
        return self.open()

    def __exit__(self, *exc: object) -> None:
        self.close()
