"""What do due enrolments do next? One call handles one batch of one bucket: lock, decide, write, in one transaction.

A crash leaves nothing behind, so there is no claim to give back: SKIP LOCKED is enough. The shopper is not locked: an
order that comes meanwhile waits for our enrolment, ends it, and deletes what we put into the outbox.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rekindle.engine.books import Books, RunningVersion
from rekindle.engine.context import Context
from rekindle.engine.plan_send import Plan, Wish, plan_sends
from rekindle.engine.transactions import until_free
from rekindle.policy.channel_choice import RESPONSE_DAYS, Known
from rekindle.policy.entry import Facts, facts_of
from rekindle.policy.next_step import Move, ending, next_step
from rekindle.store import advance as store
from rekindle.store.advance import CartToWriteAbout, DueEnrolment, EnrolmentMove, ShopperToWriteTo
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.decision import Question, Verdict, allow, deny
from rekindle.terms.flow import Field, Message
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, EnrolmentState

BATCH = 1_000
#: When a run cannot be judged (its flow cannot be read, its shop is not known), when to try again.
ASK_AGAIN = timedelta(hours=1)
_STATES = {state.value: state for state in CartState}
_STAGES = {stage.value: stage for stage in Stage}
_log = logging.getLogger(__name__)


class _Read(NamedTuple):
    """What was read about a batch, by id; ``clicked``: runs in which a link was followed."""

    carts: Mapping[str, CartToWriteAbout]
    shoppers: Mapping[str, ShopperToWriteTo]
    versions: Mapping[int, RunningVersion]
    clicked: set[str]
    now: datetime


class _Taken(NamedTuple):
    """A run and what it does. ``refusal``: it was not judged; ``move`` is None then."""

    run: DueEnrolment
    move: Move | None
    refusal: Verdict | None = None


def advance(connection: Connection, context: Context, books: Books, bucket: int, limit: int = BATCH) -> int:
    """Take the next step of at most ``limit`` due runs of one bucket; returns how many. Commits before it returns."""
    return until_free(connection, lambda: _take_steps(connection, context, books, bucket, limit))


def _take_steps(connection: Connection, context: Context, books: Books, bucket: int, limit: int) -> int:
    now = context.clock.now()
    with connection.transaction():
        runs = store.claim_due_enrolments(connection, bucket, now, limit)
        if not runs:
            return 0
        if any(books.shop(run.shop_id) is None for run in runs):
            books.refresh(connection)  # a shop made seconds ago
        known = _read(connection, books, bucket, runs, now)
        taken = [_take(books, run, known, now) for run in runs]
        plans = _plan(connection, books, bucket, taken, known)
        store.add_sends(connection, bucket, [plan.send for plan in plans if plan.send is not None], now)
        store.move_enrolments(connection, bucket, [_move_row(one, now) for one in taken])
        write_decisions(connection, _decisions(bucket, taken, plans, now))
    return len(runs)


def _read(connection: Connection, books: Books, bucket: int, runs: Sequence[DueEnrolment], now: datetime) -> _Read:
    carts_by_bucket: dict[int, list[str]] = defaultdict(list)
    for run in runs:
        carts_by_bucket[run.cart_bucket].append(run.cart_id)
    carts: dict[str, CartToWriteAbout] = {}
    for cart_bucket in sorted(carts_by_bucket):
        carts |= store.carts_to_write_about(connection, cart_bucket, carts_by_bucket[cart_bucket])
    shoppers = store.shoppers_to_write_to(connection, bucket, {run.shopper_id for run in runs})
    versions = books.versions(connection, (run.flow_version_id for run in runs))
    asking = [run for run in runs if _asks_for_clicks(versions.get(run.flow_version_id))]
    clicked = store.clicked_enrolments(connection, bucket, asking) if asking else set()
    return _Read(carts, shoppers, versions, clicked, now)


def _asks_for_clicks(version: RunningVersion | None) -> bool:
    return version is not None and Field.CLICKED in version.route.branch_fields


def _take(books: Books, run: DueEnrolment, known: _Read, now: datetime) -> _Taken:
    version, shop = known.versions.get(run.flow_version_id), books.shop(run.shop_id)
    if version is None or shop is None:
        facts = {"enrolment_id": run.id, "flow_version_id": run.flow_version_id, "shop_id": run.shop_id}
        _log.error("enrolment_not_judged", extra={"facts": facts})
        return _Taken(run, None, deny(Reason.EVALUATION_FAILED, error="the flow or the shop is unknown"))
    cart, shopper = known.carts.get(run.cart_id), known.shoppers.get(run.shopper_id)
    over = ending(
        _STATES[cart.state] if cart else None,
        _STAGES[cart.stage] if cart else Stage.CART,
        touched_at=cart.touched_at if cart else run.abandoned_at,
        ordered_at=shopper.last_order_at if shopper else None,
        is_erased=shopper is None or shopper.is_erased,
    )
    if over is not None:
        return _Taken(run, Move(EnrolmentState.EXITED, over, None, None, run.step_at))
    facts_for_branches = _facts(run, known) if version.route.branch_fields else {}
    move = next_step(
        version.route,
        run.step,
        abandoned_at=run.abandoned_at,
        step_at=run.step_at,
        now=now,
        facts=facts_for_branches,
    )
    return _Taken(run, move)


def _facts(run: DueEnrolment, known: _Read) -> Facts:
    cart, shopper = known.carts[run.cart_id], known.shoppers[run.shopper_id]
    return facts_of(
        stage=cart.stage,
        currency=cart.currency,
        total_cents=cart.total_cents,
        items=cart.items,
        cart_facts=cart.facts,
        country=shopper.country,
        locale=shopper.locale,
        order_count=shopper.order_count,
        clicked=run.id in known.clicked,
    )


def _plan(connection: Connection, books: Books, bucket: int, taken: Sequence[_Taken], known: _Read) -> list[Plan]:
    wishes = []
    for run, move, _ in taken:
        for due in move.sends if move else ():
            shop = books.shop(run.shop_id)
            assert shop is not None
            number = known.versions[run.flow_version_id].route.message_numbers[due.step.id]
            wishes.append(Wish(run, due, number, shop, known.carts[run.cart_id], known.shoppers.get(run.shopper_id)))
    if not wishes:
        return []
    return plan_sends(connection, books, wishes, _reachable(connection, bucket, wishes, known.now))


def _reachable(connection: Connection, bucket: int, wishes: Sequence[Wish], now: datetime) -> dict[str, Known]:
    """How the shoppers of these messages can be reached; what they answered only where a step asks for it."""
    reaches = store.reaches_of_shoppers(connection, bucket, {wish.run.shopper_id for wish in wishes})
    asking = {wish.run.shopper_id for wish in wishes if _asks_for_responses(wish.due.step)}
    since = now - timedelta(days=RESPONSE_DAYS)
    responses = store.responses_of_shoppers(connection, bucket, asking, since) if asking else {}
    return {
        wish.run.shopper_id: Known(
            reaches.get(wish.run.shopper_id, ()),
            _wish_of(wish.shopper),
            responses.get(wish.run.shopper_id, {}),
        )
        for wish in wishes
    }


def _asks_for_responses(message: Message) -> bool:
    return message.choose == "response" and len(message.channels) > 1


def _wish_of(shopper: ShopperToWriteTo | None) -> Channel | None:
    """The channel that the shopper asked for; what a shop told that is no channel of ours is none."""
    told = (shopper.preferred_channel or "").strip().lower() if shopper else ""
    return Channel(told) if told in Channel._value2member_map_ else None


def _move_row(taken: _Taken, now: datetime) -> EnrolmentMove:
    run, move, _ = taken
    if move is None:
        return EnrolmentMove(run.id, EnrolmentState.WAITING.value, None, run.step, now + ASK_AGAIN, run.step_at, None)
    is_over = move.state is not EnrolmentState.WAITING
    return EnrolmentMove(
        id=run.id,
        state=move.state,
        exit_reason=move.reason if move.state is EnrolmentState.EXITED else None,
        step=move.step,
        due_at=move.due_at,
        step_at=move.step_at,
        ended_at=now if is_over else None,
    )


def _decisions(bucket: int, taken: Sequence[_Taken], plans: Sequence[Plan], now: datetime) -> list[DecisionRow]:
    planned: dict[str, list[Plan]] = defaultdict(list)
    for plan in plans:
        planned[plan.wish.run.id].append(plan)
    return [row for one in taken for row in _decided(bucket, one, planned.get(one.run.id, ()), now)]


def _decided(bucket: int, taken: _Taken, plans: Sequence[Plan], now: datetime) -> list[DecisionRow]:
    run, move, refusal = taken

    def row(
        verdict: Verdict,
        step: str | None,
        *,
        send_id: str | None = None,
        question: Question = Question.NEXT_STEP,
    ) -> DecisionRow:
        return DecisionRow(
            bucket=bucket,
            shop_id=run.shop_id,
            at=now,
            question=question,
            verdict=verdict,
            cart_id=run.cart_id,
            shopper_id=run.shopper_id,
            enrolment_id=run.id,
            send_id=send_id,
            step=step,
        )

    if move is None:
        assert refusal is not None
        return [row(refusal, run.step)]
    rows = [_message_row(row, plan) for plan in plans]
    rows += [row(deny(Reason.CATCH_UP, planned_at=due.planned_at.isoformat()), due.step.id) for due in move.skipped]
    branches = {"branches": dict(move.branches)} if move.branches else {}
    if move.state is EnrolmentState.EXITED:
        rows.append(row(deny(move.reason, **branches), run.step, question=Question.EXIT))
    elif move.state is EnrolmentState.DONE:
        rows.append(row(allow(Reason.FLOW_DONE, **branches), run.step))
    elif move.due_at is not None and (branches or not rows):
        rows.append(row(allow(Reason.STEP_TAKEN, **branches, due_at=move.due_at.isoformat()), move.step))
    return rows


def _message_row(row: Callable[..., DecisionRow], plan: Plan) -> DecisionRow:
    due, send = plan.wish.due, plan.send
    if send is None:
        assert plan.verdict is not None
        return row(plan.verdict, due.step.id)
    planned_at = due.planned_at.isoformat()
    verdict = allow(Reason.STEP_TAKEN, channel=send.channel, planned_at=planned_at, **plan.evidence)
    return row(verdict, due.step.id, send_id=send.id)
