"""How is a person erased, so that nothing names or reaches them and what was counted still adds up?

Carts, orders and messages stay as numbers; names, addresses, visitor keys and what was written inside them go. The
keyed hash of each address stays suppressed as `erased`, so that no import, event or synchronisation brings the person
back: ingest asks for it before it stores an address. Locks: carts, then the shopper, then runs and waiting sends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from rekindle.engine.consents import note_refusal, record_consent, redact_ledger
from rekindle.engine.context import Context
from rekindle.engine.places import BROWSE, DEFAULT, AddressPlace, address_place, cart_place, visitor_place
from rekindle.engine.transactions import Work
from rekindle.engine.withdraw import withdraw_channels
from rekindle.store import forget as store
from rekindle.store.buckets import address_bucket, base_bucket, buckets_of
from rekindle.store.carts import lock_carts
from rekindle.store.consents import Subject, owner_of_contact, suppress
from rekindle.store.database import Connection
from rekindle.store.devices import drop_devices_of_shopper
from rekindle.store.double_opt_in import drop_opt_in_requests
from rekindle.store.forget import CartOfErased
from rekindle.store.replies import blank_replies
from rekindle.store.shoppers import contacts_of_shopper, hold_shoppers
from rekindle.store.subject import blank_requests
from rekindle.terms.consent import ConsentKind, SuppressionReason
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings


class EraseResult(NamedTuple):
    """``found``: whether somebody was there to be erased; ``cancelled_count``: sends that waited."""

    found: bool
    cancelled_count: int


def erase(
    connection: Connection, context: Context, shop: ShopSettings, *, bucket: int, shopper_id: UUID, source: str
) -> EraseResult:
    """Erase a known shopper. Idempotent; commits before it returns."""
    case = _Erasure(Work(connection, shop), context, shop, context.clock.now(), source)
    return case.work.run_whole(lambda: case.run(bucket, shopper_id))


def erase_address(
    connection: Connection, context: Context, shop: ShopSettings, *, channel: Channel, address: str, source: str
) -> EraseResult:
    """Erase whoever has this address (normalised); one that nobody has is suppressed all the same."""
    return erase_place(connection, context, shop, address_place(context, shop, channel, address), source=source)


def erase_place(
    connection: Connection, context: Context, shop: ShopSettings, place: AddressPlace, *, source: str
) -> EraseResult:
    """The same for an address of which only the hash may be known."""
    case = _Erasure(Work(connection, shop), context, shop, context.clock.now(), source)
    return case.work.run_whole(lambda: case.run_for(place))


class _Erasure(NamedTuple):
    """One erasure while it is carried out."""

    work: Work
    context: Context
    shop: ShopSettings
    at: datetime
    source: str

    def run(self, bucket: int, shopper_id: UUID) -> EraseResult:
        connection, buckets = self.work.connection, buckets_of(self.shop)
        carts = store.carts_of_erased(connection, buckets, shopper_id)
        keys = _visitor_keys(carts, store.visitors_of_erased(connection, buckets, shopper_id))
        self._blank_carts(carts, keys)
        self._blank_orders(shopper_id)
        erased = self.work.run_in_bucket(bucket, lambda: self._blank_shopper(bucket, shopper_id))
        if erased is None:
            return EraseResult(False, 0)
        cancelled, addresses = erased
        self.seal(bucket, addresses)
        self._blank_requests([place.hash for place in addresses], shopper_id)
        self._drop_visitors(keys)
        self._part(carts, shopper_id)
        return EraseResult(True, cancelled)

    def run_for(self, place: AddressPlace) -> EraseResult:
        """Whoever has the address; nobody's is suppressed all the same."""
        owner = owner_of_contact(self.work.connection, place.bucket, place.id)
        if owner is not None:
            return self.run(*owner)
        self.seal(place.bucket, [place])
        self._blank_requests([place.hash], None)
        return EraseResult(False, 0)

    def _blank_shopper(self, bucket: int, shopper_id: UUID) -> tuple[int, list[AddressPlace]] | None:
        """Everything in the shopper's own bucket: what was withdrawn, and the addresses. None: nobody is there."""
        connection = self.work.connection
        if not hold_shoppers(connection, bucket, [shopper_id]):
            return None
        addresses = self._addresses(bucket, shopper_id)
        cancelled = withdraw_channels(
            connection,
            self.shop,
            bucket,
            shopper_id,
            list(Channel),
            reason=Reason.ERASED,
            nothing_left=True,
            now=self.context.clock.now(),
        )
        store.blank_shopper(connection, bucket, shopper_id, self.at)
        store.blank_contacts(connection, bucket, [place.id for place in addresses], self.at)
        drop_devices_of_shopper(connection, bucket, shopper_id)
        drop_opt_in_requests(connection, bucket, [place.id for place in addresses])
        store.blank_sends(connection, bucket, shopper_id)
        self._suppress(bucket, addresses)
        return cancelled, addresses

    def seal(self, bucket: int, addresses: Iterable[AddressPlace]) -> None:
        """In each address's own bucket: no address, no consent, suppressed for good."""
        for place in addresses:
            record_consent(
                self.work.connection,
                self.context,
                self.shop,
                bucket=bucket,
                channel=place.channel,
                address_hash=place.hash,
                kind=ConsentKind.WITHDRAWN,
                wording="",
                source=f"erasure: {self.source}",
                evidence={},
                at=self.at,
            )
            self.work.run_in_bucket(place.bucket, partial(self._seal_at_home, place))

    def _seal_at_home(self, place: AddressPlace) -> None:
        subject = Subject(self.shop.id, place.channel.value, place.hash)
        note_refusal(self.context, subject, "erased", self.at)
        store.blank_contacts(self.work.connection, place.bucket, [place.id], self.at)
        blank_replies(self.work.connection, place.bucket, self.shop.id, [place.hash])
        redact_ledger(self.work.connection, self.context, self.shop, place.bucket, place.hash)
        self._suppress(place.bucket, [place])

    def _blank_carts(self, carts: Iterable[CartOfErased], keys: Iterable[str]) -> None:
        """The carts, and the events about them: those of a spread shop may lie beside the visitor instead."""
        rows: dict[int, set[UUID]] = defaultdict(set)
        for cart in carts:
            rows[cart.bucket].add(cart.id)
        own = [cart_place(self.shop, prefix + key) for key in keys for prefix in (BROWSE, DEFAULT)]
        told = sorted({cart_id for ids in rows.values() for cart_id in ids} | {place.id for place in own})
        for bucket in sorted({*rows, *(place.bucket for place in own)}):
            self.work.run_in_bucket(bucket, partial(self._blank_carts_of, bucket, sorted(rows[bucket]), told))

    def _blank_carts_of(self, bucket: int, ids: list[UUID], told: list[UUID]) -> None:
        held = lock_carts(self.work.connection, bucket, ids)
        store.blank_carts(self.work.connection, bucket, [draft.id for draft in held])
        store.blank_events(self.work.connection, bucket, told)

    def _blank_orders(self, shopper_id: UUID) -> None:
        """The purchases, and the events that nothing but an order's key ties to the person: a till's."""
        connection, buckets = self.work.connection, buckets_of(self.shop)
        orders = store.orders_of_erased(connection, buckets, shopper_id)
        for home, order_id, _ in sorted(orders):
            with self.work.in_bucket(home):
                store.blank_order(connection, home, order_id)
        if orders:
            store.blank_lonely_events(connection, buckets, self.shop.id, [key for _, _, key in orders])

    def _drop_visitors(self, keys: Iterable[str]) -> None:
        by_bucket: dict[int, list[UUID]] = defaultdict(list)
        for key in keys:
            place = visitor_place(self.shop, key)
            by_bucket[place.bucket].append(place.id)
        for bucket, ids in sorted(by_bucket.items()):
            self.work.run_in_bucket(bucket, partial(store.drop_visitors, self.work.connection, bucket, ids))

    def _part(self, carts: Iterable[CartOfErased], shopper_id: UUID) -> None:
        """Nothing leads from a visit to the shopper any more, also not what the browser does next with its cart. Last,
        for until then a repeated erasure finds the carts by their shopper."""
        rows: dict[int, list[UUID]] = defaultdict(list)
        for cart in carts:
            rows[cart.bucket].append(cart.id)
        for bucket, ids in sorted(rows.items()):
            with self.work.in_bucket(bucket):
                held = lock_carts(self.work.connection, bucket, sorted(ids))
                store.part_carts_from_shopper(self.work.connection, bucket, [draft.id for draft in held], shopper_id)
        cart_ids = [cart_id for ids in rows.values() for cart_id in ids]
        visitors: dict[int, list[UUID]] = defaultdict(list)
        for bucket, visitor_id in store.visitors_of_carts(self.work.connection, buckets_of(self.shop), cart_ids):
            visitors[bucket].append(visitor_id)
        for bucket, ids in sorted(visitors.items()):
            with self.work.in_bucket(bucket):
                store.part_visitors_from_carts(self.work.connection, bucket, sorted(ids), cart_ids)

    def _blank_requests(self, hashes: list[bytes], shopper_id: UUID | None) -> None:
        """What the person asked for about their data stays on record, without what names them."""
        bucket = base_bucket(self.shop)
        blank = partial(blank_requests, self.work.connection, bucket, self.shop.id, hashes, shopper_id)
        self.work.run_in_bucket(bucket, blank)

    def _addresses(self, bucket: int, shopper_id: UUID) -> list[AddressPlace]:
        found = []
        for row in contacts_of_shopper(self.work.connection, bucket, shopper_id):
            digest = bytes(row.address_hash)
            home = address_bucket(self.shop, digest)
            found.append(AddressPlace(home, row.id, Channel(row.channel), digest, ""))
        return found

    def _suppress(self, bucket: int, addresses: Iterable[AddressPlace]) -> None:
        for place in addresses:
            subject = Subject(self.shop.id, place.channel.value, place.hash)
            reason = SuppressionReason.ERASED.value
            suppress(self.work.connection, bucket, subject, reason=reason, at=self.at, source=self.source)


def _visitor_keys(carts: Iterable[CartOfErased], known: Iterable[str]) -> set[str]:
    """Every key under which the shopper's visits are known; checkout tokens among them."""
    keys = set(known)
    for cart in carts:
        if cart.visitor_key is not None:
            keys.add(cart.visitor_key)
        for prefix in (BROWSE, DEFAULT):
            if cart.cart_key.startswith(prefix):
                keys.add(cart.cart_key.removeprefix(prefix))
    return keys
