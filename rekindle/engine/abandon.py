"""Which idle carts are abandoned, and which flow takes each of them?

One call handles one batch of one bucket in one transaction: claim, decide, write. Two workers share a bucket by
SKIP LOCKED; a batch that fails leaves nothing behind. Locks are taken in the order cart, shopper, enrolment. With a
spread above 1 this is the one place where a transaction reaches into other buckets: the shoppers'.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.enrol import Batch, Found, Place, enrol
from rekindle.engine.transactions import until_free
from rekindle.lib.ids import natural_id
from rekindle.policy.abandonment import Finding, TimedCart, abandonment
from rekindle.store import abandon as store
from rekindle.store.abandon import CartChange, ClaimedCart
from rekindle.store.changed_hours import note_changed_hours
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.decision import Question, deny
from rekindle.terms.reasons import Reason

BATCH = 10_000
_DAY_S = 86_400
_STATES = {state.value: state for state in CartState}
_STAGES = {stage.value: stage for stage in Stage}
_log = logging.getLogger(__name__)


class AbandonResult(NamedTuple):
    """``examined``: timers that rang; ``abandoned``: carts newly idle; ``enrolled``: runs begun."""

    examined: int
    abandoned: int
    enrolled: int


def abandon(connection: Connection, context: Context, books: Books, bucket: int, limit: int = BATCH) -> AbandonResult:
    """Look at the carts of one bucket whose idle timer has rung, at most ``limit``; commits before it returns."""
    return until_free(connection, lambda: _look(connection, context, books, bucket, limit))


def _look(connection: Connection, context: Context, books: Books, bucket: int, limit: int) -> AbandonResult:
    now = context.clock.now()
    batch = Batch(connection, context, books, bucket, now)
    with connection.transaction():
        claimed = store.claim_idle_carts(connection, bucket, now, limit)
        if not claimed:
            return AbandonResult(0, 0, 0)
        _know_the_shops(batch, claimed)
        found = _findings(batch, claimed)
        abandoned = [look for look in found if look.finding.reason is Reason.ABANDONED]
        decisions, enrolled = enrol(batch, abandoned)
        decisions += _settle(batch, found)
        write_decisions(connection, decisions)
    fresh = sum(1 for look in abandoned if not look.is_again)
    return AbandonResult(len(claimed), fresh, enrolled)


def _know_the_shops(batch: Batch, claimed: Sequence[ClaimedCart]) -> None:
    """A shop made seconds ago may not be in the books yet."""
    if any(batch.books.shop(shop_id) is None for shop_id in {cart.shop_id for cart in claimed}):
        batch.books.refresh(batch.connection)


def _findings(batch: Batch, claimed: Sequence[ClaimedCart]) -> list[Found]:
    elsewhere = _carts_of_visits(batch, claimed)
    books, now = batch.books, batch.now
    places: dict[tuple[int, str], Place | None] = {}
    found = []
    for cart in claimed:
        state, stage = _STATES[cart.state], _STAGES[cart.stage]
        key = (cart.shop_id, cart.stage)
        if key not in places:
            shop = books.shop(cart.shop_id)
            places[key] = Place(shop, stage, books.idle_rules(shop, stage)) if shop else None
        place = places[key]
        if place is None:
            _log.error("cart_of_unknown_shop", extra={"facts": {"shop_id": cart.shop_id, "cart_id": cart.id}})
            later_s = int((now - cart.touched_at).total_seconds()) + _DAY_S
            found.append(Found(cart, None, Finding(state, Reason.STILL_ACTIVE, later_s), True))
            continue
        timed = TimedCart(
            state, stage, cart.created_at, cart.touched_at, cart.check_at, cart.is_empty, elsewhere.get(cart.id)
        )
        finding = abandonment(timed, place.rules, now)
        found.append(Found(cart, place, finding, state is CartState.ABANDONED))
    return found


def _carts_of_visits(batch: Batch, claimed: Sequence[ClaimedCart]) -> dict[str, datetime]:
    """For browse visits: when the cart was touched to which the same visitor went on, by the visit's id."""
    visitors = {
        str(natural_id("visitor", cart.shop_id, cart.visitor_key)): cart.id
        for cart in claimed
        if cart.stage == Stage.BROWSE.value and cart.visitor_key
    }
    if not visitors:
        return {}
    visit_of: dict[str, str] = {}
    by_bucket: dict[int, list[str]] = defaultdict(list)
    for visitor_id, (cart_bucket, cart_id) in store.carts_of_visitors(
        batch.connection, batch.bucket, list(visitors)
    ).items():
        if cart_id != visitors[visitor_id]:
            visit_of[cart_id] = visitors[visitor_id]
            by_bucket[cart_bucket].append(cart_id)
    touched: dict[str, datetime] = {}
    for cart_bucket in sorted(by_bucket):
        touched |= store.activity_of_carts(batch.connection, cart_bucket, by_bucket[cart_bucket])
    return {visit_of[cart_id]: at for cart_id, at in touched.items()}


def _settle(batch: Batch, found: Sequence[Found]) -> list[DecisionRow]:
    """Write the findings to the carts, end the runs of those that are over; returns what was decided about them."""
    changes: dict[tuple[object, ...], tuple[Found, list[str]]] = {}
    over: dict[tuple[int, Reason], list[str]] = defaultdict(list)
    decisions: list[DecisionRow] = []
    for look in found:
        cart, finding = look.cart, look.finding
        same = (finding.state, finding.check_s, look.is_again, look.place.rules.first_s if look.place else None)
        if same not in changes:
            changes[same] = (look, [])
        changes[same][1].append(cart.id)
        if finding.state is CartState.LOST or finding.state is CartState.EMPTIED:
            decisions.append(
                DecisionRow(
                    bucket=batch.bucket,
                    shop_id=cart.shop_id,
                    at=batch.now,
                    question=Question.ABANDON,
                    verdict=deny(finding.reason, **look.evidence()),
                    cart_id=cart.id,
                    shopper_id=cart.shopper_id,
                )
            )
            if look.is_again and cart.shopper_bucket is not None:
                over[cart.shopper_bucket, finding.reason].append(cart.id)
    _note_hours(batch, found)
    for look, ids in changes.values():
        store.settle_carts(batch.connection, batch.bucket, ids, _change(batch, look))
    return decisions + _end_runs(batch, over)


def _note_hours(batch: Batch, found: Sequence[Found]) -> None:
    """Carts that are counted as something else from now on."""
    begun: dict[int, list[datetime]] = defaultdict(list)
    for look in found:
        if look.finding.state != look.cart.state:
            begun[look.cart.shop_id].append(look.cart.created_at)
    for shop_id, instants in sorted(begun.items()):
        note_changed_hours(batch.connection, batch.bucket, shop_id, instants, now=batch.now)


def _change(batch: Batch, look: Found) -> CartChange:
    finding = look.finding
    closed_at = batch.now if finding.state in (CartState.LOST, CartState.EMPTIED) else None
    newly_idle = not look.is_again and finding.state in (CartState.ABANDONED, CartState.LOST)
    abandoned_s = look.place.rules.first_s if newly_idle and look.place else None
    return CartChange(finding.state.value, abandoned_s, finding.check_s, closed_at)


def _end_runs(batch: Batch, over: dict[tuple[int, Reason], list[str]]) -> list[DecisionRow]:
    decisions = []
    for (shopper_bucket, reason), cart_ids in sorted(over.items()):
        ending = Reason.EMPTIED if reason is Reason.CART_EMPTY else reason
        for run in store.end_enrolments_of_carts(batch.connection, shopper_bucket, cart_ids, ending.value, batch.now):
            decisions.append(
                DecisionRow(
                    bucket=shopper_bucket,
                    shop_id=run.shop_id,
                    at=batch.now,
                    question=Question.EXIT,
                    verdict=deny(ending),
                    cart_id=run.cart_id,
                    shopper_id=run.shopper_id,
                    enrolment_id=run.id,
                    step=run.step,
                )
            )
    return decisions
