"""In how many transactions is a piece of work done? One for a shop in one bucket, one per bucket for a shop over many.

A transaction that spans buckets is dear on a cluster, so a spread shop pays with another currency: its steps are
idempotent, run in a fixed order, and what makes a repeat harmless (the event's row) is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from rekindle.store.database import Connection
from rekindle.store.prepared import transaction
from rekindle.terms.shop import ShopSettings

_Result = TypeVar("_Result")
#: Each repeat finds that the other side of the deadlock has ended, so that few are ever needed.
_TRIES: Final = 10


class OvertakenError(Exception):
    """Somebody else changed what this work was computed from; it must be computed again."""


class Work:
    """One verb's work for one shop on one connection.

    ``is_calm``: as far as is known nobody else adds carts and visitors of this shop right now, so they are added by
    COPY; who was wrong about that gets UniqueViolation, and computes its work again.
    """

    def __init__(self, connection: Connection, shop: ShopSettings, *, is_calm: bool = False) -> None:
        self.connection = connection
        self.is_one = shop.spread == 1
        self.is_calm = is_calm

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Around everything; a transaction when the shop lies in one bucket. Commits before it returns."""
        if self.is_one:
            with transaction(self.connection):
                yield
        else:
            yield

    def in_bucket(self, bucket: int) -> AbstractContextManager[object]:
        """Around what is done in one bucket; a transaction of its own when the shop lies in several."""
        return nullcontext() if self.is_one else transaction(self.connection)

    def run_whole(self, verb: Callable[[], _Result]) -> _Result:
        """Everything within `whole`; done again after a deadlock where it is one transaction."""
        if not self.is_one:
            return verb()
        return until_free(self.connection, lambda: _within(self.whole(), verb))

    def run_in_bucket(self, bucket: int, part: Callable[[], _Result]) -> _Result:
        """What is done in one bucket within `in_bucket`; done again after a deadlock where it is one transaction."""
        if self.is_one:
            return part()
        return until_free(self.connection, lambda: _within(self.in_bucket(bucket), part))


def until_free(connection: Connection, transaction: Callable[[], _Result]) -> _Result:
    """Run ``transaction`` (one whole database transaction); again when PostgreSQL undid it to end a deadlock.

    Locks are taken in one order within each verb, but a report of several orders holds the first one's shopper while it
    locks the second one's cart, and so may meet a verb that goes from carts to shoppers. One of the two is undone; it
    has left nothing behind and can run again at once.

    Within a transaction of the caller it runs once: what the caller holds would stay in the way of the other side.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        return transaction()
    for _ in range(_TRIES - 1):
        try:
            return transaction()
        except psycopg.errors.DeadlockDetected:
            continue
    return transaction()


def _within(transaction: AbstractContextManager[object], part: Callable[[], _Result]) -> _Result:
    with transaction:
        return part()
