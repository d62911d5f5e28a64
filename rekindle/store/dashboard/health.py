"""Is a shop's work late, and is anything unsettled? Asked on every page, so it reads small indexes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rekindle.store.database import Connection
from rekindle.store.statements import sql

WorkKind = Literal["check", "step", "send"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The oldest due instant of each kind of work (None: nothing is due) and the number of uncertain sends.

    ``check``: carts whose idle timer has run out. ``step``: enrolments whose next step is due. ``send``: scheduled
    sends whose time has come.
    """

    check: datetime | None
    step: datetime | None
    send: datetime | None
    uncertain_count: int

    @property
    def oldest(self) -> tuple[WorkKind, datetime] | None:
        """The kind and instant of the work that has waited longest."""
        due: list[tuple[datetime, WorkKind]] = []
        if self.check:
            due.append((self.check, "check"))
        if self.step:
            due.append((self.step, "step"))
        if self.send:
            due.append((self.send, "send"))
        if not due:
            return None
        at, kind = min(due)
        return kind, at


def load_health(connection: Connection, *, shop_id: int, buckets: Sequence[int], now: datetime) -> Health:
    where = {"buckets": list(buckets), "shop_id": shop_id}
    due = connection.execute(sql("oldest_due_work"), {**where, "now": now}).fetchall()
    oldest: dict[str, datetime | None] = dict(due)
    row = connection.execute(sql("count_uncertain_sends"), where).fetchone()
    return Health(check=oldest["check"], step=oldest["step"], send=oldest["send"], uncertain_count=row[0] if row else 0)
