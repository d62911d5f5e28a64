"""How do events become the truth before they are acknowledged?

`ingest` stores a batch once, whatever is repeated, and everything that follows from it: carts, visitors and shoppers
are projected, consents written down, orders, opt-outs and erasures applied. It returns after the commit; only then may
the sender be told.

A shop in one bucket gets one transaction. A shop over many gets one per bucket, in this order: shoppers, visitors,
carts together with the events that lie beside them, orders and opt-outs, and last the rows of the events whose effects
lie elsewhere: a repeat after a crash finds them missing and does again what is harmless to do twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import psycopg
from msgspec.structs import replace

from rekindle.engine.apply_now import apply_now, record_consents
from rekindle.engine.catalogue import notice_products
from rekindle.engine.collisions import Collisions
from rekindle.engine.context import Context
from rekindle.engine.patience import with_patience
from rekindle.engine.project import Projection
from rekindle.engine.purchase import link_late_carts
from rekindle.engine.routing import Placed, place_all
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.engine.withdraw import withdraw_for_carts
from rekindle.policy.cart_draft import to_us
from rekindle.store.database import Connection
from rekindle.store.ingest import EventRow, copy_events, known_events
from rekindle.terms.event import BEFORE_THE_ANSWER, ShopEvent
from rekindle.terms.shop import ShopSettings

_TRIES: Final = 30
_collisions = Collisions()
#: Computed from a state that is no longer: the same batch is computed again, and finds what the other one stored.
_OVERTAKEN: Final = (
    OvertakenError,
    psycopg.errors.UniqueViolation,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class IngestResult(NamedTuple):
    """``stored``: events that were new; ``duplicates``: those that were there already, or twice in the batch."""

    stored: int
    duplicates: int


def ingest(connection: Connection, context: Context, shop: ShopSettings, events: Sequence[ShopEvent]) -> IngestResult:
    """Store events of one shop and apply what follows from them; commits before it returns.

    Raises psycopg.DataError when the database cannot hold one of the events; then none of them was stored.
    """
    batch = _Batch(connection, context, shop, place_all(shop, events))
    for attempt in range(_TRIES):
        try:
            batch.store(careful=attempt > 0)
            break
        except _OVERTAKEN as error:
            if attempt == _TRIES - 1:
                raise
            if isinstance(error, psycopg.errors.UniqueViolation):
                _collisions.note(shop.id)
    if batch.stored:
        notice_products(connection, shop, (p.event for p in batch.new()))
    return IngestResult(len(batch.stored), len(events) - len(batch.stored))


class _Batch:
    """One batch on its way into the database; ``stored`` grows with each commit."""

    def __init__(self, connection: Connection, context: Context, shop: ShopSettings, placed: list[Placed]) -> None:
        self._work = Work(connection, shop)
        self._context = context
        self._shop = shop
        self._placed = placed
        self.stored: set[bytes] = set()

    def new(self) -> list[Placed]:
        """The events that this call stored."""
        if len(self.stored) == len(self._placed):
            return self._placed
        return [p for p in self._placed if p.id in self.stored]

    def store(self, *, careful: bool) -> None:
        """Run once. ``careful``: look first which events are stored already."""
        work = self._work
        work.is_calm = not careful and _collisions.is_calm(self._shop.id)
        with work.whole():
            fresh = self._unknown() if careful or not work.is_one else self._placed
            if not fresh:
                return
            shop = with_patience(work.connection, self._shop)
            projection = Projection(work, self._context, shop, fresh)
            projection.read()
            projection.take_all()
            if work.is_one:
                self._write_rows(projection, fresh)
            self._write(projection, fresh)
        if work.is_one:
            self.stored.update(p.id for p in fresh)

    def _write(self, projection: Projection, fresh: list[Placed]) -> None:
        work, context, shop = self._work, self._context, self._shop
        projection.people.write_new(work)
        projection.write_visits()
        overtaken: Exception | None = None
        if work.is_one:
            projection.writer.write_all()
        else:
            overtaken = self._write_buckets(projection, fresh)
            projection.writer.look_again()
        if not work.is_one:
            projection.people.write_news(work)
            projection.remember_carts()
        if projection.writer.left:
            withdraw_for_carts(work, shop, projection.writer.left, context.clock.now())
        if projection.writer.late:
            link_late_carts(work, context, shop, projection.writer.late)
        if overtaken is not None:
            raise overtaken  # what was written has been followed up; the rest is computed again
        record_consents(work, context, shop, projection, fresh)
        apply_now(work, context, shop, projection, fresh)
        if work.is_one:
            projection.people.write_news(work)  # locks shoppers: after the carts that an order closes
        else:
            self._write_remaining(projection, fresh)

    def _write_buckets(self, projection: Projection, fresh: Sequence[Placed]) -> Exception | None:
        """Carts and the events beside them, each bucket in its transaction; returns why one was not written, if so."""
        writer = projection.writer
        writer.settle()
        rows: dict[int, list[Placed]] = defaultdict(list)
        for p in fresh:
            if _is_local(p):
                rows[p.bucket].append(p)
        carts = writer.by_bucket()
        overtaken: Exception | None = None
        for bucket in sorted({*rows, *carts}):
            try:
                with self._work.in_bucket(bucket):
                    self._write_rows(projection, rows.get(bucket, ()))
                    writer.write_bucket(bucket, carts.get(bucket, []))
            except _OVERTAKEN as error:
                overtaken = error
                writer.give_up(carts.get(bucket, []))
            else:
                self.stored.update(p.id for p in rows.get(bucket, ()))
        return overtaken

    def _write_remaining(self, projection: Projection, fresh: Sequence[Placed]) -> None:
        """Events whose effects lie in other buckets: their rows say that all of it is done."""
        rows: dict[int, list[Placed]] = defaultdict(list)
        for p in fresh:
            if not _is_local(p):
                rows[p.bucket].append(p)
        for bucket, remaining in sorted(rows.items()):
            with self._work.in_bucket(bucket):
                self._write_rows(projection, remaining)
            self.stored.update(p.id for p in remaining)

    def _write_rows(self, projection: Projection, placed: Iterable[Placed]) -> None:
        shop_id = self._shop.id
        rows: list[EventRow] = []
        received_at, received_us = None, 0
        for p in placed:
            event, place = p.event, p.cart or p.home
            if event.received_at is not received_at:  # one instant for all of a request
                received_at = event.received_at
                received_us = to_us(received_at)
            payload, key = event.payload, event.visitor_key
            if not p.is_plain and event.names_somebody and projection.people.is_erased(event):
                payload, key = b"{}", None
            cart_id = None if place is None else place.id
            rows.append((p.bucket, p.id, shop_id, event.kind, event.name, p.at_us, received_us, key, cart_id, payload))
        copy_events(self._work.connection, rows)

    def _unknown(self) -> list[Placed]:
        by_bucket: dict[int, list[bytes]] = defaultdict(list)
        for p in self._placed:
            by_bucket[p.bucket].append(p.id)
        known: set[bytes] = set()
        for bucket, ids in sorted(by_bucket.items()):
            known |= known_events(self._work.connection, bucket, ids)
        return [replace(p, cart=None) for p in self._placed if p.id not in known]


def _is_local(p: Placed) -> bool:
    """Whether everything that follows from the event lies in the bucket of its row."""
    if p.event.kind in BEFORE_THE_ANSWER or p.event.consents:
        return False
    return p.cart is None or p.cart.bucket == p.bucket
