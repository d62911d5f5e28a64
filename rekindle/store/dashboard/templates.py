"""Which template versions does a shop have? Typed call of store/sql/dashboard_templates.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rekindle.store.database import Connection
from rekindle.store.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One immutable version; ``is_published``: new messages are written with it."""

    key: str
    name: str
    channel: str
    version_id: int
    number: int
    is_published: bool
    created_at: datetime
    created_by: str


def versions_of_shop(connection: Connection, shop_id: int) -> list[VersionLine]:
    """Every version of every template, by key, the newest first."""
    with connection.cursor(row_factory=class_row(VersionLine)) as cursor:
        return cursor.execute(sql("template_versions_of_shop"), {"shop_id": shop_id}).fetchall()
