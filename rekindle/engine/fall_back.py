"""What happens to a message that failed on its channel? The next channel takes it over, where its step names one.

Where to turn was fixed when the message was planned and lies in its context (engine.plan_send). The new send has the
failed one's step and planned time and links of its own; it waits in the outbox, and ``may_send`` decides about it as
about any other. One send per run, step and channel: whoever hears of the failure second makes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.lib.ids import instant_of, timed_id
from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.store import fall_back as store
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.store.fall_back import FallBackRow
from rekindle.terms.decision import Question, allow
from rekindle.terms.reasons import Reason


class Failed(NamedTuple):
    """A send that will not arrive; ``context`` as it was planned."""

    id: UUID
    shop_id: int
    shopper_id: UUID
    enrolment_id: UUID
    cart_id: UUID
    step: str
    channel: str
    context: Mapping[str, Any]


def fall_back_rows(failed: Iterable[Failed]) -> list[FallBackRow]:
    """The sends that take over; none for a message whose step names no further channel."""
    return [_row(one, options) for one in failed if (options := one.context.get("otherwise"))]


def fall_back_decisions(
    bucket: int, failed: Iterable[Failed], rows: Iterable[FallBackRow], made: set[UUID], at: datetime
) -> list[DecisionRow]:
    """Why the sends that were made exist."""
    by_id = {one.id: one for one in failed}
    return [_decision(bucket, by_id[row.failed_id], row, at) for row in rows if row.id in made]


def fall_back(connection: Connection, context: Context, bucket: int, ids: Sequence[UUID]) -> int:
    """Let the next channels take over from sends of one bucket that a provider reports as failed; returns how many do.

    Call inside a transaction, again and again if need be.
    """
    failed = [Failed._make(row) for row in store.sends_with_a_way_on(connection, bucket, ids)]
    rows = fall_back_rows(failed)
    if not rows:
        return 0
    now = context.clock.now()
    made = store.fall_back(connection, bucket, rows, now)
    write_decisions(connection, fall_back_decisions(bucket, failed, rows, made, now))
    return len(made)


def _row(one: Failed, options: Sequence[Mapping[str, Any]]) -> FallBackRow:
    following, seed = options[0], new_seed()
    channel = str(following["channel"])
    return FallBackRow(
        id=timed_id(instant_of(one.id), f"{one.enrolment_id}:{one.step}:{channel}".encode()),
        failed_id=one.id,
        channel=channel,
        contact_point_id=UUID(str(following["contact_point_id"])),
        template_version_id=int(following["template_version_id"]),
        link_hash=hash_of(secret_of(seed, Purpose.LINK)).hex(),
        optout_hash=hash_of(secret_of(seed, Purpose.OPTOUT)).hex(),
        seed=seed.hex(),
        otherwise=list(options[1:]),
    )


def _decision(bucket: int, one: Failed, row: FallBackRow, at: datetime) -> DecisionRow:
    return DecisionRow(
        bucket=bucket,
        shop_id=one.shop_id,
        at=at,
        question=Question.NEXT_STEP,
        verdict=allow(Reason.FELL_BACK, channel=row.channel, instead_of=one.channel),
        cart_id=one.cart_id,
        shopper_id=one.shopper_id,
        enrolment_id=one.enrolment_id,
        send_id=row.id,
        step=one.step,
    )
