"""How is a bucket read by an audit? Typed calls of store/sql/audit_sends.sql; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from rekindle.policy.consent_chain import ConsentRow
from rekindle.store.database import Connection
from rekindle.store.statements import sql

#: Rules that `audit_went` judges, in the order of its columns.
JUDGED = ("undecided", "baseless", "unlinted", "held_out", "erased", "suppressed")
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is looked at: messages that went since ``since``. ``slack``: how long before a call began something may have
    been accepted without an answer yet; ``report_delay``: how late a provider's report may reach us."""

    since: datetime
    since_id: UUID
    slack: timedelta
    report_delay: timedelta


class Counted(NamedTuple):
    """Of ``looked_at``, how many broke a rule, with a few of their ids."""

    looked_at: int
    number: int
    ids: tuple[UUID, ...] = ()


class OrderToKeep(NamedTuple):
    """An order, and whom it silences."""

    shop_id: int
    ordered_at: datetime
    received_at: datetime
    cart_id: UUID | None
    shopper_bucket: int
    shopper_id: UUID


class Withdrawal(NamedTuple):
    """From when until when the no of an address held; ``until_at`` None: to this day."""

    contact_point_id: UUID
    shopper_bucket: int
    from_at: datetime
    until_at: datetime | None


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """One snapshot for all that is asked inside, in which nothing can be written."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def buckets_to_audit(connection: Connection, buckets: Sequence[int], span: Span) -> list[int]:
    values = {"buckets": list(buckets), "since_id": span.since_id, "since": span.since}
    return [row[0] for row in connection.execute(sql("audit_buckets"), values).fetchall()]


def judge_went(connection: Connection, bucket: int, span: Span) -> dict[str, Counted]:
    """For each of `JUDGED`, how many messages broke it."""
    values = _values(bucket, span) | {"slack": span.slack, "report_delay": span.report_delay}
    row = connection.execute(sql("audit_went"), values).fetchone()
    assert row is not None
    return {
        name: Counted(row[0], row[1 + 2 * n], tuple(row[2 + 2 * n] or ())) for n, name in enumerate(JUDGED)
    }  # fmt: skip


def orders_to_keep(connection: Connection, bucket: int, span: Span) -> Iterator[list[OrderToKeep]]:
    values = {"bucket": bucket, "since": span.since}
    for rows in _in_parts(connection, sql("audit_orders"), values):
        yield [OrderToKeep(**row) for row in rows]


def sent_after_orders(
    connection: Connection, bucket: int, span: Span, rows: Sequence[Mapping[str, object]]
) -> list[UUID]:
    """``rows``: see the statement; times as text."""
    values = _values(bucket, span) | {"slack": span.slack, "rows": Jsonb(rows)}
    return [row[0] for row in connection.execute(sql("audit_sent_after_orders"), values).fetchall()]


def withdrawals(connection: Connection, bucket: int) -> Iterator[list[Withdrawal]]:
    for rows in _in_parts(connection, sql("audit_withdrawals"), {"bucket": bucket}):
        yield [Withdrawal(**row) for row in rows]


def sent_after_withdrawals(
    connection: Connection, bucket: int, span: Span, rows: Sequence[Mapping[str, object]]
) -> list[UUID]:
    """``rows``: see the statement; times as text."""
    values = _values(bucket, span) | {"slack": span.slack, "rows": Jsonb(rows)}
    return [row[0] for row in connection.execute(sql("audit_sent_after_withdrawals"), values).fetchall()]


def sent_twice(connection: Connection, bucket: int, span: Span) -> Counted:
    return _counted(connection, sql("audit_twice"), _values(bucket, span))


def crowded_texts(connection: Connection, bucket: int, span: Span, apart: timedelta) -> Counted:
    """Text messages about one cart that went closer together than ``apart``."""
    return _counted(connection, sql("audit_text_slots"), _values(bucket, span) | {"span": apart})


def stuck_sends(connection: Connection, bucket: int, now: datetime, patience: timedelta) -> Counted:
    return _counted(connection, sql("audit_stuck"), {"bucket": bucket, "now": now, "patience": patience})


def letters_by_shopper(connection: Connection, bucket: int, span: Span) -> Iterator[dict[str, Any]]:
    """What went, shopper by shopper, read little by little."""
    for rows in _in_parts(connection, sql("audit_letters"), _values(bucket, span)):
        yield from rows


def ledger(connection: Connection, bucket: int) -> Iterator[ConsentRow]:
    """A bucket's consents, address by address, oldest first."""
    with connection.cursor("ledger", row_factory=class_row(ConsentRow)) as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(sql("audit_consents"), {"bucket": bucket})


def _values(bucket: int, span: Span) -> dict[str, object]:
    return {"bucket": bucket, "since_id": span.since_id}


def _counted(connection: Connection, statement: LiteralString, values: Mapping[str, object]) -> Counted:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return Counted(row[0], row[1], tuple(row[2] or ()))


def _in_parts(
    connection: Connection, statement: LiteralString, values: Mapping[str, object]
) -> Iterator[list[dict[str, Any]]]:
    with connection.cursor("audit", row_factory=dict_row) as cursor:
        cursor.execute(statement, values)
        while rows := cursor.fetchmany(_AT_ONCE):
            yield rows
