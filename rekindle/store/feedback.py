"""How do reports about sends reach the database? Typed calls of store/sql/feedback.sql, one bucket at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.copying import array_literal, id_array
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One report about a send. ``kind`` is a SendEventKind, or empty for one that only says that the send is there.
    ``id`` in hexadecimal digits."""

    id: str
    send_id: UUID
    kind: str
    at: datetime
    reason: str | None = None
    provider_key: str | None = None
    detail: dict[str, Any] = {}


class Target(NamedTuple):
    """Whom a report is about. ``n`` is its number among those asked; ``is_new``: its event is not there yet."""

    n: int
    shopper_id: UUID
    contact_point_id: UUID
    address_hash: bytes | None
    is_new: bool


class SettledDoubt(msgspec.Struct, frozen=True, kw_only=True):
    """A send that was uncertain until the provider spoke of it; ``at`` is when the doubt began."""

    id: UUID
    shopper_id: UUID
    account: int | None
    at: datetime


class RecordedReports(NamedTuple):
    """``known``: reports about sends of this shop; ``new``: those of them that were not there yet."""

    known: int
    new: int
    settled: list[SettledDoubt]


class WatchedSend(NamedTuple):
    """Where the shopper of a send is, and whether they agreed that their clicks are noted (None: no answer)."""

    channel: str
    country: str
    region: str
    clicks: bool | None


def watched_sends(connection: Connection, bucket: int, shop_id: int, ids: Iterable[UUID]) -> dict[UUID, WatchedSend]:
    """By send; those of another shop are missing. Somebody who is gone or erased is nowhere, and gave no answer."""
    values = {"bucket": bucket, "shop_id": shop_id, "ids": sorted(ids)}
    return {row[0]: WatchedSend(*row[1:]) for row in connection.execute(sql("watched_sends"), values)}


def targets_of_feedback(
    connection: Connection, bucket: int, shop_id: int, asked: Iterable[tuple[int, str, UUID]]
) -> list[Target]:
    """``asked``: (number, event id, send id)."""
    rows = msgspec.json.encode([{"n": n, "id": event_id, "send_id": send_id} for n, event_id, send_id in asked])
    found = connection.execute(
        sql("targets_of_feedback"), {"bucket": bucket, "shop_id": shop_id, "rows": rows.decode()}
    ).fetchall()
    return [Target(row[0], row[1], row[2], bytes(row[3]) if row[3] is not None else None, row[4]) for row in found]


def record_feedback(
    connection: Connection, bucket: int, shop_id: int, rows: Sequence[ReportRow], settles: Iterable[UUID]
) -> RecordedReports:
    """``settles``: sends that certainly went out, by these reports."""
    values = {"bucket": bucket, "shop_id": shop_id, "settles": id_array(settles)}
    row = connection.execute(sql("record_feedback"), values | {"rows": msgspec.json.encode(rows).decode()}).fetchone()
    assert row is not None
    return RecordedReports(row[0], row[1], msgspec.convert(row[2] or [], list[SettledDoubt]))


def find_sends(connection: Connection, buckets: Sequence[int], shop_id: int, ids: Iterable[UUID]) -> dict[UUID, int]:
    """The bucket of each send that is found."""
    values = {"buckets": array_literal(buckets), "shop_id": shop_id, "ids": id_array(ids)}
    return {row[0]: row[1] for row in connection.execute(sql("find_sends"), values)}


def shops_of_sends(connection: Connection, bucket: int, ids: Iterable[UUID]) -> dict[UUID, int]:
    """The shop of each send that is found."""
    values = {"bucket": bucket, "ids": id_array(ids)}
    return {row[0]: row[1] for row in connection.execute(sql("shops_of_sends"), values)}
