"""Can this database be worked with, and what waits in it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rekindle.lib.hashing import BUCKETS
from rekindle.store.database import Connection
from rekindle.store.partitions import DAILY, MONTHLY
from rekindle.store.statements import sql
from rekindle.terms.send import IN_OUTBOX


@dataclass(frozen=True, slots=True)
class Waiting:
    """Age in seconds of the oldest due work by stage (abandon, advance, deliver), and sends in the outbox by state."""

    oldest_due_s: dict[str, float]
    outbox: dict[str, int]


def missing_migrations(connection: Connection, names: Sequence[str]) -> list[str]:
    """Which of these migrations the database has not had; all of them when it is empty."""
    if not _existing(connection, ["django_migrations"]):
        return list(names)
    applied = {row[0] for row in connection.execute(sql("applied_migrations")).fetchall()}
    return [name for name in names if name not in applied]


def has_partitions(connection: Connection, now: datetime) -> bool:
    """Do today's events, send events, decisions and this month's sends find partitions of their own?"""
    today = now.astimezone(UTC)
    wanted = {f"{parent}_{today:%Y%m%d}" for parent in DAILY} | {f"{parent}_{today:%Y%m}" for parent in MONTHLY}
    return _existing(connection, sorted(wanted)) == wanted


def load_waiting(connection: Connection, now: datetime) -> Waiting:
    rows = connection.execute(sql("oldest_due_by_stage"), {"buckets": list(range(BUCKETS)), "now": now}).fetchall()
    oldest = {stage: (now - at).total_seconds() if at is not None else 0.0 for stage, at in rows}
    outbox = dict.fromkeys(sorted(state.value for state in IN_OUTBOX), 0)
    for state, count in connection.execute(sql("outbox_by_state")).fetchall():
        outbox[state] = count
    return Waiting(oldest, outbox)


def _existing(connection: Connection, names: Sequence[str]) -> set[str]:
    return {row[0] for row in connection.execute(sql("existing_tables"), {"names": list(names)}).fetchall()}
