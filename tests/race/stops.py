"""Stops that race against sends: who says no, how, and about whom next."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Container, Sequence

from rekindle.engine.context import Context
from rekindle.engine.forget import erase
from rekindle.engine.ingest import ingest
from rekindle.engine.opt_out import opt_out, opt_out_address
from rekindle.store.database import Connection
from rekindle.terms.event import EventKind, OrderFacts, ShopEvent
from rekindle.terms.send import Channel
from tests.due_sends import Person

#: Commits before it returns: its return is the acknowledgement.
Stop = Callable[[Connection, Context, Person], None]


def say_no(connection: Connection, context: Context, person: Person) -> None:
    """The link in a letter, and the preference page."""
    opt_out(
        connection,
        context,
        person.shop,
        bucket=person.bucket,
        shopper_id=person.shopper_id,
        channels=[Channel.EMAIL],
        source="race",
        at=context.clock.now(),
    )


def answer_stop(connection: Connection, context: Context, person: Person) -> None:
    """A reply, and what a provider reports: all that is known is the address."""
    at = context.clock.now()
    opt_out_address(connection, context, person.shop, channel=Channel.EMAIL, address=person.to, source="race", at=at)


def buy(connection: Connection, context: Context, person: Person) -> None:
    now = context.clock.now()
    order = ShopEvent(
        shop_id=person.shop.id,
        message_key=f"order-{person.name}",
        kind=EventKind.ORDER_COMPLETED,
        name="Order Completed",
        at=now,
        stamped_at=now,
        received_at=now,
        visitor_key=f"a:{person.name}",
        email=person.to,
        order=OrderFacts(order_key=f"o-{person.name}", currency="EUR", total_cents=19_800),
    )
    assert ingest(connection, context, person.shop, [order]).stored == 1


def be_erased(connection: Connection, context: Context, person: Person) -> None:
    done = erase(connection, context, person.shop, bucket=person.bucket, shopper_id=person.shopper_id, source="race")
    assert done.found


class Frontier:
    """Whose call comes next? Stops aim near it, a few places off by chance, so that every one of them is close; further
    ahead when they come too late, nearer when they come in time: neither side wins them all on any machine.

    ``started``: the addresses whose call has started, kept up to date by the caller. ``stray``: the share of the stops
    that are about anybody instead, wherever that send has come to.
    """

    def __init__(self, people: Sequence[Person], started: Container[str], *, stray: float = 0.0) -> None:
        self._left = sorted(people, key=lambda person: -person.due.total_seconds())
        self._started, self._lock, self._draw = started, threading.Lock(), random.Random(11)
        self._lead, self._stray = 12, stray

    def take(self) -> Person | None:
        with self._lock:
            if not self._left:
                return None
            if self._draw.random() < self._stray:
                return self._left.pop(self._draw.randrange(len(self._left)))
            waiting = next((n for n, p in enumerate(self._left) if p.to not in self._started), len(self._left))
            at = min(max(waiting + self._draw.randint(-3, self._lead), 0), len(self._left) - 1)
            return self._left.pop(at)

    def tell(self, person: Person) -> None:
        """A stop was acknowledged: was it too late?"""
        with self._lock:
            self._lead = self._lead + 1 if person.to in self._started else max(self._lead - 1, 3)
