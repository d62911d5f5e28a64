"""In how many transactions is a piece of work done? One for a shop in one bucket, one per bucket for a shop over many.

A transaction that spans buckets is dear on a cluster, so a spread shop pays with another currency: its steps are
idempotent, run in a fixed order, and what makes a repeat harmless (the event's row) is written last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, TypeVar

import psycopg

from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

_Result = TypeVar("_Result")
#: Each repeat finds that the other side of the deadlock has ended, so that few are ever needed.
_TRIES: Final = 10


class OvertakenError(Exception):
    """Somebody else changed what this work was computed from; it must be computed again."""


class Work:
    """One verb's work for one shop on one connection."""

    def __init__(self, connection: Connection, shop: ShopSettings) -> None:
        self.connection = connection
        self.is_one = shop.spread == 1

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Around everything; a transaction when the shop lies in one bucket. Commits before it returns."""
        if self.is_one:
            with self.connection.transaction():
                yield
        else:
            yield

    def in_bucket(self, bucket: int) -> AbstractContextManager[object]:
        """Around what is done in one bucket; a transaction of its own when the shop lies in several."""
        return nullcontext() if self.is_one else self.connection.transaction()


def until_free(transaction: Callable[[], _Result]) -> _Result:
    """Run ``transaction`` (one whole database transaction); again when PostgreSQL undid it to end a deadlock.

    Locks are taken in one order within each verb, but a report of several orders holds the first one's shopper while it
    locks the second one's cart, and so may meet a verb that goes from carts to shoppers. One of the two is undone; it
    has left nothing behind and can run again at once.
    """
    for _ in range(_TRIES - 1):
        try:
            return transaction()
        except psycopg.errors.DeadlockDetected:
            continue
    return transaction()
