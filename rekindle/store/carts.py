"""How are carts read and written by those who change them? As drafts, many at once, with an optimistic step number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from rekindle.policy.cart_draft import CartDraft
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.cart import CartState, Stage

_STATES = {state.value: state for state in CartState}
_STAGES = {stage.value: stage for stage in Stage}


def load_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> dict[UUID, CartDraft]:
    """The carts that exist, by id."""
    return _drafts(connection, sql("load_carts"), bucket, ids)


def lock_carts(connection: Connection, bucket: int, ids: Sequence[UUID]) -> dict[UUID, CartDraft]:
    """As `load_carts`, held until the transaction ends."""
    return _drafts(connection, sql("lock_carts"), bucket, ids)


def carts_of_shoppers(connection: Connection, bucket: int, shopper_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(cart, shopper) for the open and abandoned carts of some shoppers, for a shop that lies in one bucket."""
    values = {"bucket": bucket, "shopper_ids": array_literal(shopper_ids)}
    return [(row[0], row[1]) for row in connection.execute(sql("carts_of_shoppers"), values)]


def write_carts(connection: Connection, bucket: int, drafts: Iterable[CartDraft]) -> list[CartDraft]:
    """Write changed drafts; returns those that were overtaken and must be folded again on a fresh state.

    A draft that was written counts one step further and can be changed and written again.
    """
    changed = sorted((draft for draft in drafts if draft.is_changed), key=attrgetter("id"))
    if not changed:
        return []
    body = msgspec.json.encode([_row(draft) for draft in changed]).decode()
    done = {row[0] for row in connection.execute(sql("write_carts"), {"bucket": bucket, "rows": body})}
    lost = []
    for draft in changed:
        if draft.id in done:
            draft.seq += 1
            draft.is_new = draft.is_changed = False
        else:
            lost.append(draft)
    return lost


def _drafts(
    connection: Connection, statement: LiteralString, bucket: int, ids: Sequence[UUID]
) -> dict[UUID, CartDraft]:
    if not ids:
        return {}
    cursor = connection.cursor(binary=True)
    rows = cursor.execute(statement, {"bucket": bucket, "ids": array_literal(ids)}).fetchall()
    return {row[1]: _draft(row) for row in rows}


def _draft(row: tuple[Any, ...]) -> CartDraft:
    draft = CartDraft.__new__(CartDraft)
    (
        draft.bucket,
        draft.id,
        draft.shop_id,
        draft.cart_key,
        state,
        stage,
        draft.items,
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
        draft.views,
        draft.facts,
        draft.seq,
    ) = row
    draft.state, draft.stage = _STATES[state], _STAGES[stage]
    draft.is_new = draft.is_begun = draft.is_changed = draft.gained_shopper = False
    draft.left = None
    return draft


def _row(draft: CartDraft) -> dict[str, Any]:
    return {
        "id": draft.id,
        "shop_id": draft.shop_id,
        "cart_key": draft.cart_key,
        "state": draft.state,
        "stage": draft.stage,
        "items": draft.items,
        "currency": draft.currency,
        "total_cents": draft.total_cents,
        "created_at": draft.created_at,
        "touched_at": draft.touched_at,
        "check_at": draft.check_at,
        "abandoned_at": draft.abandoned_at,
        "snapshot_at": draft.snapshot_at,
        "closed_at": draft.closed_at,
        "visitor_key": draft.visitor_key,
        "shopper_bucket": draft.shopper_bucket,
        "shopper_id": draft.shopper_id,
        "order_key": draft.order_key,
        "checkout_key": draft.checkout_key,
        "recover_url": draft.recover_url,
        "views": draft.views,
        "facts": draft.facts,
        "seq": draft.seq + 1,
    }
