"""May these calls start, now that the shoppers' rows are ours? The second of the two locks.

An order, an opt-out and an erasure lock the shopper's row before they answer. Here the same rows are locked, looked at
once more, and the calls are *started* before the lock is let go: one that was acknowledged earlier is seen, one that
comes later was not acknowledged yet. Between the look and the start nothing waits. Never await a reply in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rekindle.engine.batch import Batch, Going
from rekindle.engine.facts import Candidate
from rekindle.lib.ids import floor_id
from rekindle.policy.stopped_since import Before, Now, Stop, stopped_since
from rekindle.store import outbox
from rekindle.store.async_connection import GONE, AsyncConnection
from rekindle.store.outbox import SecondLook, SendRow, ShopperNow
from rekindle.terms.send import MessageKind

#: Messages of other workers stamped up to this much before our facts were read are looked for: their clocks may lag.
_SKEW = timedelta(seconds=5)


@dataclass(slots=True)
class Looked:
    """``started`` went out, ``stopped`` must not, ``lost`` belong to somebody else now (their lease ended)."""

    started: list[Going] = field(default_factory=list)
    stopped: list[tuple[Going, Stop]] = field(default_factory=list)
    lost: list[Going] = field(default_factory=list)


async def start_under_lock(
    link: AsyncConnection,
    batch: Batch,
    wave: Sequence[Going],
    start: Callable[[Sequence[Going]], None],
    *,
    held_until: datetime,
    now: Callable[[], datetime],
) -> Looked:
    """Lock, look, call ``start`` with those that may go (synchronous: the first bytes leave in it), let go.

    A database error before ``start`` is raised and nothing went out. After it the lock ends by itself when the
    connection does, so an error of letting go is not raised: the calls have started and their replies matter.
    """
    shoppers, looks = await outbox.lock_and_look(
        link,
        batch.bucket,
        {one.candidate.held.id: _row(one.candidate).contact_point_id for one in wave},
        [one.candidate.held.shopper_id for one in wave],
        held_until=held_until,
        now=now(),
        since_id=floor_id(batch.facts_at - _SKEW),
    )
    if now() < held_until:
        found = _sort(wave, {row.id.int: row for row in shoppers}, {row.id.int: row for row in looks})
    else:  # we waited for the lock until our lease was over
        found = Looked(lost=list(wave))
    if found.started:
        start(found.started)
        await asyncio.sleep(0)  # an event loop that writes at the end of its turn has written now
    try:
        await outbox.let_go(link)
    except GONE:
        if not found.started:
            raise
        await link.close()
    return found


def _sort(wave: Sequence[Going], shoppers: dict[int, ShopperNow], looks: dict[int, SecondLook]) -> Looked:
    found: Looked = Looked()
    for one in wave:
        look = looks.get(one.candidate.held.id.int)
        if look is None:
            found.lost.append(one)
            continue
        stop = stopped_since(_before(one.candidate), _now(shoppers.get(one.candidate.held.shopper_id.int), look))
        if stop is None:
            found.started.append(one)
        else:
            found.stopped.append((one, stop))
    return found


def _row(candidate: Candidate) -> SendRow:
    assert candidate.row is not None, "only a send with facts was allowed"
    return candidate.row


def _before(candidate: Candidate) -> Before:
    row = _row(candidate)
    is_about_cart = row.kind == MessageKind.REMINDER
    left_at = row.abandoned_at if is_about_cart else row.planned_at
    assert left_at is not None
    return Before(
        is_about_cart=is_about_cart,
        abandoned_at=left_at,
        order_count=row.order_count or 0,
        last_order_at=row.last_order_at,
        consent=row.consent,
    )


def _now(shopper: ShopperNow | None, look: SecondLook) -> Now:
    return Now(
        order_count=shopper.order_count if shopper else None,
        last_order_at=shopper.last_order_at if shopper else None,
        opted_out_at=shopper.opted_out_at if shopper else None,
        erased_at=shopper.erased_at if shopper else None,
        enrolment_state=look.enrolment_state,
        exit_reason=look.exit_reason,
        consent=look.consent,
        suppressed=look.suppressed,
        others=look.others_going or look.others_gone,
    )
