"""What needs a person? Typed calls of store/sql/alerts.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class AlertKind(StrEnum):
    """What an alert is about; the subject is a provider account's id, or 0 for the shop as a whole."""

    ACCOUNT_REFUSED = "account_refused"  #: the provider refuses the account itself: key, sender, plan
    ACCOUNT_FAILING = "account_failing"  #: the breaker is open: too many failures or answers that tell nothing
    PRIVACY_REQUEST = "privacy_request"  #: requests about personal data have waited for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """``times``: how often it was reported since ``opened_at``."""

    id: int
    kind: str
    subject_id: int
    text: str
    opened_at: datetime
    last_at: datetime
    times: int


async def raise_alert(
    link: AsyncConnection, *, shop_id: int, kind: AlertKind, subject_id: int, text: str, at: datetime
) -> bool:
    """Whether this is news: False when the same alert is open already and was only counted."""
    values = {"shop_id": shop_id, "kind": kind.value, "subject_id": subject_id, "text": text, "at": at}
    row = await (await link.execute(sql("raise_alert"), values)).fetchone()
    return bool(row and row[1])


def raise_alert_now(
    connection: Connection, *, shop_id: int, kind: AlertKind, subject_id: int, text: str, at: datetime
) -> bool:
    """As `raise_alert`, on a plain connection."""
    values = {"shop_id": shop_id, "kind": kind.value, "subject_id": subject_id, "text": text, "at": at}
    row = connection.execute(sql("raise_alert"), values).fetchone()
    return bool(row and row[1])


async def close_alerts_later(link: AsyncConnection, *, shop_id: int, subject_id: int, at: datetime, by: str) -> None:
    """As `close_alerts`, on an asynchronous connection."""
    values = {"shop_id": shop_id, "kind": None, "subject_id": subject_id, "at": at, "by": by}
    await link.execute(sql("close_alerts"), values)


def close_alerts(
    connection: Connection, *, shop_id: int, subject_id: int, at: datetime, by: str, kind: AlertKind | None = None
) -> int:
    """Close what is open about a thing; without ``kind`` all of it. Returns how many that were."""
    values = {"shop_id": shop_id, "kind": kind.value if kind else None, "subject_id": subject_id, "at": at, "by": by}
    return connection.execute(sql("close_alerts"), values).rowcount


def open_alerts(connection: Connection, shop_id: int, limit: int = 50) -> list[AlertLine]:
    with connection.cursor(row_factory=class_row(AlertLine)) as cursor:
        return cursor.execute(sql("open_alerts"), {"shop_id": shop_id, "limit": limit}).fetchall()


def count_open_alerts(connection: Connection) -> dict[str, int]:
    """Open alerts by kind, of all shops."""
    return {str(row[0]): int(row[1]) for row in connection.execute(sql("count_open_alerts")).fetchall()}
