"""How are carts read and written by those who change them? As drafts, many at once, with an optimistic step number."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from rekindle.policy.cart_draft import BROWSE, CartDraft, Line
from rekindle.store.binary_copy import (
    INT4,
    INT8,
    JSONB,
    NULL,
    TEXT,
    TIMESTAMPTZ,
    UUIDS,
    array,
    id_array,
    identifier,
    instant,
    integer,
    jsonb,
    text,
    whole,
)
from rekindle.store.changed_hours import note_changed_hours
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in, run
from rekindle.terms.cart import CartState, Stage

_LINES = msgspec.json.Decoder(list[Line])  # past psycopg's JSON loader, which costs more than the decoding
_VIEWS = msgspec.json.Decoder(list[str])
_FACTS = msgspec.json.Decoder(dict[str, Any])
_STATES = {state.value: state for state in CartState}
_STAGES = {stage.value: stage for stage in Stage}
_WORDS: dict[str, bytes] = {word: text(word.value) for word in (*CartState, *Stage)}
_head = struct.Struct("!hii").pack  # 24 columns; bucket
_big = struct.Struct("!iq").pack
_json = msgspec.json.Encoder().encode
_NO_VIEWS = jsonb(b"[]")
_short = lru_cache(maxsize=256)(text)  # currencies
#: The columns of `_cells`, and the types of their elements.
_COLUMNS = {
    "ids": UUIDS, "shop_ids": INT8, "cart_keys": TEXT, "states": TEXT, "stages": TEXT, "items": JSONB,
    "currencies": TEXT, "total_cents": INT8, "created_at": TIMESTAMPTZ, "touched_at": TIMESTAMPTZ,
    "check_at": TIMESTAMPTZ, "abandoned_at": TIMESTAMPTZ, "snapshot_at": TIMESTAMPTZ, "closed_at": TIMESTAMPTZ,
    "visitor_keys": TEXT, "shopper_buckets": INT4, "shopper_ids": UUIDS, "order_keys": TEXT, "checkout_keys": TEXT,
    "recover_urls": TEXT, "views": JSONB, "facts": JSONB, "seqs": INT8,
}  # fmt: skip


def load_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> list[CartDraft]:
    """Those of the carts that exist."""
    return _drafts(connection, "load_carts", bucket, ids)


def lock_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> list[CartDraft]:
    """As `load_carts`, held until the transaction ends."""
    return _drafts(connection, "lock_carts", bucket, ids)


def carts_of_shoppers(connection: Connection, bucket: int, shopper_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(cart, shopper) for the open and abandoned carts of some shoppers, for a shop that lies in one bucket."""
    values = {"bucket": bucket, "shopper_ids": id_array(shopper_ids)}
    return [(row[0], row[1]) for row in run(connection, "carts_of_shoppers", values)]


def add_carts(connection: Connection, bucket: int, drafts: Iterable[CartDraft], *, now: datetime) -> None:
    """Add new carts by COPY, at a third of what `write_carts` costs; hours are noted as there.

    Raises psycopg.errors.UniqueViolation when somebody else added one meanwhile; then none was written.
    """
    ordered = sorted(drafts, key=_id)
    if not ordered:
        return
    head = _head(24, 4, bucket)
    parts: list[bytes] = []
    for draft in ordered:
        parts.append(head)
        parts += _cells(draft)
    copy_in(connection, "add_carts", whole(parts))
    _step_on(connection, bucket, ordered, now)


def write_carts(connection: Connection, bucket: int, drafts: Iterable[CartDraft], *, now: datetime) -> list[CartDraft]:
    """Write changed drafts; returns those that were overtaken and must be folded again on a fresh state.

    A draft that was written counts one step further and can be changed and written again. Hours that are counted
    differently by it are noted, unless they are fresh by ``now``.
    """
    changed = sorted((draft for draft in drafts if draft.is_changed), key=_id)
    if not changed:
        return []
    columns = zip(*[_cells(draft) for draft in changed], strict=True)
    values = {name: array(kind, cells) for (name, kind), cells in zip(_COLUMNS.items(), columns, strict=True)}
    written = run(connection, "write_carts", {"bucket": bucket, **values})
    if len(written) == len(changed):
        _step_on(connection, bucket, changed, now)
        return []
    done = {row[0] for row in written}
    _step_on(connection, bucket, [draft for draft in changed if draft.id in done], now)
    return [draft for draft in changed if draft.id not in done]


def _step_on(connection: Connection, bucket: int, written: Iterable[CartDraft], now: datetime) -> None:
    """These are stored as they are; notes which hours count them differently."""
    hours: dict[int, list[datetime]] = {}
    for draft in written:
        counted = draft.counted()
        if counted != draft.was:
            hours.setdefault(draft.shop_id, []).extend(one.created_at for one in (draft.was, counted) if one)
            draft.was = counted
        draft.seq += 1
        draft.is_new = draft.is_changed = False
    for shop_id, instants in hours.items():
        note_changed_hours(connection, bucket, shop_id, instants, now=now)


def _drafts(connection: Connection, statement: str, bucket: int, ids: Sequence[UUID]) -> list[CartDraft]:
    if not ids:
        return []
    return [_draft(row) for row in run(connection, statement, {"bucket": bucket, "ids": id_array(ids)})]


def _draft(row: tuple[Any, ...]) -> CartDraft:
    draft = CartDraft.__new__(CartDraft)
    (
        draft.bucket,
        draft.id,
        draft.shop_id,
        draft.cart_key,
        state,
        stage,
        items,
        draft.currency,
        draft.total_cents,
        draft.created_at,
        draft.touched_at,
        draft.check_at,
        draft.abandoned_at,
        draft.snapshot_at,
        draft.closed_at,
        draft.visitor_key,
        draft.shopper_bucket,
        draft.shopper_id,
        draft.order_key,
        draft.checkout_key,
        draft.recover_url,
        views,
        facts,
        draft.seq,
    ) = row
    draft.is_browse = draft.cart_key.startswith(BROWSE)
    draft.items, draft.views, draft.facts = _LINES.decode(items), _VIEWS.decode(views), _FACTS.decode(facts)
    draft.state, draft.stage = _STATES[state], _STAGES[stage]
    draft.is_new = draft.is_begun = draft.is_changed = draft.gained_shopper = False
    draft.left = None
    draft.was = draft.counted()
    return draft


def _cells(draft: CartDraft) -> tuple[bytes, ...]:
    """A cart's columns but for its bucket, each as a cell, in the order of both statements."""
    return (
        identifier(draft.id),
        _big(8, draft.shop_id),
        text(draft.cart_key),
        _WORDS[draft.state],
        _WORDS[draft.stage],
        jsonb(_json(draft.items)),
        _short(draft.currency),
        _big(8, draft.total_cents),
        instant(draft.created_at),
        instant(draft.touched_at),
        NULL if draft.check_at is None else instant(draft.check_at),
        NULL if draft.abandoned_at is None else instant(draft.abandoned_at),
        NULL if draft.snapshot_at is None else instant(draft.snapshot_at),
        NULL if draft.closed_at is None else instant(draft.closed_at),
        text(draft.visitor_key),
        NULL if draft.shopper_bucket is None else integer(draft.shopper_bucket),
        NULL if draft.shopper_id is None else identifier(draft.shopper_id),
        NULL if draft.order_key is None else text(draft.order_key),
        NULL if draft.checkout_key is None else text(draft.checkout_key),
        NULL if draft.recover_url is None else text(draft.recover_url),
        jsonb(_json(draft.views)) if draft.views else _NO_VIEWS,
        jsonb(_json(draft.facts)),
        _big(8, draft.seq + 1),
    )


def _id(one: CartDraft) -> int:
    """For the order of ids, as PostgreSQL sorts them."""
    return one.id.int
