"""How does a loop that waits for many things at once reach PostgreSQL? One asynchronous connection in autocommit.

`Line` makes a new one when it breaks; the caller decides what to do about the statement that failed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import LiteralString

import psycopg
from psycopg.rows import TupleRow

import rekindle.store.database  # noqa: F401  (sets how JSON is read and written)

AsyncConnection = psycopg.AsyncConnection[TupleRow]

#: What psycopg raises when the server is away, restarting, or has ended our session.
GONE = (psycopg.OperationalError, psycopg.InterfaceError)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_SETTINGS: tuple[LiteralString, ...] = (
    "SET timezone TO 'UTC'",
    "SET plan_cache_mode TO force_generic_plan",
    "SET enable_seqscan TO off",
    "SET jit TO off",
)
#: A worker that stops still waits so long for a database that is away, to record what it knows.
_LAST_WAIT_S = 10.0

log = logging.getLogger(__name__)


async def connect_async(dsn: str, *, application_name: str = "rekindle deliver") -> AsyncConnection:
    """One connection in autocommit mode and UTC. Raises psycopg.OperationalError when the server is away.

    A delivery loop runs the same two dozen statements for days, each made for one index: they are prepared at their
    second use with one plan for good, and never scan a table. Without that, today's partition, small when the plan was
    made, is read from end to end for each send an hour later.
    """
    connection = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, application_name=application_name, prepare_threshold=1, connect_timeout=10
    )
    for setting in _SETTINGS:
        await connection.execute(setting)
    return connection


class Line:
    """A connection that is there when it is asked for."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._connection: AsyncConnection | None = None
        self._until = math.inf

    @property
    def has_given_up(self) -> bool:
        return time.monotonic() > self._until

    def stop_waiting(self) -> None:
        """From now on wait only a little for a server that is away. Safe from another thread."""
        self._until = time.monotonic() + _LAST_WAIT_S

    async def get(self) -> AsyncConnection:
        """The connection; waits for the server as long as it takes. After `stop_waiting` raises OperationalError."""
        pause_s = _FIRST_PAUSE_S
        while self._connection is None or self._connection.closed or self._connection.broken:
            try:
                self._connection = await connect_async(self.dsn)
            except GONE as error:
                if self.has_given_up:
                    raise
                log.warning("database_away", extra={"facts": {"error": type(error).__name__, "pause_s": pause_s}})
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return self._connection

    async def drop(self) -> None:
        """Forget the connection, in whatever state it is: an open transaction ends with it."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
