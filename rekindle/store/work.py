"""Where is work, which periodic job is due, who is alive? Asked by a worker's loops between batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class Beat(NamedTuple):
    """A loop's or a job's last sign of life. ``due_at``: a loop's last turn, a job's next."""

    name: str
    due_at: datetime
    last_ok_at: datetime | None
    last_error: str


def first_checks(connection: Connection, buckets: Sequence[int]) -> list[tuple[int, datetime]]:
    """(bucket, earliest idle timer), earliest first; buckets without one are missing."""
    return connection.execute(sql("first_check_by_bucket"), {"buckets": array_literal(buckets)}).fetchall()


def first_steps(connection: Connection, buckets: Sequence[int]) -> list[tuple[int, datetime]]:
    """(bucket, earliest due step), earliest first; buckets without one are missing."""
    return connection.execute(sql("first_step_by_bucket"), {"buckets": array_literal(buckets)}).fetchall()


def put_job(connection: Connection, name: str, due_at: datetime) -> None:
    connection.execute(sql("put_job"), {"name": name, "due_at": due_at})


def claim_job(connection: Connection, name: str, now: datetime, lease_until: datetime) -> bool:
    """Whether the job is ours until the lease ends."""
    parameters = {"name": name, "now": now, "lease_until": lease_until}
    return connection.execute(sql("claim_job"), parameters).fetchone() is not None


def finish_job(
    connection: Connection, name: str, due_at: datetime, *, last_ok_at: datetime | None, error: str = ""
) -> None:
    """Give a job back; ``last_ok_at`` None when it failed."""
    parameters = {"name": name, "due_at": due_at, "last_ok_at": last_ok_at, "error": error}
    connection.execute(sql("finish_job"), parameters)


def last_ok_at(connection: Connection, name: str) -> datetime | None:
    """When a job ended well the last time."""
    row = connection.execute(sql("last_ok_at"), {"name": name}).fetchone()
    return row[0] if row else None


def next_job_at(connection: Connection, names: Sequence[str]) -> datetime | None:
    row = connection.execute(sql("next_job_at"), {"names": list(names)}).fetchone()
    return row[0] if row else None


def beat(connection: Connection, name: str, now: datetime, error: str = "") -> None:
    """Leave a sign of life."""
    connection.execute(sql("beat"), {"name": name, "now": now, "error": error})


def all_beats(connection: Connection) -> list[Beat]:
    return [Beat(*row) for row in connection.execute(sql("all_beats")).fetchall()]
