"""How is a statement run when it is run hundreds of times a second? Prepared once a connection, by libpq's own call.

psycopg's cursors adapt every value, watch for interrupts and wait in steps; for a small batch of events that costs more
than the statement itself (measured: 60 to 150 microseconds against 9). Here values are texts that the caller made, and
the rows come back through psycopg's own loaders in binary form. Errors are psycopg's, as everywhere.

Only on connections on which psycopg prepares nothing itself (`Database.kept`): elsewhere it drops everybody's prepared
statements after a rollback. There, `run` is an ordinary cursor.
"""

from __future__ import annotations

import re
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from rekindle.store.database import Connection
from rekindle.store.statements import sql

_PARAMETER = re.compile(r"%\((\w+)\)s|%%")
_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)
_TEXT, _BINARY = 0, 1
_PIECE = 262_144  #: bytes handed to libpq at once, which keeps what it could not send yet
_prepared: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


def run(connection: Connection, name: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Run a named statement; returns its rows. Values (never None) go as texts, to be cast in the statement; bytes are
    in PostgreSQL's binary form of the type that the statement casts to."""
    if connection.prepare_threshold is not None and not any(type(value) is bytes for value in values.values()):
        cursor = connection.cursor(binary=True).execute(sql(name), values)
        return cursor.fetchall() if cursor.description is not None else []
    result = run_raw(connection, name, values)
    if not result.ntuples:
        return []
    reader = Transformer(connection)
    reader.set_pgresult(result)
    return reader.load_rows(0, result.ntuples, tuple)


def run_raw(connection: Connection, name: str, values: Mapping[str, object]) -> PGresult:
    """`run` for who reads the cells as they came, in PostgreSQL's binary form: an object for each id of each row costs
    more than finding the row."""
    told = [values[one] for one in _numbered(name)[1]]
    arguments = [one if isinstance(one, bytes) else str(one).encode() for one in told]
    formats = [_BINARY if isinstance(one, bytes) else _TEXT for one in told]
    execute = _execute_once if connection.prepare_threshold is not None else _execute_prepared
    return execute(connection, name, arguments, formats)


def _execute_once(connection: Connection, name: str, arguments: list[bytes], formats: list[int]) -> PGresult:
    if not connection.autocommit:
        _begin(connection)
    query = _numbered(name)[0]
    return _check(connection, connection.pgconn.exec_params(query, arguments, None, formats, _BINARY))


def _execute_prepared(connection: Connection, name: str, arguments: list[bytes], formats: list[int]) -> PGresult:
    statement, pgconn = name.encode(), connection.pgconn
    known = _prepared.get(connection)
    if known is None:
        known = _prepared[connection] = set()
    if name not in known:
        _check(connection, pgconn.prepare(statement, _numbered(name)[0]))
        known.add(name)
    return _check(connection, pgconn.exec_prepared(statement, arguments, formats, _BINARY))


def copy_in(connection: Connection, name: str, data: bytes) -> None:
    """Run a named COPY ... FROM STDIN with all its data in one piece; raises what PostgreSQL says of it."""
    pgconn = connection.pgconn
    if not connection.autocommit:
        _begin(connection)
    result = pgconn.exec_(sql(name).encode())
    if result.status != ExecStatus.COPY_IN:
        _check(connection, result)
        raise psycopg.ProgrammingError(f"{name} is no COPY from standard input")
    for start in range(0, len(data), _PIECE):
        pgconn.put_copy_data(data[start : start + _PIECE])
        _send_all(pgconn)
    pgconn.put_copy_end()
    _send_all(pgconn)
    _check(connection, _answer(pgconn))


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """A transaction around the block, committed at its end; a savepoint when there is a transaction already.

    Raises psycopg.errors.InFailedSqlTransaction when a statement inside failed and nobody minded.
    """
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        with connection.transaction():
            yield
        return
    command(connection, b"BEGIN")
    try:
        yield
    except BaseException:
        if connection.pgconn.status != ConnStatus.BAD:
            connection.pgconn.exec_(b"ROLLBACK")
        raise
    if command(connection, b"COMMIT").command_status == b"ROLLBACK":
        raise psycopg.errors.InFailedSqlTransaction("the transaction was rolled back: a statement in it had failed")


def command(connection: Connection, text: bytes) -> PGresult:
    """Run one command without values."""
    return _check(connection, connection.pgconn.exec_(text))


def _begin(connection: Connection) -> None:
    """What psycopg does silently before the first statement on a connection that is not in autocommit mode."""
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        command(connection, b"BEGIN")


def _check(connection: Connection, result: PGresult) -> PGresult:
    if result.status in _DONE:
        return result
    if connection.pgconn.status == ConnStatus.BAD:
        raise psycopg.OperationalError("the connection is lost: " + result.get_error_message())
    raise error_from_result(result, connection.info.encoding)


def _send_all(pgconn: PGconn) -> None:
    """Wait, without holding up other threads, until libpq has sent what it was given."""
    while pgconn.flush():
        if _wait(pgconn, select.POLLIN | select.POLLOUT) & select.POLLIN:
            pgconn.consume_input()  # the server says something before it reads on


def _answer(pgconn: PGconn) -> PGresult:
    """The result of what was sent; the first one that went wrong, if any."""
    found: PGresult | None = None
    while True:
        while pgconn.is_busy():
            _wait(pgconn, select.POLLIN)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        if found is None or found.status in _DONE:
            found = result
    if found is None:
        raise psycopg.OperationalError("the server did not answer")
    return found


def _wait(pgconn: PGconn, wanted: int) -> int:
    poll = select.poll()
    poll.register(pgconn.socket, wanted)
    return poll.poll()[0][1]


@cache
def _numbered(name: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with $1, $2 ... in place of its names, and the names in that order."""
    order: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if match[1] not in order:
            order.append(match[1])
        return f"${order.index(match[1]) + 1}"

    text = _PARAMETER.sub(number, sql(name))
    return text.encode(), tuple(order)
