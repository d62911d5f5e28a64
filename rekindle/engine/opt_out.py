"""How does a shopper say no, and what stops at that moment?

One transaction in the shopper's bucket takes the lock that sends take too: the addresses say no, waiting sends are
withdrawn, runs end when no channel is left. Then the ledger and the suppression in each address's own bucket. Used by
events, the unsubscribe page, one-click and replies; the answer to any of them comes after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.places import AddressPlace, address_place
from rekindle.engine.transactions import Work
from rekindle.engine.withdraw import withdraw_channels
from rekindle.store import consents as store
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.shoppers import AddressRow, contacts_of_shopper, hold_shoppers
from rekindle.terms.consent import ConsentKind, SuppressionReason
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings


class OptOutResult(NamedTuple):
    """``cancelled_count``: sends that waited and now never go out."""

    cancelled_count: int


class Refusal(NamedTuple):
    """A no: on which channels, told how and when, in which words. ``is_suppressing``: also kept by the address's hash,
    so that it survives erasure and re-import; a withdrawn consent alone does not need that. ``reason`` goes with it."""

    channels: tuple[Channel, ...]
    source: str
    wording: str
    at: datetime
    is_suppressing: bool = True
    reason: SuppressionReason = SuppressionReason.UNSUBSCRIBED


def opt_out(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    bucket: int,
    shopper_id: UUID,
    channels: Sequence[Channel] | None,
    source: str,
    wording: str = "",
    at: datetime,
    is_suppressing: bool = True,
    reason: SuppressionReason = SuppressionReason.UNSUBSCRIBED,
) -> OptOutResult:
    """A known shopper's no on some channels, or on all (None): for every address of theirs on these channels.

    Idempotent; commits before it returns. A shopper who does not exist has nothing to withdraw.
    """
    refusal = Refusal(tuple(channels or Channel), source, wording, at, is_suppressing, reason)
    case = _Case(Work(connection, shop), context, shop, refusal)
    return case.work.run_whole(lambda: case.run(bucket, shopper_id))


def opt_out_address(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    channel: Channel,
    address: str,
    source: str,
    wording: str = "",
    at: datetime,
    reason: SuppressionReason = SuppressionReason.UNSUBSCRIBED,
) -> OptOutResult:
    """The no of an address (normalised), also of one that nobody has given yet; its shopper's other addresses on the
    channel say no with it. Idempotent; commits before it returns."""
    place = address_place(context, shop, channel, address)
    work = Work(connection, shop)
    return opt_out_place(work, context, shop, place, source=source, wording=wording, at=at, reason=reason)


def opt_out_place(
    work: Work,
    context: Context,
    shop: ShopSettings,
    place: AddressPlace,
    *,
    source: str,
    wording: str = "",
    at: datetime,
    reason: SuppressionReason = SuppressionReason.UNSUBSCRIBED,
) -> OptOutResult:
    """The same for an address of which only the hash may be known, also as part of other work."""
    case = _Case(work, context, shop, Refusal((place.channel,), source, wording, at, reason=reason))
    return work.run_whole(lambda: case.run_for(place))


class _Case(NamedTuple):
    """One refusal while it is carried out."""

    work: Work
    context: Context
    shop: ShopSettings
    refusal: Refusal

    def run(self, bucket: int, shopper_id: UUID) -> OptOutResult:
        """For a known shopper."""
        cancelled, addresses = self.work.run_in_bucket(bucket, lambda: self.stop(bucket, shopper_id))
        for address in addresses:
            self.remember(bucket, address)
        return OptOutResult(cancelled)

    def run_for(self, address: AddressPlace) -> OptOutResult:
        """For whoever has the address, or nobody."""
        owner = store.owner_of_contact(self.work.connection, address.bucket, address.id)
        if owner is not None:
            return self.run(*owner)
        self.remember(address.bucket, address)
        self.work.run_in_bucket(address.bucket, lambda: self.suppress(address.bucket, address))
        return OptOutResult(0)

    def stop(self, bucket: int, shopper_id: UUID) -> tuple[int, list[AddressPlace]]:
        """Everything in the shopper's own bucket; returns what was withdrawn, and the addresses that said no."""
        connection, refusal = self.work.connection, self.refusal
        if not hold_shoppers(connection, bucket, [shopper_id]):
            return 0, []
        contacts = contacts_of_shopper(connection, bucket, shopper_id)
        said = [(self._place(contact), contact.consent) for contact in contacts if contact.channel in refusal.channels]
        withdrawn = ConsentKind.WITHDRAWN.value  # an older no beside a newer one still counts, if only for its reason
        addresses = [address for address, now in said if self._say_no(bucket, address) or now == withdrawn]
        for address in addresses:
            self.suppress(bucket, address)
        others = [contact for contact in contacts if contact.channel not in refusal.channels]
        nothing_left = all(contact.consent == ConsentKind.WITHDRAWN for contact in others)
        if nothing_left:
            store.note_opt_out(connection, bucket, shopper_id, refusal.at)
        cancelled = withdraw_channels(
            connection,
            self.shop,
            bucket,
            shopper_id,
            refusal.channels,
            reason=Reason.OPTED_OUT,
            nothing_left=nothing_left,
            now=self.context.clock.now(),
        )
        return cancelled, addresses

    def remember(self, bucket: int, address: AddressPlace) -> None:
        """The ledger, and the suppression where the address is looked up after its shopper is gone."""
        refusal = self.refusal
        record_consent(
            self.work.connection,
            self.context,
            self.shop,
            bucket=bucket,
            channel=address.channel,
            address_hash=address.hash,
            kind=ConsentKind.WITHDRAWN,
            wording=refusal.wording,
            source=refusal.source,
            evidence={},
            at=refusal.at,
        )
        if address.bucket != bucket:
            self.work.run_in_bucket(address.bucket, lambda: self.suppress(address.bucket, address))

    def suppress(self, bucket: int, address: AddressPlace) -> None:
        if self.refusal.is_suppressing:
            subject = Subject(self.shop.id, address.channel.value, address.hash)
            reason = self.refusal.reason.value
            at, source = self.refusal.at, self.refusal.source
            store.suppress(self.work.connection, bucket, subject, reason=reason, at=at, source=source)

    def _say_no(self, bucket: int, address: AddressPlace) -> bool:
        """False when the address agreed to something newer: a no that arrives late does not undo it."""
        refusal = self.refusal
        stood = store.set_contact_consent(
            self.work.connection,
            bucket,
            address.id,
            kind=ConsentKind.WITHDRAWN.value,
            at=refusal.at,
            wording=refusal.wording,
        )
        return stood is not None

    def _place(self, address: AddressRow) -> AddressPlace:
        digest = bytes(address.address_hash)
        bucket = address_bucket(self.shop, digest)
        return AddressPlace(bucket, address.id, Channel(address.channel), digest, address.address)
