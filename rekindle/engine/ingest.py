"""What happens to events that arrive? Stored once, folded, orders and refusals applied: then the 2xx.

Everything of a shop in one bucket is one transaction; a shop over many buckets takes them one by one and writes the
events themselves last, so that an interrupted request is simply told again. Who was overtaken by a neighbour starts
over on fresh state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.forget import erase, erase_address
from rekindle.engine.opt_out import opt_out, opt_out_address
from rekindle.engine.places import Place, address_place, home_of, keys_of, lonely_bucket
from rekindle.engine.project import Projection
from rekindle.engine.purchase import apply_orders
from rekindle.engine.routing import Placed
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.engine.withdraw import withdraw_for_carts
from rekindle.lib.ids import timed_id
from rekindle.store.consents import owner_of_contact
from rekindle.store.database import Connection
from rekindle.store.ingest import EventRow, copy_events, known_events
from rekindle.terms.consent import ConsentKind
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_TRIES = 20
_CHANNEL_OF_NAME = {"email": Channel.EMAIL, "sms": Channel.SMS, "push": Channel.PUSH}


class IngestResult(NamedTuple):
    """``stored`` events are new, ``duplicates`` were there already or came twice in the batch."""

    stored: int
    duplicates: int


def ingest(connection: Connection, context: Context, shop: ShopSettings, events: Sequence[ShopEvent]) -> IngestResult:
    """Store a batch of one shop's events and apply what they mean; commits before it returns.

    Telling a batch again changes nothing. Raises psycopg.OperationalError when the database is away, OvertakenError
    when neighbours kept overtaking it (nothing is half done then; the sender tells it again).
    """
    batch = _placed(shop, events)
    is_repeat_likely = shop.spread > 1  # nothing may be folded twice when steps commit one by one
    for _ in range(_TRIES):
        try:
            stored = _Batch(connection, context, shop, batch).run(look_first=is_repeat_likely)
        except psycopg.errors.UniqueViolation:
            is_repeat_likely = True
        except (OvertakenError, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            continue
        else:
            return IngestResult(stored, len(events) - stored)
    raise OvertakenError


def _placed(shop: ShopSettings, events: Sequence[ShopEvent]) -> list[Placed]:
    """Each event once, with its id and the bucket of its row."""
    found: dict[UUID, Placed] = {}
    for event in events:
        event_id = timed_id(event.stamped_at, f"{shop.id}\0{event.message_key}".encode())
        if event_id not in found:
            keys = keys_of(event)
            home = home_of(shop, event, keys)
            found[event_id] = Placed(event, event_id, home.bucket if home else lonely_bucket(shop, event), keys)
    return list(found.values())


class _Batch:
    """One try."""

    def __init__(self, connection: Connection, context: Context, shop: ShopSettings, batch: Sequence[Placed]) -> None:
        self.connection, self.context, self.shop, self.batch = connection, context, shop, batch
        self.work = Work(connection, shop)

    def run(self, *, look_first: bool) -> int:
        """Returns how many events were new. ``look_first``: leave out the known ones before anything is folded."""
        with self.work.whole():
            batch = self._unknown() if look_first else list(self.batch)
            if batch:
                for p in batch:
                    p.cart = None
                projection = self._project(batch)
                self._apply(batch, projection)
                self._store(batch, projection)
        return len(batch)

    def _unknown(self) -> list[Placed]:
        by_bucket: dict[int, list[UUID]] = defaultdict(list)
        for p in self.batch:
            by_bucket[p.bucket].append(p.id)
        known: set[UUID] = set()
        for bucket, ids in sorted(by_bucket.items()):
            known |= known_events(self.connection, bucket, ids)
        return [p for p in self.batch if p.id not in known]

    def _project(self, batch: Sequence[Placed]) -> Projection:
        projection = Projection(self.work, self.context, self.shop, batch)
        projection.read()
        projection.take_all()
        projection.people.write_new(self.work)
        projection.write_visits()
        projection.write_carts()
        projection.people.write_news(self.work)
        if not self.work.is_one:
            projection.remember_carts()
        return projection

    def _apply(self, batch: Sequence[Placed], projection: Projection) -> None:
        """Everything that must be true before the answer: consents, ended runs, orders, refusals, erasures."""
        for p in batch:
            for given in p.event.consents:
                self._consent(p, given)
        if projection.left:
            withdraw_for_carts(self.work, self.shop, projection.left, self.context.clock.now())
        if projection.late or any(p.event.order is not None for p in batch):
            apply_orders(self.work, self.context, self.shop, batch, projection)
        for p in batch:
            if p.event.kind is EventKind.OPTED_OUT:
                self._opt_out(p, projection.owner_of(p))
            elif p.event.kind is EventKind.ERASURE_REQUESTED:
                self._erase(p, projection.owner_of(p))

    def _consent(self, p: Placed, given: ConsentGiven) -> None:
        """Of the address told in the same event: a consent without an address cannot be anybody's."""
        channel = _CHANNEL_OF_NAME.get(given.channel)
        address = p.event.email if channel is Channel.EMAIL else p.event.phone if channel is Channel.SMS else None
        if channel is None or address is None:
            return
        if not given.granted:
            opt_out_address(
                self.connection,
                self.context,
                self.shop,
                channel=channel,
                address=address,
                source=f"event:{p.event.name}",
                wording=given.wording,
                at=p.event.at,
            )
            return
        place = address_place(self.context, self.shop, channel, address)
        record_consent(
            self.connection,
            self.context,
            self.shop,
            bucket=self._owner_bucket(place.bucket, place.id),
            channel=channel,
            address_hash=place.hash,
            kind=ConsentKind.EXPRESS,
            wording=given.wording,
            source=f"event:{p.event.name}",
            evidence={"method": given.method, "page": given.page, "message_key": p.event.message_key},
            at=p.event.at,
        )

    def _owner_bucket(self, bucket: int, contact_id: UUID) -> int:
        owner = owner_of_contact(self.connection, bucket, contact_id)
        return owner[0] if owner is not None else bucket

    def _opt_out(self, p: Placed, owner: Place | None) -> None:
        event = p.event
        told = {given.channel for given in event.consents if not given.granted}
        first = event.name.split(" ")[0].lower()
        told |= {first} if first in _CHANNEL_OF_NAME else set()
        channels = [_CHANNEL_OF_NAME[name] for name in sorted(told) if name in _CHANNEL_OF_NAME] or list(Channel)
        source = f"event:{event.name}"
        for channel, address in ((Channel.EMAIL, event.email), (Channel.SMS, event.phone)):
            if address is not None and channel in channels:
                opt_out_address(
                    self.connection,
                    self.context,
                    self.shop,
                    channel=channel,
                    address=address,
                    source=source,
                    at=event.at,
                )
        if owner is not None:
            opt_out(
                self.connection,
                self.context,
                self.shop,
                bucket=owner.bucket,
                shopper_id=owner.id,
                channels=channels,
                source=source,
                at=event.at,
            )

    def _erase(self, p: Placed, owner: Place | None) -> None:
        source = f"event:{p.event.name}"
        for channel, address in ((Channel.EMAIL, p.event.email), (Channel.SMS, p.event.phone)):
            if address is not None:
                erase_address(self.connection, self.context, self.shop, channel=channel, address=address, source=source)
        if owner is not None:
            erase(self.connection, self.context, self.shop, bucket=owner.bucket, shopper_id=owner.id, source=source)

    def _store(self, batch: Sequence[Placed], projection: Projection) -> None:
        by_bucket: dict[int, list[EventRow]] = defaultdict(list)
        for p in batch:
            event = p.event
            is_gone = event.kind is EventKind.ERASURE_REQUESTED or projection.people.is_erased(event)
            cart_id = p.cart.id if p.cart is not None and p.cart.bucket == p.bucket else None
            by_bucket[p.bucket].append(
                EventRow(
                    bucket=p.bucket,
                    id=p.id,
                    shop_id=self.shop.id,
                    kind=event.kind.value,
                    name=event.name,
                    at=event.at,
                    received_at=event.received_at,
                    visitor_key=None if is_gone or not p.keys else p.keys[0],
                    cart_id=cart_id,
                    payload=b"{}" if is_gone else event.payload,
                )
            )
        for bucket, rows in sorted(by_bucket.items()):
            with self.work.in_bucket(bucket):
                copy_events(self.connection, sorted(rows, key=lambda row: row.id))
