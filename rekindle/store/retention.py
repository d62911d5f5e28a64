"""How is what is too old taken away? Partitions at once, the rest in batches; each call names its bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql as quoted

from rekindle.lib.ids import floor_id
from rekindle.store.copying import id_array
from rekindle.store.database import Connection
from rekindle.store.forget import blank_carts
from rekindle.store.partitions import DAILY, MONTHLY
from rekindle.store.prepared import transaction
from rekindle.store.statements import sql
from rekindle.terms.retention import DataClass

BATCH: Final = 2_000
#: Classes that are deleted row by row, and the statements that count and take them, in this order.
_DELETED: Final[Mapping[DataClass, tuple[tuple[str, str], ...]]] = {
    DataClass.EVENTS: (("count_old_events", "delete_old_events"),),
    DataClass.SEND_EVENTS: (("count_old_send_events", "delete_old_send_events"),),
    DataClass.DECISIONS: (("count_old_decisions", "delete_old_decisions"),),
    DataClass.SENDS: (("count_old_sends", "delete_old_sends"),),
    DataClass.ANONYMOUS_CARTS: (
        ("count_old_anonymous_carts", "delete_old_anonymous_carts"),
        ("count_old_visitors", "delete_old_visitors"),
    ),
    DataClass.CONSENTS: (("count_old_consents", ""),),
    DataClass.REPLIES: (("count_old_replies", "blank_old_replies"),),
    DataClass.CARTS: (("count_old_carts", ""),),
    DataClass.REQUESTS: (("count_old_requests", ""),),
}
#: Statements that take all at once: there are few such rows.
_WHOLE: Final = frozenset({"blank_old_replies"})
#: Which table's partitions hold a class.
_PARTITIONED: Final = {
    DataClass.EVENTS: "events",
    DataClass.SEND_EVENTS: "send_events",
    DataClass.DECISIONS: "decisions",
    DataClass.SENDS: "sends",
}


class Taken(NamedTuple):
    """What a run took away. ``partitions``: names of whole ones, which hold rows of every shop."""

    data_class: str
    at: datetime
    before: datetime
    row_count: int
    partitions: str


def count_old(connection: Connection, bucket: int, shop_id: int, kind: DataClass, before: datetime) -> int:
    """How many rows of a class are older in a bucket."""
    values = _values(bucket, shop_id, before)
    found = 0
    for counting, _ in _DELETED[kind]:
        row = connection.execute(sql(counting), values).fetchone()
        found += int(row[0]) if row else 0
    return found


def take_old(connection: Connection, bucket: int, shop_id: int, kind: DataClass, before: datetime) -> int:
    """Take them away, in batches that commit; returns how many. Raises ValueError for consents, whose deletion has to
    be sealed (`engine.consent_removals`)."""
    if kind is DataClass.CONSENTS:
        raise ValueError("consents are not deleted without a removal that says so")
    values = _values(bucket, shop_id, before)
    if kind is DataClass.CARTS:
        return _in_batches(lambda: _blank_carts(connection, bucket, values))
    if kind is DataClass.REQUESTS:
        return _delete_requests(connection, bucket, values)
    taken = 0
    for _, taking in _DELETED[kind]:
        if taking in _WHOLE:
            taken += connection.execute(sql(taking), values).rowcount
        else:
            taken += _in_batches(partial(_delete, connection, taking, values))
    return taken


def old_partitions(connection: Connection, kind: DataClass, before: datetime) -> list[str]:
    """Partitions of a class in which everything is older."""
    parent = _PARTITIONED.get(kind)
    if parent is None:
        return []
    rows = connection.execute(sql("partitions_of"), {"parent": parent}).fetchall()
    limit = before.astimezone(UTC).date()
    return sorted(name for (name,) in rows if (end := _end_of(parent, name)) is not None and end <= limit)


def drop_partition(connection: Connection, name: str) -> bool:
    """False when somebody was using it: tomorrow, then."""
    try:
        with transaction(connection):
            connection.execute("SET LOCAL lock_timeout = '5s'")
            connection.execute(quoted.SQL("DROP TABLE IF EXISTS {}").format(quoted.Identifier(name)))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


def note_run(connection: Connection, shop_id: int | None, taken: Taken) -> None:
    connection.execute(sql("note_retention"), {"shop_id": shop_id, **taken._asdict()})


def report(connection: Connection, shop_id: int, limit: int = 50) -> list[Taken]:
    """What was taken away lately, newest first."""
    rows = connection.execute(sql("retention_report"), {"shop_id": shop_id, "limit": limit}).fetchall()
    return [Taken._make(row) for row in rows]


def _values(bucket: int, shop_id: int, before: datetime) -> dict[str, object]:
    found: dict[str, object] = {"bucket": bucket, "shop_id": shop_id, "before": before, "limit": BATCH}
    return found | {"floor": floor_id(before)}


def _in_batches(batch: Callable[[], int]) -> int:
    taken = 0
    while True:
        count = batch()
        taken += count
        if count < BATCH:
            return taken


def _delete(connection: Connection, name: str, values: Mapping[str, object]) -> int:
    return connection.execute(sql(name), values).rowcount


def _blank_carts(connection: Connection, bucket: int, values: Mapping[str, object]) -> int:
    with transaction(connection):
        ids: Sequence[UUID] = [row[0] for row in connection.execute(sql("hold_old_carts"), values).fetchall()]
        if ids:
            blank_carts(connection, bucket, ids)
    return len(ids)


def _delete_requests(connection: Connection, bucket: int, values: Mapping[str, object]) -> int:
    with transaction(connection):
        ids = [row[0] for row in connection.execute(sql("delete_old_requests"), values).fetchall()]
        if ids:
            named = {"bucket": bucket, "ids": id_array(ids)}
            connection.execute(sql("delete_history_of_requests"), named)
            connection.execute(sql("delete_exports_of_requests"), named)
    return len(ids)


def _end_of(parent: str, name: str) -> date | None:
    """The first day after a partition; None for the default one."""
    digits = name.removeprefix(f"{parent}_")
    if parent in DAILY and len(digits) == 8 and digits.isdigit():
        return datetime.strptime(digits, "%Y%m%d").date() + timedelta(days=1)  # noqa: DTZ007 (a day, not an instant)
    if parent in MONTHLY and len(digits) == 6 and digits.isdigit():
        first = datetime.strptime(digits, "%Y%m").date()  # noqa: DTZ007 (a month, not an instant)
        return (first + timedelta(days=32)).replace(day=1)
    return None
