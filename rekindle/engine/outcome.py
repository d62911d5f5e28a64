"""What did the providers say, and what does it mean for the sends? Replies in, rows written in one transaction.

What was accepted is a fact and is recorded whatever happened to the lease. What was refused, or never started, changes
only rows that are still ours. What nobody knows becomes `uncertain` and is never repeated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.batch import Going, Tally
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.engine.fall_back import Failed, fall_back_decisions, fall_back_rows
from rekindle.lib.ids import timed_id
from rekindle.lib.logs import without_addresses
from rekindle.policy.stopped_since import Stop
from rekindle.providers import base
from rekindle.providers.base import Accepted, Fault, NotStarted, Rejected, Uncertain
from rekindle.store import outbox
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.buckets import address_bucket
from rekindle.store.decisions import DecisionRow
from rekindle.store.devices import forget_devices
from rekindle.store.fall_back import fall_back_async
from rekindle.store.outbox import Later, SendEventRow, SuppressionRow
from rekindle.terms.consent import SuppressionReason
from rekindle.terms.decision import Question, Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, MessageKind, SendEventKind

#: Waits before the next attempt after a refusal that may pass; when they are used up the send has failed.
BACK_OFF = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720))
#: After a change under the lock (another message going out, an order that arrived late): decided anew so soon.
ASK_ANEW = timedelta(seconds=10)
#: Nothing started and nobody has to pause: no connection was ready for this one.
AT_ONCE = timedelta(seconds=1)
MAX_DETAIL = 300


@dataclass(slots=True)
class Replies:
    """One wave's answers. ``at``: when they were complete; ``held_until``: the lease under which the calls were made;
    ``resume_at``: by send, when those that were not started may be tried again."""

    bucket: int
    at: datetime
    held_until: datetime
    answers: Sequence[tuple[Going, base.Outcome]] = ()
    stopped: Sequence[tuple[Going, Stop]] = ()
    resume_at: Mapping[UUID, datetime] = field(default_factory=dict)


def event(
    candidate: Candidate,
    kind: SendEventKind,
    at: datetime,
    reason: Reason | None = None,
    *,
    provider_key: str | None = None,
    **detail: object,
) -> SendEventRow:
    """A send's event; its id follows from send, instant, kind and reason: writing it twice changes nothing."""
    held = candidate.held
    return SendEventRow(
        id=timed_id(at, f"{held.id}:{kind.value}:{reason.value if reason else ''}".encode()),
        shop_id=held.shop_id,
        send_id=held.id,
        shopper_id=held.shopper_id,
        kind=kind.value,
        at=at,
        reason=reason.value if reason else None,
        provider_key=provider_key,
        detail=detail,
    )


def decision(candidate: Candidate, verdict: Verdict, at: datetime) -> DecisionRow:
    """The stored answer to "may this be sent?"."""
    held, row = candidate.held, candidate.row
    return DecisionRow(
        bucket=held.bucket,
        shop_id=held.shop_id,
        at=at,
        question=Question.MAY_SEND,
        verdict=verdict,
        cart_id=row.cart_id if row and row.kind == MessageKind.REMINDER else None,
        shopper_id=held.shopper_id,
        enrolment_id=held.enrolment_id,
        send_id=held.id,
        step=row.step if row else None,
    )


def hand_over_events(replies: Replies) -> list[SendEventRow]:
    """The events of what was accepted."""
    return [
        event(
            one.candidate,
            SendEventKind.HANDED_OVER,
            replies.at,
            provider_key=said.provider_id or None,
            account=one.account_id,
            started_at=one.started_at.isoformat() if one.started_at else None,
        )
        for one, said in replies.answers
        if isinstance(said, Accepted)
    ]


async def record(link: AsyncConnection, context: Context, replies: Replies) -> Tally:
    """Write what became of a wave. Safe to repeat: after a broken connection nobody knows whether it committed."""
    events = hand_over_events(replies)
    tally = Tally(handed_over=len(events))
    async with link.transaction():
        await outbox.record_sent(link, replies.bucket, events)
        await _end(link, replies, tally)
        await outbox.suppress(link, replies.bucket, [row for _, row in refused_addresses(context, replies)])
        await forget_devices(link, replies.bucket, [device_id for _, device_id in gone_devices(context, replies)])
        await _send_later(link, replies, tally)
        await _doubt(link, replies, tally)
    return tally


async def _end(link: AsyncConnection, replies: Replies, tally: Tally) -> None:
    """Sends that end here: refused for good, or stopped at the second look."""
    ending: list[tuple[SendEventRow, DecisionRow | None]] = [
        (_refusal(one, said, replies.at), None) for one, said in replies.answers if _is_refused(one, said)
    ]
    ending += [_stop(one, stop, replies.at) for one, stop in replies.stopped if stop.reason is not None]
    if not ending:
        return
    ids = [row.send_id for row, _ in ending]
    gone = await outbox.drop_sending(link, replies.bucket, ids, replies.held_until)
    rows = [row for row, _ in ending if row.send_id in gone]
    await outbox.add_events(link, replies.bucket, rows)
    await outbox.write_decisions(link, [why for row, why in ending if why is not None and row.send_id in gone])
    await _fall_back(link, replies, gone)
    tally.skipped += sum(1 for row in rows if row.kind == SendEventKind.SKIPPED)
    tally.failed += sum(1 for row in rows if row.kind != SendEventKind.SKIPPED)


async def _fall_back(link: AsyncConnection, replies: Replies, gone: set[UUID]) -> None:
    """The next channel takes over what was refused for good; a shopper who said stop is left alone."""
    failed = [
        _failed(one)
        for one, said in replies.answers
        if one.candidate.held.id in gone and isinstance(said, Rejected) and said.fault is not Fault.OPTED_OUT
    ]
    rows = fall_back_rows(failed)
    made = await fall_back_async(link, replies.bucket, rows, replies.at)
    await outbox.write_decisions(link, fall_back_decisions(replies.bucket, failed, rows, made, replies.at))


def _failed(one: Going) -> Failed:
    held, row = one.candidate.held, one.candidate.row
    assert row is not None, "only a send with facts was started"
    return Failed(
        id=held.id,
        shop_id=held.shop_id,
        shopper_id=held.shopper_id,
        enrolment_id=held.enrolment_id,
        cart_id=row.cart_id,
        step=row.step,
        channel=held.channel,
        context=row.context,
    )


async def _send_later(link: AsyncConnection, replies: Replies, tally: Tally) -> None:
    later = [
        _later(one, said, replies)
        for one, said in replies.answers
        if isinstance(said, NotStarted | Rejected) and not _is_refused(one, said)
    ]
    later += [
        Later.of(one.candidate.held, replies.at + ASK_ANEW) for one, stop in replies.stopped if stop.reason is None
    ]
    if later:
        tally.again += len(await outbox.try_again_later(link, replies.bucket, later, replies.held_until))


async def _doubt(link: AsyncConnection, replies: Replies, tally: Tally) -> None:
    doubtful = [(one, said) for one, said in replies.answers if isinstance(said, Uncertain)]
    if not doubtful:
        return
    ids = [one.candidate.held.id for one, _ in doubtful]
    marked = await outbox.mark_uncertain(link, replies.bucket, ids, held_until=replies.held_until, at=replies.at)
    tally.uncertain += len(marked)
    rows = [
        event(one.candidate, SendEventKind.UNCERTAIN, replies.at, Reason.CONNECTION_LOST, why=said.detail[:MAX_DETAIL])
        for one, said in doubtful
        if one.candidate.held.id in marked
    ]
    await outbox.add_events(link, replies.bucket, rows)


def _is_refused(one: Going, said: base.Outcome) -> bool:
    return isinstance(said, Rejected) and (said.permanent or one.candidate.held.attempts >= len(BACK_OFF))


def _refusal(one: Going, said: base.Outcome, at: datetime) -> SendEventRow:
    assert isinstance(said, Rejected)
    kind = SendEventKind.BOUNCED if said.permanent and said.fault is Fault.RECIPIENT else SendEventKind.FAILED
    reason = Reason.PROVIDER_REFUSED if said.permanent else Reason.ATTEMPTS_USED_UP
    detail = {"code": said.code, "text": without_addresses(said.detail[:MAX_DETAIL]), "fault": said.fault.value}
    return event(one.candidate, kind, at, reason, **detail)


def _stop(one: Going, stop: Stop, at: datetime) -> tuple[SendEventRow, DecisionRow | None]:
    assert stop.reason is not None
    row = event(one.candidate, SendEventKind.SKIPPED, at, stop.reason, why=stop.why)
    return row, decision(one.candidate, deny(stop.reason, why=stop.why, second_look=True), at)


def _later(one: Going, said: NotStarted | Rejected, replies: Replies) -> Later:
    held = one.candidate.held
    if isinstance(said, NotStarted):
        return Later.of(held, replies.resume_at.get(held.id, replies.at + AT_ONCE))
    return Later.of(held, replies.at + BACK_OFF[held.attempts], attempts=held.attempts + 1)


def refused_addresses(context: Context, replies: Replies) -> list[tuple[int, SuppressionRow]]:
    """Addresses that a provider says do not exist, each with the bucket in which it is looked up."""
    found = []
    for one, said in replies.answers:
        shop, row, held = one.candidate.shop, one.candidate.row, one.candidate.held
        if not isinstance(said, Rejected) or not said.permanent or said.fault is not Fault.RECIPIENT:
            continue
        if shop is None or row is None or row.address is None or held.channel == Channel.PUSH.value:
            continue  # of a push message its devices are forgotten instead
        key = context.address_hash(shop.id, held.channel, row.address)
        suppressed = SuppressionRow(
            shop_id=shop.id,
            channel=held.channel,
            address_hash=key.hex(),
            reason=SuppressionReason.HARD_BOUNCE.value,
            at=replies.at,
            source=f"provider account {one.account_id}",
        )
        found.append((address_bucket(shop, key), suppressed))
    return found


def gone_devices(context: Context, replies: Replies) -> list[tuple[int, UUID]]:
    """Devices that a push service says are no more, each with the bucket in which its address is looked up."""
    found = []
    for one, said in replies.answers:
        shop = one.candidate.shop
        if shop is None or not isinstance(said, Accepted | Rejected):
            continue
        for device in one.candidate.devices:
            if device.id in said.gone:
                key = context.address_hash(shop.id, one.candidate.held.channel, device.address)
                found.append((address_bucket(shop, key), UUID(device.id)))
    return found
