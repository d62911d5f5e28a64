"""How are requests about personal data kept? Typed calls of store/sql/privacy_requests.sql."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from rekindle.lib.hashing import BUCKETS
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind, RequestLine, RequestState, Subject
from rekindle.terms.send import Channel


class Attention(NamedTuple):
    """Open requests of a shop: all, those that waited too long, those past a legal date, and the nearest date."""

    open_count: int
    escalated_count: int
    overdue_count: int
    next_due_at: datetime | None = None


def add_request(connection: Connection, request: PrivacyRequest) -> bool:
    """False when it was there already."""
    values: dict[str, object] = {name: getattr(request, name) for name in PrivacyRequest.__dataclass_fields__}
    values |= {"subjects": Jsonb(_written(request.subjects)), "kind": request.kind.value, "state": request.state.value}
    return connection.execute(sql("add_privacy_request"), values).fetchone() is not None


def load_request(connection: Connection, bucket: int, shop_id: int, request_id: UUID) -> PrivacyRequest | None:
    return _one(connection, "load_privacy_request", {"bucket": bucket, "shop_id": shop_id, "id": request_id})


def hold_request(connection: Connection, bucket: int, shop_id: int, request_id: UUID) -> PrivacyRequest | None:
    return _one(connection, "hold_privacy_request", {"bucket": bucket, "shop_id": shop_id, "id": request_id})


def list_requests(
    connection: Connection,
    bucket: int,
    shop_id: int,
    *,
    kind: RequestKind | None = None,
    is_open: bool | None = None,
    limit: int = 200,
) -> list[PrivacyRequest]:
    values = {"bucket": bucket, "shop_id": shop_id, "kind": kind.value if kind else None}
    values |= {"is_open": is_open, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_read(row) for row in cursor.execute(sql("list_privacy_requests"), values)]


def change_request(connection: Connection, request: PrivacyRequest) -> None:
    """Write down the state and the dates of a request that is held."""
    names = ("bucket", "id", "due_at", "acknowledged_at", "extended_at", "closed_at")
    values: dict[str, object] = {name: getattr(request, name) for name in names}
    connection.execute(sql("change_privacy_request"), values | {"state": request.state.value})


def add_line(connection: Connection, request: PrivacyRequest, line_id: UUID, line: RequestLine) -> None:
    values: dict[str, object] = {"bucket": request.bucket, "id": line_id, "shop_id": request.shop_id}
    values |= {"request_id": request.id, "at": line.at, "what": line.what, "by": line.by}
    connection.execute(sql("add_privacy_event"), values | {"detail": Jsonb(dict(line.detail))})


def history(connection: Connection, request: PrivacyRequest) -> list[RequestLine]:
    with connection.cursor(row_factory=class_row(RequestLine)) as cursor:
        values = {"bucket": request.bucket, "request_id": request.id}
        return cursor.execute(sql("privacy_history"), values).fetchall()


def attention(connection: Connection, bucket: int, shop_id: int, now: datetime) -> Attention:
    values = {"bucket": bucket, "shop_id": shop_id, "now": now}
    row = connection.execute(sql("privacy_attention"), values).fetchone()
    return Attention(*row) if row else Attention(0, 0, 0)


def waiting_of_all(connection: Connection, now: datetime) -> Attention:
    values = {"buckets": array_literal(list(range(BUCKETS))), "now": now}
    row = connection.execute(sql("privacy_waiting"), values).fetchone()
    return Attention(*row) if row else Attention(0, 0, 0)


def escalate_requests(connection: Connection, bucket: int, shop_id: int, now: datetime) -> list[UUID]:
    values = {"bucket": bucket, "shop_id": shop_id, "now": now}
    return [row[0] for row in connection.execute(sql("escalate_privacy_requests"), values).fetchall()]


def _one(connection: Connection, name: str, values: dict[str, object]) -> PrivacyRequest | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(sql(name), values).fetchone()
    return _read(row) if row else None


def _read(row: dict[str, Any]) -> PrivacyRequest:
    subjects = tuple(
        Subject(Channel(one["channel"]), bytes.fromhex(one["hash"]), one["address"]) for one in row["subjects"]
    )
    kind, state = RequestKind(row["kind"]), RequestState(row["state"])
    return PrivacyRequest(**row | {"subjects": subjects, "kind": kind, "state": state})


def _written(subjects: Sequence[Subject]) -> list[dict[str, str]]:
    return [{"channel": one.channel.value, "hash": one.hash.hex(), "address": one.address} for one in subjects]
