"""How do events reach the database when some cannot, or when it is away? Valid ones are stored, nothing is lost.

The events of several requests go in one transaction. When the database refuses it, the requests are tried one by one,
and within a request halves and quarters, until the event that cannot be stored stands alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import psycopg

from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.terms.event import ShopEvent
from rekindle.terms.shop import ShopSettings
from rekindle.web.ingest.writer import STORED, NotStored, Result, Stored

_TRIES = 4
#: The same transaction may well succeed if it is run again.
_PASSING = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)
#: The database is away, full, read-only, shutting down, or not set up yet.
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
#: The database cannot hold what the event says.
_UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError)

log = logging.getLogger(__name__)

Open = Callable[[int], AbstractContextManager[Connection]]
Ingest = Callable[[Connection, ShopSettings, Sequence[ShopEvent]], object]


class EventStore:
    """Stores groups of events of one shop. ``open_bucket`` opens a connection, ``ingest`` commits before it returns."""

    def __init__(self, open_bucket: Open, ingest: Ingest) -> None:
        self._open = open_bucket
        self._ingest = ingest

    def __call__(self, shop: ShopSettings, groups: Sequence[Sequence[ShopEvent]]) -> list[Result]:
        """What became of each group, in their order; never raises for what a database can do to us."""
        try:
            with self._open(base_bucket(shop)) as connection:
                return self._store(connection, shop, groups)
        except _AWAY as error:
            log.warning("ingest_database_away", extra={"facts": {"error": type(error).__name__, "groups": len(groups)}})
            return [NotStored(again=True)] * len(groups)

    def _store(self, connection: Connection, shop: ShopSettings, groups: Sequence[Sequence[ShopEvent]]) -> list[Result]:
        together = groups[0] if len(groups) == 1 else [event for group in groups for event in group]
        try:
            self._put(connection, shop, together)
        except _AWAY:
            raise
        except Exception as error:
            if len(groups) > 1:
                return [self._store(connection, shop, [group])[0] for group in groups]
            return self._store_rest(connection, shop, groups[0], error)
        return [STORED] * len(groups)

    def _store_rest(
        self, connection: Connection, shop: ShopSettings, events: Sequence[ShopEvent], error: Exception
    ) -> list[Result]:
        refused: dict[int, str] = {}
        is_ours = self._halve(connection, shop, list(enumerate(events)), error, refused)
        return [NotStored(again=False) if is_ours else Stored(refused)]

    def _halve(
        self,
        connection: Connection,
        shop: ShopSettings,
        events: list[tuple[int, ShopEvent]],
        error: Exception,
        refused: dict[int, str],
    ) -> bool:
        """Store what can be stored of events that failed together; True when one failed by a mistake of ours."""
        if len(events) == 1:
            index, event = events[0]
            facts = {"error": type(error).__name__, "kind": event.kind.value, "shop_id": shop.id}
            if isinstance(error, _UNSTORABLE):
                log.warning("ingest_event_unstorable", extra={"facts": facts})
                refused[index] = "the database cannot hold this event"
                return False
            log.error("ingest_event_failed", extra={"facts": facts}, exc_info=error)
            return True
        middle = len(events) // 2
        failed = False
        for half in (events[:middle], events[middle:]):
            try:
                self._put(connection, shop, [event for _, event in half])
            except _AWAY:
                raise
            except Exception as inner:
                failed |= self._halve(connection, shop, half, inner, refused)
        return failed

    def _put(self, connection: Connection, shop: ShopSettings, events: Sequence[ShopEvent]) -> None:
        for attempt in range(_TRIES):
            try:
                self._ingest(connection, shop, events)
                return
            except _PASSING:
                if attempt == _TRIES - 1:
                    raise
