"""What follows from a provider's reports? Facts about sends, and the end of writing where somebody says no.

A body's reports are applied in one transaction (a shop over many buckets: one per bucket, the consequences first), so
that the provider is answered only when nothing of them can be lost. Repeated, or in any order, they lead to the same:
events have ids made of their facts, and a no that is older than a newer yes changes nothing.
Locks: the shoppers in id order, then what `opt_out` takes, then uncertain rows of the outbox.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from rekindle.engine.context import Context
from rekindle.engine.fall_back import fall_back
from rekindle.engine.opt_out import opt_out, opt_out_address
from rekindle.engine.places import address_place
from rekindle.engine.replies import Said, hear
from rekindle.engine.report_rows import SETTLING, report_row
from rekindle.engine.tracking import Decided
from rekindle.engine.transactions import Work, until_free
from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.lib.ids import timed_id
from rekindle.providers.feedback import BounceClass, Feedback, FeedbackKind, ForgedError
from rekindle.store import consents
from rekindle.store import feedback as store
from rekindle.store.buckets import address_bucket, base_bucket, buckets_of
from rekindle.store.changed_hours import FRESH, note_hours_of_sends
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.feedback import ReportRow, SettledDoubt, Target
from rekindle.store.hooks import StrangeRow, came_with_another_body, note_strange_reports
from rekindle.store.outbox import SendEventRow
from rekindle.store.settle import add_events
from rekindle.store.shoppers import hold_shoppers
from rekindle.terms.consent import SuppressionReason
from rekindle.terms.send import Channel, SendEventKind
from rekindle.terms.send_reference import read_reference
from rekindle.terms.shop import ShopSettings

#: What ends the writing to somebody, and under which reason it is remembered.
_ENDING = {
    FeedbackKind.COMPLAINED: SuppressionReason.COMPLAINT,
    FeedbackKind.UNSUBSCRIBED: SuppressionReason.UNSUBSCRIBED,
}
#: The message will not arrive on this channel.
_LOST = frozenset({FeedbackKind.BOUNCED, FeedbackKind.FAILED})
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
#: What a provider notices of somebody who reads.
_WATCHING = frozenset({SendEventKind.OPENED.value, SendEventKind.CLICKED.value})
#: Known, and of no consequence for a send.
_QUIET = frozenset({FeedbackKind.RESUBSCRIBED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who reports: an account of a shop, or (``account_id`` None) the letters in its return-path mailbox, which anybody
    can write: those count only where they name a send. ``name`` stands in what is recorded."""

    shop: ShopSettings
    channel: Channel
    name: str
    account_id: int | None = None


@dataclass(slots=True)
class Applied:
    """``known``: reports about sends of the shop, ``new`` of them for the first time; ``settled`` doubts; ``ended``:
    reports that stopped writing to somebody; ``unmatched``: about nothing of ours; ``strange``: of unknown kinds;
    ``answer``: what is to be written back to whoever replied."""

    known: int = 0
    new: int = 0
    settled: int = 0
    ended: int = 0
    unmatched: int = 0
    strange: int = 0
    answer: str = ""


@dataclass(slots=True)
class _Sorted:
    """A body's reports by what is to be done. ``placed``: by bucket; ``adrift``: without a send, by address only."""

    placed: dict[int, list[tuple[Feedback, UUID]]] = field(default_factory=lambda: defaultdict(list))
    adrift: list[Feedback] = field(default_factory=list)
    strange: list[Feedback] = field(default_factory=list)
    replies: list[Feedback] = field(default_factory=list)


def apply_feedback(
    connection: Connection,
    context: Context,
    source: Source,
    feedback: Sequence[Feedback],
    *,
    once: str = "",
    body: bytes = b"",
) -> Applied:
    """Apply one body's reports; commits before it returns.

    ``once`` is a token that counts for one body only. Raises ForgedError when it came with another one.
    """
    case = _Case(context, source, Work(connection, source.shop))
    return until_free(connection, lambda: case.apply(feedback, once, body))


@dataclass(slots=True)
class _Case:
    context: Context
    source: Source
    work: Work
    applied: Applied = field(default_factory=Applied)

    def apply(self, feedback: Sequence[Feedback], once: str, body: bytes) -> Applied:
        self.applied = Applied()
        with self.work.whole():
            if once:
                self._require_first(once, body)
            found = self._sort(feedback)
            for bucket in sorted(found.placed):
                with self.work.in_bucket(bucket):
                    targets = self._targets(bucket, found.placed[bucket])
                    hold_shoppers(self.work.connection, bucket, sorted({t.shopper_id for _, t in targets}))
                for one, target in targets:
                    self._end(bucket, one, target)
            for one in found.adrift:
                self._end_by_address(one)
            for bucket in sorted(found.placed):
                self._record(bucket, found.placed[bucket])
            self._keep_strange(found.strange)
            for one in found.replies:
                self._hear(one)
        return self.applied

    # -- sorting ----------------------------------------------------------------------------------------------------

    def _sort(self, feedback: Iterable[Feedback]) -> _Sorted:
        found = _Sorted()
        bare: list[tuple[Feedback, UUID]] = []
        for one in feedback:
            if one.kind is FeedbackKind.OTHER:
                found.strange.append(one)
                continue
            if one.kind in _QUIET:
                continue
            if one.kind is FeedbackKind.REPLIED:
                found.replies.append(one)
                continue
            reference = read_reference(one.send_id)
            if reference is not None:
                found.placed[reference.bucket].append((one, reference.send_id))
            elif (send_id := _bare_id(one.send_id)) is not None:
                bare.append((one, send_id))
            else:
                found.adrift.append(one)
        if bare:
            self._place(bare, found)
        self.applied.strange = len(found.strange)
        return found

    def _place(self, bare: Sequence[tuple[Feedback, UUID]], found: _Sorted) -> None:
        """Sends named without their bucket: looked for in those of the shop."""
        shop = self.source.shop
        places = store.find_sends(
            self.work.connection, buckets_of(shop), shop.id, sorted({send_id for _, send_id in bare})
        )
        for one, send_id in bare:
            if send_id in places:
                found.placed[places[send_id]].append((one, send_id))
            else:
                found.adrift.append(one)

    # -- consequences -----------------------------------------------------------------------------------------------

    def _targets(self, bucket: int, placed: Sequence[tuple[Feedback, UUID]]) -> list[tuple[Feedback, Target]]:
        """Whom reports with consequences are about, in the order of shoppers; a repeat of one without a time of its own
        is left out, for it may be older than a newer yes."""
        ending = [(one, send_id) for one, send_id in placed if one.kind in _ENDING or _is_dead(one)]
        if not ending:
            return []
        asked = [(n, report_row(one, send_id, "", "").id, send_id) for n, (one, send_id) in enumerate(ending)]
        found = store.targets_of_feedback(self.work.connection, bucket, self.source.shop.id, asked)
        about = [(ending[t.n][0], t) for t in found if t.is_new or ending[t.n][0].is_timed]
        return sorted(about, key=lambda pair: (pair[1].shopper_id.int, pair[1].n))

    def _end(self, bucket: int, one: Feedback, target: Target) -> None:
        self.applied.ended += 1
        if one.kind not in _ENDING:
            if target.address_hash is not None:
                with self.work.in_bucket(bucket):
                    hold_shoppers(self.work.connection, bucket, [target.shopper_id])
                    self._suppress(bucket, target.address_hash, one)
                self._suppress_at_home(bucket, target.address_hash, one)
            return
        opt_out(
            self.work.connection,
            self.context,
            self.source.shop,
            bucket=bucket,
            shopper_id=target.shopper_id,
            channels=[self.source.channel],
            source=self._told_by(one),
            at=one.at,
            reason=_ENDING[one.kind],
        )

    def _end_by_address(self, one: Feedback) -> None:
        """The account also sends other letters of the shop, or names no send: what is said about the address counts."""
        ends = one.kind in _ENDING or _is_dead(one)
        address = self._address(one) if ends and self.source.account_id is not None else None
        if address is None:
            self.applied.unmatched += 1
            return
        self.applied.ended += 1
        if one.kind in _ENDING:
            opt_out_address(
                self.work.connection,
                self.context,
                self.source.shop,
                channel=self.source.channel,
                address=address,
                source=self._told_by(one),
                at=one.at,
                reason=_ENDING[one.kind],
            )
            return
        place = address_place(self.context, self.source.shop, self.source.channel, address)
        owner = consents.owner_of_contact(self.work.connection, place.bucket, place.id)
        if owner is not None:
            with self.work.in_bucket(owner[0]):
                hold_shoppers(self.work.connection, owner[0], [owner[1]])
                self._suppress(owner[0], place.hash, one)
        self._suppress_at_home(owner[0] if owner is not None else -1, place.hash, one)

    def _suppress_at_home(self, bucket: int, address_hash: bytes, one: Feedback) -> None:
        home = address_bucket(self.source.shop, address_hash)
        if home != bucket:
            with self.work.in_bucket(home):
                self._suppress(home, address_hash, one)

    def _suppress(self, bucket: int, address_hash: bytes, one: Feedback) -> None:
        subject = Subject(self.source.shop.id, self.source.channel.value, address_hash)
        reason = SuppressionReason.HARD_BOUNCE.value
        consents.suppress(self.work.connection, bucket, subject, reason=reason, at=one.at, source=self._told_by(one))

    def _address(self, one: Feedback) -> str | None:
        try:
            if self.source.channel is Channel.EMAIL:
                return normalise_email(one.address)
            return normalise_phone(one.address) if self.source.channel is Channel.SMS else None
        except AddressError:
            # Numbers outside of every plan, and short codes, write back too, and their no counts.
            is_number = self.source.channel is Channel.SMS and _NUMBER.fullmatch(one.address)
            return one.address if is_number else None

    def _told_by(self, one: Feedback) -> str:
        return f"{self.source.name}: {one.name or one.kind.value}"[:120]

    # -- replies ----------------------------------------------------------------------------------------------------

    def _hear(self, one: Feedback) -> None:
        address = self._address(one)
        if address is None:
            self.applied.unmatched += 1
            return
        place = address_place(self.context, self.source.shop, self.source.channel, address)
        said = Said(
            one.text,
            one.event_id,
            one.at,
            account_id=self.source.account_id,
            is_answered=one.detail.startswith("opt-out type"),
        )
        answer = hear(self.work, self.context, self.source.shop, place, said)
        self.applied.answer = self.applied.answer or answer

    # -- facts ------------------------------------------------------------------------------------------------------

    def _record(self, bucket: int, placed: Sequence[tuple[Feedback, UUID]]) -> None:
        shop, own = self.source.shop, self.context.public_url
        rows = [report_row(one, send_id, self.source.name, own) for one, send_id in placed]
        rows = self._without_watching(bucket, rows)
        settles = {send_id for one, send_id in placed if one.kind in SETTLING}
        with self.work.in_bucket(bucket):
            recorded = store.record_feedback(self.work.connection, bucket, shop.id, rows, settles)
            if recorded.settled:
                events = [_handed_over(shop.id, doubt, self.source.name) for doubt in recorded.settled]
                add_events(self.work.connection, bucket, msgspec.json.encode(events).decode())
            told_to_stop = {send_id for one, send_id in placed if one.kind in _ENDING}
            lost = {send_id for one, send_id in placed if one.kind in _LOST} - told_to_stop
            if lost:
                fall_back(self.work.connection, self.context, bucket, sorted(lost))
            fresh = self.context.clock.now() - FRESH
            late = {send_id for one, send_id in placed if one.at < fresh} | {doubt.id for doubt in recorded.settled}
            note_hours_of_sends(self.work.connection, bucket, sorted(late))
        self.applied.known += recorded.known
        self.applied.new += recorded.new
        self.applied.settled += len(recorded.settled)
        self.applied.unmatched += len(rows) - recorded.known

    def _without_watching(self, bucket: int, rows: Sequence[ReportRow]) -> list[ReportRow]:
        """Clicks and opens that may not be noted of this shopper only say that the message is there."""
        told = [row for row in rows if row.kind in _WATCHING]
        if not told:
            return list(rows)
        shop, decided = self.source.shop, Decided()
        watched = store.watched_sends(self.work.connection, bucket, shop.id, {row.send_id for row in told})
        kept = []
        for row in rows:
            whose = watched.get(row.send_id)
            if row.kind not in _WATCHING or whose is None:
                kept.append(row)
            elif row.kind == SendEventKind.CLICKED:
                is_noted = decided.may_note(shop, whose.channel, whose.country, whose.region, whose.clicks)
                kept.append(row if is_noted else _unseen(row))
            else:
                is_noted = decided.may_note_open(shop, whose.channel, whose.country, whose.region)
                kept.append(row if is_noted else _unseen(row))
        return kept

    def _keep_strange(self, strange: Sequence[Feedback]) -> None:
        if not strange or self.source.account_id is None:
            return
        times = Counter(one.name[:60] for one in strange)
        samples = {one.name[:60]: {"code": one.code[:60]} for one in reversed(strange)}
        rows = [StrangeRow(name=name, times=count, sample=samples[name]) for name, count in times.items()]
        note_strange_reports(
            self.work.connection,
            account_id=self.source.account_id,
            shop_id=self.source.shop.id,
            at=self.context.clock.now(),
            rows=rows,
        )

    def _require_first(self, once: str, body: bytes) -> None:
        bucket = base_bucket(self.source.shop)
        with self.work.in_bucket(bucket):
            if came_with_another_body(
                self.work.connection,
                bucket=bucket,
                account_id=self.source.account_id or 0,
                token_hash=hashlib.sha256(once.encode()).digest()[:16],
                body_hash=hashlib.sha256(body).digest()[:16],
                at=self.context.clock.now(),
            ):
                raise ForgedError


def _is_dead(one: Feedback) -> bool:
    """Says that the address takes no mail: bounced for good, or never tried for that reason."""
    return one.bounce is BounceClass.PERMANENT and one.kind in {FeedbackKind.BOUNCED, FeedbackKind.FAILED}


def _bare_id(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _handed_over(shop_id: int, doubt: SettledDoubt, by: str) -> SendEventRow:
    """The same row as a look-up writes: the doubt ends once, whoever finds out first."""
    kind = SendEventKind.HANDED_OVER.value
    return SendEventRow(
        id=timed_id(doubt.at, f"{doubt.id}:{kind}:".encode()),
        shop_id=shop_id,
        send_id=doubt.id,
        shopper_id=doubt.shopper_id,
        kind=kind,
        at=doubt.at,
        detail={"found_by": f"report of {by}", "account": doubt.account},
    )


def _unseen(row: ReportRow) -> ReportRow:
    return ReportRow(id=row.id, send_id=row.send_id, kind="", at=row.at)
