"""How is a composed message handed to its provider, so that a crash shows and an order prevents it? Two locks.

A wave is as many messages as the providers can start at once. First lock: `sending` is committed, so that a crash from
here on is visible. Second lock: the shoppers' rows, looked at once more; the calls start while it is held
(``engine.second_lock``). Replies are awaited afterwards and recorded. Why two: docs/adr/0005-two-locks.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import UUID

from rekindle.engine.batch import Batch, Going, Message, Pace, Tally
from rekindle.engine.context import Context
from rekindle.engine.outcome import Replies, event, gone_devices, hand_over_events, record, refused_addresses
from rekindle.engine.repeat import tries
from rekindle.engine.route import Routes
from rekindle.engine.second_lock import Looked, start_under_lock
from rekindle.engine.tell_health import tell
from rekindle.engine.text_slot import keep_text_slots
from rekindle.providers.base import Accepted, Capabilities, Fault, NotStarted, Outcome, Pause, Rejected
from rekindle.store import outbox
from rekindle.store.async_connection import GONE, AsyncConnection, Line
from rekindle.store.devices import forget_devices
from rekindle.store.outbox import Later, SendEventRow, SuppressionRow
from rekindle.terms.reasons import Reason
from rekindle.terms.send import SendEventKind

#: A wave does not wait longer than this for its slowest reply; what is still open is recorded when it comes.
REPLY_S = 5.0
#: Every connection of an account is busy with such replies: its other sends wait so long.
BUSY = timedelta(seconds=10)
#: How long to try to give back what was not started, when the database is away.
GIVE_BACK_S = 10.0

log = logging.getLogger(__name__)

Reply = asyncio.Future[Outcome]
Started = list[tuple[Going, Reply]]
Answers = list[tuple[Going, Outcome]]


@dataclass(slots=True)
class _Late:
    """A reply that came after its wave was over."""

    bucket: int
    held_until: datetime
    going: Going
    said: Outcome


class HandOver:
    """Hands batches over, wave by wave. ``stopping``: the wave under way is finished, the rest given back. ``obey``
    carries out the opt-out of a shopper who told the provider to stop."""

    def __init__(
        self, line: Line, context: Context, routes: Routes, pace: Pace, obey: Callable[[Going, datetime], None]
    ) -> None:
        self._line, self._context, self._routes, self._pace, self._obey = line, context, routes, pace, obey
        self._open: set[Reply] = set()
        self._late: list[_Late] = []
        self._taken: list[SendEventRow] = []  # accepted, and not recorded yet
        self.stopping = False

    async def all(self, batch: Batch, going: list[Going]) -> None:
        """Hand over everything of a batch that its lease leaves time for."""
        try:
            while going:
                batch.tally.add(await self.record_late())
                if self.stopping or self._now() >= batch.claimed_until:
                    await self._give_back(batch, going)
                    return
                going = await self._wave(batch, going)
        finally:
            await self._record_taken(batch.bucket)

    async def record_late(self) -> Tally:
        """Record replies that came after their wave; asked for between waves and when there is nothing to do."""
        tally = Tally()
        while self._late:
            one = self._late[0]
            answers: Answers = [(one.going, one.said)]
            resume_at = await self._learn(answers)
            tally.add(await self._record(Replies(one.bucket, self._now(), one.held_until, answers, (), resume_at)))
            del self._late[0]
        return tally

    async def close(self) -> None:
        """Close the providers (they wait a while for open replies) and record what they still said."""
        await self._routes.close()
        if self._open:
            await asyncio.wait(self._open, timeout=REPLY_S)
        await self.record_late()

    async def _wave(self, batch: Batch, going: list[Going]) -> list[Going]:
        """Hand over as many as can start now; returns the rest. Both locks are in here, in their order."""
        wave, rest = await self._ready(batch, going)
        if not wave:
            return rest
        held_until = self._now() + self._pace.sending_lease
        try:
            link = await self._line.get()
            wave = await self._remember(link, batch, wave)
            wave = await keep_text_slots(link, batch, wave, self._now())
            sending = await self._mark_sending(link, batch, wave, held_until)
            started, looked = await self._start(link, batch, sending, held_until)
        except GONE:
            await self._line.drop()
            await self._give_back(batch, rest)
            await self._give_back(batch, wave, held_until)
            raise
        if looked.stopped:  # nothing of these was started: their end does not have to wait for the others' replies
            stopped = Replies(batch.bucket, self._now(), held_until, stopped=looked.stopped)
            batch.tally.add(await self._record(stopped))
        answers = await self._answers(batch, started, held_until)
        resume_at = await self._learn(answers)
        replies = Replies(batch.bucket, self._now(), held_until, answers, (), resume_at)
        if all(isinstance(said, Accepted) and not said.gone for _, said in answers):
            self._taken += hand_over_events(replies)  # recorded in the commit that marks the next wave
            batch.tally.handed_over += len(answers)
        else:
            batch.tally.add(await self._record(replies))
        return rest

    async def _ready(self, batch: Batch, going: Sequence[Going]) -> tuple[list[Going], list[Going]]:
        """Who can start now, and who comes next. Sends of accounts that cannot start any go back to waiting."""
        ready = await self._routes.ready(going, self._now())
        for account_id, why in ready.troubles.items():
            pause = Pause.BACK_OFF if why.pause is Pause.NONE else why.pause
            await self._hear(account_id, NotStarted(why.code, why.detail, pause, why.retry_after_s))
        out = ready.busy | ready.resting | ready.troubles.keys()
        stuck = [one for one in ready.rest if one.account_id in out]
        if stuck:  # no call was made, no attempt is used up
            now = self._now()
            rows = [
                Later.of(
                    one.candidate.held,
                    now + BUSY if one.account_id in ready.busy else self._routes.resume_at(one, now),
                )
                for one in stuck
            ]
            link = await self._line.get()
            batch.tally.again += len(await outbox.hand_back(link, batch.bucket, rows, batch.claimed_until))
        return ready.wave, [one for one in ready.rest if one.account_id not in out]

    async def _remember(self, link: AsyncConnection, batch: Batch, wave: list[Going]) -> list[Going]:
        """Store what is said to accounts that know keys; leave out repeats that are not safe any more."""
        keyed = self._routes.keyed({one.account_id for one in wave})
        if not keyed and all(one.candidate.held.only_account is None for one in wave):
            return wave
        now, first, unsafe = self._now(), [], []
        for account_id in {one.account_id for one in wave}:
            members = [one for one in wave if one.account_id == account_id]
            found = tries(members, keyed.get(account_id, Capabilities()), now)
            first += found.first
            unsafe += found.unsafe
        await outbox.remember_letters(link, batch.bucket, first, held_until=batch.claimed_until, now=now)
        if unsafe:
            await self._leave_in_doubt(link, batch, unsafe, now)
        gone = {one.candidate.held.id for one in unsafe}
        return [one for one in wave if one.candidate.held.id not in gone]

    async def _leave_in_doubt(
        self, link: AsyncConnection, batch: Batch, unsafe: Sequence[Going], now: datetime
    ) -> None:
        ids = [one.candidate.held.id for one in unsafe]
        async with link.transaction():
            left = await outbox.leave_in_doubt(link, batch.bucket, ids, held_until=batch.claimed_until, at=now)
            rows = [
                event(one.candidate, SendEventKind.UNCERTAIN, now, Reason.NOT_REPEATABLE, account=one.account_id)
                for one in unsafe
                if one.candidate.held.id in left
            ]
            await outbox.add_events(link, batch.bucket, rows)
        batch.tally.uncertain += len(left)

    async def _mark_sending(
        self, link: AsyncConnection, batch: Batch, wave: Sequence[Going], held_until: datetime
    ) -> list[Going]:
        """First lock: commit `sending`. What was cancelled or ran out of its lease is left out."""
        ours = await outbox.mark_sending(
            link,
            batch.bucket,
            {one.candidate.held.id: one.account_id for one in wave},
            held_until=batch.claimed_until,
            now=self._now(),
            lease_until=held_until,
            events=self._taken,
        )
        self._taken = []
        return [one for one in wave if one.candidate.held.id in ours]

    async def _start(
        self, link: AsyncConnection, batch: Batch, sending: Sequence[Going], held_until: datetime
    ) -> tuple[Started, Looked]:
        """Second lock: look once more and start the calls while it is held."""
        started: Started = []

        def start(group: Sequence[Going]) -> None:
            by_account: dict[int, list[Going]] = {}
            now = self._now()
            for one in group:
                one.started_at = now
                by_account.setdefault(one.account_id, []).append(one)
            for account_id, members in by_account.items():
                provider = self._routes.provider(account_id)
                assert provider is not None, "it was made ready for this wave"
                start_all = cast("Callable[[Sequence[Message]], list[Reply]]", provider.start)
                started.extend(zip(members, start_all([one.letter for one in members]), strict=True))

        if not sending:
            return started, Looked()
        looked = await start_under_lock(link, batch, sending, start, held_until=held_until, now=self._now)
        return started, looked

    async def _answers(self, batch: Batch, started: Started, held_until: datetime) -> Answers:
        """Wait for the replies, not too long for the slowest: those that are still open are recorded later."""
        if not started:
            return []
        _, still_open = await asyncio.wait([reply for _, reply in started], timeout=REPLY_S)
        for one, reply in started:
            if reply in still_open:
                self._open.add(reply)
                reply.add_done_callback(partial(self._came_late, batch.bucket, held_until, one))
        return [(one, reply.result()) for one, reply in started if reply not in still_open]

    def _came_late(self, bucket: int, held_until: datetime, one: Going, reply: Reply) -> None:
        self._open.discard(reply)
        self._late.append(_Late(bucket, held_until, one, reply.result()))

    async def _record(self, replies: Replies) -> Tally:
        """Record until it is recorded: what a provider took must not be forgotten because the database went away."""
        while True:
            try:
                for one, said in replies.answers:
                    if isinstance(said, Rejected) and said.fault is Fault.OPTED_OUT:
                        self._obey(one, replies.at)  # before the record: an opt-out is never forgotten by a crash
                tally = await record(await self._line.get(), self._context, replies)
                await self._suppress_elsewhere(replies)
                return tally
            except GONE:
                await self._line.drop()
                if self._line.has_given_up:
                    log.exception("replies_not_recorded", extra={"facts": {"count": len(replies.answers)}})
                    raise  # their leases end in doubt, and a person is shown them

    async def _record_taken(self, bucket: int) -> None:
        """The same for what was accepted and not recorded with the next wave."""
        while self._taken:
            try:
                await outbox.record_sent(await self._line.get(), bucket, self._taken)
                self._taken = []
            except GONE:
                await self._line.drop()
                if self._line.has_given_up:
                    log.exception("replies_not_recorded", extra={"facts": {"count": len(self._taken)}})
                    raise

    async def _suppress_elsewhere(self, replies: Replies) -> None:
        """Addresses that do not exist and devices that are no more, also in the buckets where they are looked up."""
        elsewhere: dict[int, list[SuppressionRow]] = {}
        for home, row in refused_addresses(self._context, replies):
            if home != replies.bucket:
                elsewhere.setdefault(home, []).append(row)
        for home, rows in sorted(elsewhere.items()):
            await outbox.suppress(await self._line.get(), home, rows)
        for home, device_id in sorted(gone_devices(self._context, replies)):
            if home != replies.bucket:
                await forget_devices(await self._line.get(), home, [device_id])

    async def _learn(self, answers: Answers) -> dict[UUID, datetime]:
        """What the answers say about the accounts; when those that were not started may be tried again."""
        for one, said in answers:
            await self._hear(one.account_id, said)
        now = self._now()
        return {
            one.candidate.held.id: now + timedelta(seconds=said.retry_after_s or 1.0)
            if said.pause is Pause.NONE
            else self._routes.resume_at(one, now)
            for one, said in answers
            if isinstance(said, NotStarted)
        }

    async def _hear(self, account_id: int, said: Outcome) -> None:
        """Tell the others when an account begins or ends to pause."""
        change = self._routes.healths.hear(account_id, said, self._now())
        if change is None:
            return
        try:
            await tell(await self._line.get(), self._routes.shop_of(account_id), change, self._now())
        except GONE:
            await self._line.drop()  # this worker goes by it anyway; the others will find out for themselves

    async def _give_back(self, batch: Batch, group: Sequence[Going], held_until: datetime | None = None) -> None:
        """Nothing of these was started, and we know it: they wait again at once instead of until their lease ends.

        Best effort: without a database their leases end by themselves.
        """
        if not group:
            return
        now = self._now()
        rows = [Later.of(one.candidate.held, now) for one in group]
        try:
            async with asyncio.timeout(GIVE_BACK_S):
                link = await self._line.get()
                given = await outbox.hand_back(link, batch.bucket, rows, batch.claimed_until)
                if held_until is not None:
                    given |= await outbox.try_again_later(link, batch.bucket, rows, held_until)
            batch.tally.again += len(given)
        except (TimeoutError, *GONE):
            log.warning("sends_not_given_back", extra={"facts": {"bucket": batch.bucket, "count": len(rows)}})

    def _now(self) -> datetime:
        return self._context.clock.now()
