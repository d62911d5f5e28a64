"""How do due sends reach their shoppers? Claim a batch, read its facts, decide, compose; then hand it over in waves.

The only caller of ``policy.may_send``. Every verdict is stored together with what follows from it, before anything is
handed over (``engine.hand_over``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from rekindle.engine.assign import assign, planned
from rekindle.engine.batch import PACE, Batch, Going, Message, Pace, Tally
from rekindle.engine.books import Books
from rekindle.engine.composers import Composers
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate, facts_of, read_candidates
from rekindle.engine.hand_over import HandOver
from rekindle.engine.make_provider import MakeProvider
from rekindle.engine.outcome import decision, event
from rekindle.engine.route import Routes, Way
from rekindle.policy.arbiter import Bid, arbitrate
from rekindle.policy.may_send import may_send
from rekindle.policy.route_choice import in_turn
from rekindle.store import outbox
from rekindle.store.async_connection import AsyncConnection, Line
from rekindle.store.database import Connection
from rekindle.store.outbox import Claimed, Later
from rekindle.terms.decision import Outcome, Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, MessageKind, SendEventKind
from rekindle.terms.send_facts import RouteFacts

#: A second send to the same shopper waits for the first one of the batch: their caps are asked one after the other.
NEXT_OF_SHOPPER = timedelta(seconds=15)


@dataclass(slots=True)
class _Judged:
    """A candidate with its verdict; ``account_id``, then ``letter`` when it may go. ``missing`` from its content."""

    candidate: Candidate
    verdict: Verdict
    account_id: int | None = None
    missing: tuple[str, ...] | None = None
    letter: Message | None = None


class _Common:
    """What the sends of a batch share, told once: the way out, and what the content of a shop's template lacks."""

    def __init__(self, routes: Routes, composers: Composers, batch: Batch) -> None:
        self.now = batch.facts_at
        self._routes, self._composers = routes, composers
        self._told: dict[tuple[object, ...], tuple[Way, tuple[str, ...] | None]] = {}

    def of(self, candidate: Candidate) -> tuple[Way, tuple[str, ...] | None]:
        """The way out, and what is missing."""
        held, row, shop = candidate.held, candidate.row, candidate.shop
        version_id = row.template_version_id if row else None
        kind = row.kind if row else MessageKind.REMINDER.value
        key = (held.shop_id, held.channel, held.only_account, version_id, kind, candidate.kinds)
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = (
                self._routes.way(shop, held, self.now, candidate.kinds),
                self._composers.missing(held.channel, shop, version_id, kind),
            )
        return told


class Deliverer:
    """One delivery worker: a connection for sends, one for configuration, and the providers it opened.

    Not safe to share between tasks; run several workers instead, SKIP LOCKED keeps them apart.
    """

    def __init__(
        self,
        line: Line,
        control: Connection,
        context: Context,
        books: Books,
        make: MakeProvider,
        *,
        pace: Pace = PACE,
    ) -> None:
        self.line, self.control, self.context, self.books = line, control, context, books
        self.pace = pace
        self.routes = Routes(context, books, make)
        self.composers = Composers(context)
        self.hand_over = HandOver(line, context, self.routes, pace, self._obey)
        self._after: dict[int, int] = {}  # bucket -> last shop served, so that many shops take turns

    def stop(self) -> None:
        """Finish what is being handed over, give back the rest of the batch."""
        self.hand_over.stopping = True
        self.line.stop_waiting()

    async def close(self) -> None:
        """Finish what is open at the providers, record it, let go of the connection."""
        await self.hand_over.close()
        await self.line.drop()

    async def deliver_batch(self, bucket: int) -> Tally:
        """Deliver at most one batch of a bucket; a tally of what became of it (``claimed`` 0: nothing was due).

        Raises psycopg.OperationalError when the database goes away; nothing is lost by that: what was claimed comes
        back, and what was handed over is recorded as soon as the database is there again.
        """
        now = self.context.clock.now()
        batch = Batch(bucket, claimed_until=now + self.pace.claim_lease, facts_at=now)
        link = await self.line.get()
        claimed = await outbox.claim(
            link,
            bucket=bucket,
            after=self._after.get(bucket, 0),
            now=now,
            limit=self.pace.limit,
            lease_until=batch.claimed_until,
        )
        self._turn(bucket, claimed)
        batch.tally.claimed = len(claimed)
        if claimed:
            await self.hand_over.all(batch, await self._decide(link, batch, claimed))
        return batch.tally

    def _obey(self, one: Going, at: datetime) -> None:
        """A provider says that the shopper told it to stop: that is an opt-out like any other. Waits for the database;
        it happens seldom, so what it needs is not part of a worker's start."""
        from rekindle.engine.opt_out import opt_out_address

        shop, row, channel = one.candidate.shop, one.candidate.row, Channel(one.candidate.held.channel)
        if shop is not None and row is not None and row.address is not None:
            source = f"provider account {one.account_id}"
            opt_out_address(
                self.control, self.context, shop, channel=channel, address=row.address, source=source, at=at
            )

    def _turn(self, bucket: int, claimed: Sequence[Claimed]) -> None:
        """More shops than rows in a batch: go on after the last one served; else begin with the first again."""
        shops = {row.shop_id for row in claimed}
        self._after[bucket] = max(shops) if len(claimed) >= self.pace.limit and len(shops) == len(claimed) else 0

    def _arbitrate(self, judged: Sequence[_Judged], at: datetime) -> None:
        """One message at a time to each shopper: of several that may go now, the others lose and are asked again."""
        by_shopper: dict[UUID, list[_Judged]] = {}
        for one in judged:
            if one.verdict.allowed:
                by_shopper.setdefault(one.candidate.held.shopper_id, []).append(one)
        for rivals in by_shopper.values():
            if len(rivals) > 1:
                lost = arbitrate([self._bid(one.candidate) for one in rivals], at + NEXT_OF_SHOPPER)
                for one in rivals:
                    if one.candidate.held.id in lost:
                        one.verdict, one.account_id = lost[one.candidate.held.id], None

    def _bid(self, candidate: Candidate) -> Bid:
        held, row = candidate.held, candidate.row
        assert row is not None, "only a send with facts is allowed"
        return Bid(held.id, row.flow_id, self.books.priority_of(held.shop_id, row.flow_id) or 0, row.planned_at)

    async def _decide(self, link: AsyncConnection, batch: Batch, claimed: Sequence[Claimed]) -> list[Going]:
        """Ask ``may_send`` for each, compose what may go, and store every verdict with what follows from it."""
        self.books.refresh_if_stale(self.control)
        if any(row.shop_id not in self.books.shops for row in claimed):
            self.books.refresh(self.control)  # a shop made seconds ago
        batch.facts_at = self.context.clock.now()
        candidates = await read_candidates(link, batch.bucket, claimed, self.books.shops, batch.facts_at)
        self.composers.learn(self.control, self.books, candidates)
        common = _Common(self.routes, self.composers, batch)
        judged = [self._judge(candidate, common) for candidate in candidates]
        self._arbitrate(judged, batch.facts_at)
        await self._assign(link, batch, judged)
        for one in judged:
            if one.account_id is not None:
                self._compose(one, batch.facts_at)
        await self._store(link, batch, judged)
        return [
            Going(one.candidate, one.letter, one.account_id)
            for one in judged
            if one.letter is not None and one.account_id is not None
        ]

    def _judge(self, candidate: Candidate, common: _Common) -> _Judged:
        now = common.now
        try:
            way, missing = common.of(candidate)
            verdict = may_send(facts_of(candidate, missing=missing, route=way.facts, now=now))
        except ValueError as error:  # stored values that mean nothing (limits, states): nothing goes out
            return _Judged(candidate, deny(Reason.EVALUATION_FAILED, error=str(error)[:200]))
        return _Judged(candidate, verdict, way.account_id if verdict.allowed else None, missing)

    async def _assign(self, link: AsyncConnection, batch: Batch, judged: Sequence[_Judged]) -> None:
        """Choose the accounts where there is a choice or a limit; who finds no room is decided once more, with that."""
        open_ones = [one for one in judged if one.verdict.allowed and one.account_id is None]
        if not open_ones:
            return
        found = await assign(link, self.routes, [one.candidate for one in open_ones], batch.facts_at)
        for one, answer in zip(open_ones, found, strict=True):
            one.account_id = answer.account_id
            if answer.account_id is None:
                route = RouteFacts(exists=True, paused_until=answer.until, why=answer.why)
                facts = facts_of(one.candidate, missing=one.missing, route=route, now=batch.facts_at)
                one.verdict = may_send(facts)

    def _compose(self, one: _Judged, now: datetime) -> None:
        held = one.candidate.held
        said_at = held.first_try_at if held.only_account is not None else None  # a repeat says what was said
        composed = self.composers.compose(one.candidate, self.routes.account(one.account_id), said_at or now)
        if isinstance(composed, Verdict):
            one.verdict = composed
        else:  # rendered and checked: only then is there something that may be handed over
            one.letter = composed
            one.verdict = replace(one.verdict, evidence={**one.verdict.evidence, "lint": "passed"})

    async def _store(self, link: AsyncConnection, batch: Batch, judged: Sequence[_Judged]) -> None:
        """Verdicts, and what follows from those that are not yes, in one transaction."""
        bucket, at = batch.bucket, batch.facts_at
        denied = {one.candidate.held.id: one for one in judged if one.verdict.outcome is Outcome.DENY}
        later = [
            Later.of(one.candidate.held, _in_turn(one, one.verdict.retry_at))
            for one in judged
            if one.verdict.retry_at is not None
        ]
        async with link.transaction():
            await outbox.write_decisions(link, [decision(one.candidate, one.verdict, at) for one in judged])
            if denied:
                gone = await outbox.drop_claimed(link, bucket, list(denied), batch.claimed_until)
                skipped = [
                    event(one.candidate, _end_of(one.candidate), at, one.verdict.reason)
                    for send_id, one in denied.items()
                    if send_id in gone
                ]
                await outbox.add_events(link, bucket, skipped)
                batch.tally.skipped += len(skipped)
            if later:
                batch.tally.again += len(await outbox.hand_back(link, bucket, later, batch.claimed_until))


def _in_turn(one: _Judged, retry_at: datetime) -> datetime:
    """What waits for an account comes back in the order in which the flows planned it."""
    return in_turn(retry_at, planned(one.candidate)) if one.verdict.reason is Reason.PAUSED else retry_at


def _end_of(candidate: Candidate) -> SendEventKind:
    """What was to be repeated may have gone out before: it counts, and is never called skipped."""
    return SendEventKind.SKIPPED if candidate.held.only_account is None else SendEventKind.FAILED
