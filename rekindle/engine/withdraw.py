"""What is withdrawn, and how is it written down, when nothing more may be written about a cart or to a shopper?

Called in the transaction of what happened: the return to a cart, an order, an opt-out, an erasure. Runs end with a
reason, waiting sends leave the outbox with a `skipped` event, and each leaves a decision. Rows in `sending` are left to
the sender's second lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.project import LeftCart
from rekindle.engine.transactions import Work
from rekindle.lib.ids import timed_id
from rekindle.store import withdraw as store
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.store.outbox import SendEventRow
from rekindle.store.withdraw import EndedRun, WithdrawnSend
from rekindle.terms.decision import Question, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, SendEventKind
from rekindle.terms.shop import ShopSettings

#: An order also ends runs about carts that were left up to this long after it: orders may be reported late.
LATE_ORDERS = timedelta(days=1)


def withdraw_for_carts(work: Work, shop: ShopSettings, left: Iterable[LeftCart], now: datetime) -> int:
    """End what runs for carts that are no longer left behind; returns how many waiting sends were withdrawn."""
    groups: dict[tuple[int, Reason], list[LeftCart]] = defaultdict(list)
    for one in left:
        groups[one.shopper.bucket, one.reason].append(one)
    count = 0
    for (bucket, reason), carts in sorted(groups.items()):
        cart_ids = sorted({one.cart.id for one in carts})
        shopper_ids = sorted({one.shopper.id for one in carts})
        with work.in_bucket(bucket):
            runs = store.exit_runs_of_carts(work.connection, bucket, cart_ids, reason.value, now)
            sends = store.drop_pending_of_carts(work.connection, bucket, cart_ids, shopper_ids)
            skip = Reason.PURCHASED if reason is Reason.ORDERED else reason
            _write_down(work.connection, bucket, shop.id, runs, sends, exit_reason=reason, skip_reason=skip, now=now)
        count += len(sends)
    return count


def withdraw_after_order(
    connection: Connection,
    shop: ShopSettings,
    bucket: int,
    shopper_ids: Sequence[UUID],
    *,
    ordered_at: datetime,
    now: datetime,
) -> int:
    """End everything that runs for shoppers who ordered; the caller holds their locks. Returns withdrawn sends."""
    idle = timedelta(seconds=max(shop.cart_idle_s, shop.checkout_idle_s, shop.browse_idle_s))
    left_before = ordered_at + max(LATE_ORDERS, idle)
    runs = store.exit_runs_of_shoppers(
        connection, bucket, shopper_ids, left_before=left_before, reason=Reason.ORDERED.value, now=now
    )
    sends = store.drop_pending_of_shoppers(connection, bucket, shopper_ids, left_before)
    _write_down(
        connection, bucket, shop.id, runs, sends, exit_reason=Reason.ORDERED, skip_reason=Reason.PURCHASED, now=now
    )
    return len(sends)


def withdraw_channels(
    connection: Connection,
    shop: ShopSettings,
    bucket: int,
    shopper_id: UUID,
    channels: Sequence[Channel],
    *,
    reason: Reason,
    nothing_left: bool,
    now: datetime,
) -> int:
    """Withdraw a shopper's waiting sends on some channels; end the runs too when no channel is left."""
    runs: list[EndedRun] = []
    if nothing_left:
        runs = store.exit_runs_of_shoppers(
            connection, bucket, [shopper_id], left_before=now, reason=reason.value, now=now
        )
    names = [channel.value for channel in channels]
    sends = store.drop_pending_of_channels(connection, bucket, shopper_id, names)
    _write_down(connection, bucket, shop.id, runs, sends, exit_reason=reason, skip_reason=reason, now=now)
    return len(sends)


def _write_down(
    connection: Connection,
    bucket: int,
    shop_id: int,
    runs: Sequence[EndedRun],
    sends: Sequence[WithdrawnSend],
    *,
    exit_reason: Reason,
    skip_reason: Reason,
    now: datetime,
) -> None:
    decisions = [
        DecisionRow(
            bucket=bucket,
            shop_id=shop_id,
            at=now,
            question=Question.EXIT,
            verdict=deny(exit_reason),
            cart_id=run.cart_id,
            shopper_id=run.shopper_id,
            enrolment_id=run.id,
            step=run.step,
        )
        for run in runs
    ]
    decisions += [
        DecisionRow(
            bucket=bucket,
            shop_id=shop_id,
            at=now,
            question=Question.MAY_SEND,
            verdict=deny(skip_reason, withdrawn=True, channel=send.channel),
            cart_id=send.cart_id,
            shopper_id=send.shopper_id,
            enrolment_id=send.enrolment_id,
            send_id=send.id,
            step=send.step,
        )
        for send in sends
    ]
    store.append_send_events(connection, bucket, [_skipped(shop_id, send, skip_reason, now) for send in sends])
    write_decisions(connection, decisions)


def _skipped(shop_id: int, send: WithdrawnSend, reason: Reason, now: datetime) -> SendEventRow:
    return SendEventRow(
        id=timed_id(now, f"{send.id}:{SendEventKind.SKIPPED.value}:{reason.value}".encode()),
        shop_id=shop_id,
        send_id=send.id,
        shopper_id=send.shopper_id,
        kind=SendEventKind.SKIPPED.value,
        at=now,
        reason=reason.value,
        detail={"withdrawn": True},
    )
