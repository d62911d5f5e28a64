"""What does a person decide about an uncertain send? It went out, it is to be sent again, or it is given up. And a send
that failed may be repeated, once what was in its way is mended.

Each decision ends the doubt once, is stored with the person's name, and is refused when the doubt is over already.
Nothing else ever repeats an uncertain message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from rekindle.engine.context import Context
from rekindle.lib.ids import instant_of, timed_id
from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.store import settle as store
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.store.outbox import SendEventRow
from rekindle.store.settle import TakenSend, UncertainSend
from rekindle.terms.decision import Question, allow, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import SendEventKind
from rekindle.terms.shop import ShopSettings


class Choice(StrEnum):
    MARK_AS_SENT = "mark_as_sent"  #: it arrived; counts as handed over
    SEND_AGAIN = "send_again"  #: it did not arrive; a new send takes its place and is decided like any other
    GIVE_UP = "give_up"  #: nobody knows, and nothing more is done
    REPEAT_FAILED = "repeat_failed"  #: it failed for certain; a new send takes its place


class NotUncertainError(Exception):
    """This send is not uncertain any more: somebody decided, or its answer came after all."""


_KINDS = {
    Choice.MARK_AS_SENT: SendEventKind.HANDED_OVER,
    Choice.SEND_AGAIN: SendEventKind.RESENT,
    Choice.GIVE_UP: SendEventKind.FAILED,
    Choice.REPEAT_FAILED: SendEventKind.RESENT,
}
_REPEATED = (Choice.SEND_AGAIN, Choice.REPEAT_FAILED)


def list_uncertain(connection: Connection, shop: ShopSettings, limit: int = 200) -> list[UncertainSend]:
    """A shop's uncertain sends, oldest first. Their number is at most what was in flight when a worker died."""
    return store.uncertain_sends(connection, buckets_of(shop), shop.id, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which send of which shop (and in which bucket), what is decided, and by whom."""

    shop: ShopSettings
    bucket: int
    send_id: UUID
    choice: Choice
    by: str


def decide(connection: Connection, context: Context, decision: Decision) -> UUID | None:
    """Carry out what a person decided. Returns the id of the new send where one is made, else None.

    The new send has links of its own, is due now, and ``may_send`` decides about it as about any other. A send that is
    given up counts against the caps, for it may have arrived. Raises NotUncertainError; nothing changes then.
    """
    bucket, send_id, shop = decision.bucket, decision.send_id, decision.shop
    now = context.clock.now()
    again = timed_id(instant_of(send_id), f"{send_id}:again".encode()) if decision.choice in _REPEATED else None
    find = store.failed_send if decision.choice is Choice.REPEAT_FAILED else store.take_uncertain_send
    with connection.transaction():
        taken = find(connection, bucket, send_id, shop.id)
        if taken is None:
            raise NotUncertainError("this send is not uncertain, or did not fail, any more")
        kind = _KINDS[decision.choice]
        row = SendEventRow(
            id=timed_id(now, f"{send_id}:{kind.value}:{Reason.OPERATOR.value}".encode()),
            shop_id=shop.id,
            send_id=send_id,
            shopper_id=taken.shopper_id,
            kind=kind.value,
            at=now,
            reason=Reason.OPERATOR.value,
            detail={"by": decision.by, "again": str(again) if again else None},
        )
        store.add_events(connection, bucket, msgspec.json.encode([row]).decode())
        write_decisions(connection, [_audit(connection, decision, taken, now)])
        if again is not None and not _copy(connection, decision, again, now):
            raise NotUncertainError("this send was sent again before, or its record is gone")
    return again


def _copy(connection: Connection, decision: Decision, new_id: UUID, now: datetime) -> bool:
    seed = new_seed()
    return store.copy_send(
        connection,
        decision.bucket,
        decision.send_id,
        new_id,
        now=now,
        link_hash=hash_of(secret_of(seed, Purpose.LINK)),
        optout_hash=hash_of(secret_of(seed, Purpose.OPTOUT)),
        seed=seed,
    )


def _audit(connection: Connection, decision: Decision, taken: TakenSend, now: datetime) -> DecisionRow:
    cart_id, step = store.cart_and_step(connection, decision.bucket, decision.send_id)
    verdict = allow if decision.choice in _REPEATED else deny
    return DecisionRow(
        bucket=decision.bucket,
        shop_id=decision.shop.id,
        at=now,
        question=Question.MAY_SEND,
        verdict=verdict(Reason.OPERATOR, choice=decision.choice.value, by=decision.by),
        cart_id=cart_id,
        shopper_id=taken.shopper_id,
        enrolment_id=taken.enrolment_id,
        send_id=decision.send_id,
        step=step,
    )
