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
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

import psycopg

from rekindle.engine.apply_now import apply_now, record_consents
from rekindle.engine.catalogue import notice_products
from rekindle.engine.context import Context
from rekindle.engine.places import home_of, keys_of, lonely_bucket
from rekindle.engine.project import Projection
from rekindle.engine.purchase import link_late_carts
from rekindle.engine.routing import Placed
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.engine.withdraw import withdraw_for_carts
from rekindle.lib.ids import timed_id
from rekindle.store.database import Connection
from rekindle.store.ingest import EventRow, copy_events, known_events
from rekindle.terms.event import BEFORE_THE_ANSWER, ShopEvent
from rekindle.terms.shop import ShopSettings

_TRIES: Final = 30
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
    batch = _Batch(connection, context, shop, _placed(shop, events))
    fresh: list[Placed] = []
    for attempt in range(_TRIES):
        try:
            fresh = batch.store(careful=attempt > 0)
            break
        except _OVERTAKEN:
            if attempt == _TRIES - 1:
                raise
    if fresh:
        notice_products(connection, shop, (p.event for p in fresh))
    return IngestResult(len(batch.stored), len(events) - len(batch.stored))


class _Batch:
    """One batch on its way into the database; ``stored`` grows with each commit."""

    def __init__(self, connection: Connection, context: Context, shop: ShopSettings, placed: list[Placed]) -> None:
        self._work = Work(connection, shop)
        self._context = context
        self._shop = shop
        self._placed = placed
        self.stored: set[UUID] = set()

    def store(self, *, careful: bool) -> list[Placed]:
        """Run once; returns the events that were new. ``careful``: look first which events are stored already."""
        work = self._work
        with work.whole():
            fresh = self._unknown() if careful or not work.is_one else self._placed
            if not fresh:
                return []
            projection = Projection(work, self._context, self._shop, fresh)
            projection.read()
            projection.take_all()
            if work.is_one:
                self._write_rows(projection, fresh)
            self._write(projection, fresh)
        if work.is_one:
            self.stored.update(p.id for p in fresh)
        return fresh

    def _write(self, projection: Projection, fresh: list[Placed]) -> None:
        work, context, shop = self._work, self._context, self._shop
        projection.people.write_new(work)
        projection.write_visits()
        if work.is_one:
            projection.write_carts()
        else:
            self._write_buckets(projection, fresh)
        projection.people.write_news(work)
        if not work.is_one:
            projection.remember_carts()
        withdraw_for_carts(work, shop, projection.left, context.clock.now())
        record_consents(work, context, shop, projection, fresh)
        apply_now(work, context, shop, projection, fresh)
        if projection.late:
            link_late_carts(work, shop, projection.late)
        if not work.is_one:
            self._write_remaining(projection, fresh)

    def _write_buckets(self, projection: Projection, fresh: Sequence[Placed]) -> None:
        """Carts and the events beside them, each bucket in its transaction."""
        projection.settle()
        rows: dict[int, list[Placed]] = defaultdict(list)
        for p in fresh:
            if _is_local(p):
                rows[p.bucket].append(p)
        carts = projection.carts_by_bucket()
        for bucket in sorted({*rows, *carts}):
            with self._work.in_bucket(bucket):
                self._write_rows(projection, rows.get(bucket, ()))
                projection.write_bucket(bucket, carts.get(bucket, []))
            self.stored.update(p.id for p in rows.get(bucket, ()))

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
        copy_events(self._work.connection, [self._row(projection, p) for p in placed])

    def _row(self, projection: Projection, p: Placed) -> EventRow:
        event = p.event
        payload, key = event.payload, event.visitor_key
        if (event.email is not None or event.phone is not None) and projection.people.is_erased(event):
            payload, key = b"{}", None
        cart_id = p.cart.id if p.cart is not None else p.home_id
        kind, name = event.kind.value, event.name
        return EventRow(p.bucket, p.id, self._shop.id, kind, name, event.at, event.received_at, key, cart_id, payload)

    def _unknown(self) -> list[Placed]:
        by_bucket: dict[int, list[UUID]] = defaultdict(list)
        for p in self._placed:
            by_bucket[p.bucket].append(p.id)
        known: set[UUID] = set()
        for bucket, ids in sorted(by_bucket.items()):
            known |= known_events(self._work.connection, bucket, ids)
        return [replace(p, cart=None) for p in self._placed if p.id not in known]


def _placed(shop: ShopSettings, events: Sequence[ShopEvent]) -> list[Placed]:
    """The events by id, each once, with the places that follow from them alone."""
    found: dict[UUID, Placed] = {}
    for event in events:
        event_id = timed_id(event.stamped_at, f"{shop.id}\0{event.message_key}".encode())
        if event_id in found:
            continue
        keys = keys_of(event)
        home = home_of(shop, event, keys)
        if home is None:
            found[event_id] = Placed(event, event_id, lonely_bucket(shop, event), keys)
        else:
            found[event_id] = Placed(event, event_id, home.bucket, keys, home.id)
    return [found[event_id] for event_id in sorted(found)]


def _is_local(p: Placed) -> bool:
    """Whether everything that follows from the event lies in the bucket of its row."""
    if p.event.kind in BEFORE_THE_ANSWER or p.event.consents:
        return False
    return p.cart is None or p.cart.bucket == p.bucket
