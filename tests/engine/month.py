"""How does a month of several shops go by, with shoppers of twelve countries? The whole engine, on a moved clock.

Every shopper and cart follows from the seed. Providers take what they are given and send nothing; now and then one says
that an address does not exist.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

import uvloop

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.ingest import ingest
from rekindle.engine.onboard import FLOW_KEY, create_shop
from rekindle.engine.templates import save_sms_template
from rekindle.lib.clock import MovableClock
from rekindle.providers.sandbox import Sandbox
from rekindle.render.defaults.sms import default_sms
from rekindle.store import outbox, work
from rekindle.store.async_connection import Line
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.consent import ConsentMarks
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings
from tests.due_sends import add_account
from tests.event_factory import added, event, identified, item, ordered

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
TAIL_DAYS = 5


class Country(NamedTuple):
    code: str
    prefix: str  #: of its mobile numbers, to which seven digits are added
    places: tuple[tuple[str, str], ...]  #: state and time zone


COUNTRIES = (
    Country("AT", "+43664", (("", "Europe/Vienna"),)),
    Country("DE", "+491511", (("", "Europe/Berlin"),)),
    Country("FR", "+3361", (("", "Europe/Paris"),)),
    Country("IT", "+39333", (("", "Europe/Rome"),)),
    Country("ES", "+3461", (("", "Europe/Madrid"), ("", "Atlantic/Canary"))),
    Country("PL", "+4851", (("", "Europe/Warsaw"),)),
    Country("NL", "+3161", (("", "Europe/Amsterdam"),)),
    Country("GB", "+44771", (("", "Europe/London"),)),
    Country("US", "+1212", (("NY", "America/New_York"), ("TX", "America/Chicago"), ("CA", "America/Los_Angeles"), ("FL", "America/New_York"), ("", "America/Denver"))),
    Country("CA", "+1416", (("ON", "America/Toronto"), ("BC", "America/Vancouver"))),
    Country("AU", "+6141", (("NSW", "Australia/Sydney"), ("WA", "Australia/Perth"))),
    Country("BR", "+55119", (("", "America/Sao_Paulo"),)),
)  # fmt: skip
SHOPS = (
    ("alpen", "AT", "Europe/Vienna", 1, ("AT", "DE", "FR", "IT", "ES", "PL", "NL")),
    ("brook", "GB", "Europe/London", 4, ("GB", "FR", "NL", "AU")),
    ("cedar", "US", "America/New_York", 1, ("US", "CA", "BR", "AU")),
)


class Told(NamedTuple):
    """An event of a shop, at its time."""

    at: datetime
    shop: int
    event: ShopEvent


class _Taking(Sandbox):
    """Takes everything, says of the addresses beginning with ``bounce+`` that they do not exist, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def start(self, messages):  # type: ignore[no-untyped-def]
        self.count += len(messages)
        return super().start(messages)


@dataclass
class Month:
    """``carts`` over ``days`` and the shops; `pass_by` lets them happen, looking at what is due every ``tick``."""

    connection: Connection
    dsn: str
    context: Context
    clock: MovableClock
    carts: int
    days: int = 30
    tick: timedelta = timedelta(minutes=20)
    tell: Callable[[str], None] = lambda _: None
    shops: list[ShopSettings] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    provider: _Taking = field(default_factory=_Taking)

    def pass_by(self) -> None:
        self.clock.set(BEGIN - timedelta(days=1))
        self.shops = [self._open(*one) for one in SHOPS]
        buckets = sorted({bucket for shop in self.shops for bucket in buckets_of(shop)})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run(buckets))

    async def _run(self, buckets: list[int]) -> None:
        books = Books.load(self.connection)
        worker = Deliverer(Line(self.dsn), self.connection, self.context, books, lambda *_: self.provider)
        story = self._story()
        told = next(story, None)
        try:
            now, end = BEGIN, BEGIN + timedelta(days=self.days + TAIL_DAYS)
            while now < end:
                self.clock.set(now)
                if now.hour == now.minute == 0:
                    ensure_partitions(self.connection, now)
                    self.connection.execute("ANALYZE")
                    self.tell(f"{now:%Y-%m-%d}: {dict(self.done)}")
                due: list[list[ShopEvent]] = [[] for _ in self.shops]
                while told is not None and told.at <= now:
                    due[told.shop].append(told.event)
                    told = next(story, None)
                for shop, events in zip(self.shops, due, strict=True):
                    for first in range(0, len(events), 200):
                        self.done["events"] += ingest(
                            self.connection, self.context, shop, events[first : first + 200]
                        ).stored
                await self._work(books, worker, buckets)
                now += self.tick
        finally:
            await worker.close()

    async def _work(self, books: Books, worker: Deliverer, buckets: list[int]) -> None:
        now = self.clock.now()
        for discover, verb in ((work.first_checks, self._abandon), (work.first_steps, self._advance)):
            for bucket, at in discover(self.connection, buckets):
                while at <= now and verb(books, bucket):
                    pass
        link = await worker.line.get()
        for bucket in await outbox.due_buckets(link, buckets, now):
            while (tally := await worker.deliver_batch(bucket)).claimed:
                self.done["taken"] += tally.handed_over
                self.done["skipped"] += tally.skipped

    def _abandon(self, books: Books, bucket: int) -> int:
        found = abandon(self.connection, self.context, books, bucket)
        self.done["abandoned"] += found.abandoned
        return found.examined

    def _advance(self, books: Books, bucket: int) -> int:
        return advance(self.connection, self.context, books, bucket)

    def _open(self, slug: str, country: str, zone: str, spread: int, _: tuple[str, ...]) -> ShopSettings:
        shop = create_shop(
            self.connection, self.context, slug=slug, name=slug.title(), country=country, timezone=zone, spread=spread,
            postal_address=f"{slug.title()}, 1 Main Street, Springfield", sender_email=f"shop@{slug}.example",
            sender_name=slug.title(), url=f"https://{slug}.example", support_email=f"help@{slug}.example",
        )  # fmt: skip
        for channel in ("email", "sms"):
            add_account(self.connection, shop, kind="counting", channel=channel)
        save_sms_template(self.connection, self.context, shop, key="text", name="Text", text=default_sms("en"), by="")
        both: dict[str, object] = {"type": "message", "templates": {"sms": "text"}}
        steps = [
            {"type": "wait", "id": "w1", "delay_s": 4 * 3_600},
            both | {"id": "m1", "template": "cart-reminder-1", "channels": ["sms", "email"]},
            {"type": "wait", "id": "w2", "delay_s": 24 * 3_600},
            both | {"id": "m2", "template": "cart-reminder-2", "channels": ["email", "sms"]},
            {"type": "wait", "id": "w3", "delay_s": 72 * 3_600},
            both | {"id": "m3", "template": "cart-reminder-3", "channels": ["email", "sms"]},
        ]
        definition = json.dumps({"trigger": {"kinds": ["cart", "checkout"]}, "steps": steps})
        save_flow(self.connection, self.context, shop, key=FLOW_KEY, name="Recovery", definition=definition)
        activate_flow(self.connection, self.context, shop, FLOW_KEY)
        return shop

    def _story(self) -> Iterator[Told]:
        """Everything that happens, in the order of time. A day's carts are made up when the day comes."""
        waiting: list[Told] = []
        per_day = [self.carts // self.days + (day < self.carts % self.days) for day in range(self.days)]
        number = 0
        for day, count in enumerate(per_day):
            for _ in range(count):
                waiting += self._cart(number, BEGIN + timedelta(days=day))
                number += 1
            waiting.sort(key=lambda told: told.at)
            until = BEGIN + timedelta(days=day + 1)
            ready = [told for told in waiting if told.at < until]
            waiting = waiting[len(ready) :]
            yield from ready
        yield from waiting

    def _cart(self, number: int, day: datetime) -> list[Told]:
        """One cart and what its shopper does about it. Three carts in ten are of a shopper who had one before."""
        person = number if number < 20 or Random(f"again {number}").random() > 0.3 else number // 2
        who, what = Random(f"person {person}"), Random(f"cart {number}")
        shop_index = who.randrange(len(SHOPS))
        shop, codes = self.shops[shop_index], SHOPS[shop_index][4]
        code = who.choice(codes)
        country = next(one for one in COUNTRIES if one.code == code)
        state, zone = who.choice(country.places)
        mail = "bounce+" if who.random() < 0.01 else "p"
        email = f"{mail}{person}@mail.example" if who.random() < 0.9 else None
        phone = f"{country.prefix}{person % 10_000_000:07d}" if email is None or who.random() < 0.6 else None
        at = day + timedelta(seconds=what.randrange(86_400))
        visitor, cart = f"a:v{person}", f"c{number}"
        place = {"country": country.code, "region": state, "timezone": zone if what.random() < 0.9 else "Asia/Tokyo"}
        story: list[Told] = []

        def tell(made: ShopEvent) -> None:
            story.append(Told(made.received_at, shop_index, made))

        def common(after: timedelta, key: str) -> dict[str, object]:
            return {
                "at": at + after, "visitor_key": visitor, "shop_id": shop.id, "message_key": f"{number}-{key}", "facts": place,
            }  # fmt: skip

        minute = timedelta(minutes=1)
        agreed = [_agreed(channel, who) for channel, address in (("email", email), ("sms", phone)) if address]
        yes = tuple(one for one in agreed if one is not None)
        tell(identified(email, phone=phone, consents=yes, **common(timedelta(0), "who")))
        price = what.randrange(500, 30_000)
        lines = [item(f"p{what.randrange(300)}", quantity=what.randint(1, 3), unit_cents=price)]
        tell(added(*lines, cart_key=cart, **common(minute, "add")))
        if what.random() < 0.4:
            tell(event(EventKind.CHECKOUT_STARTED, cart_key=cart, items=tuple(lines), **common(2 * minute, "checkout")))
        later = timedelta(seconds=what.randrange(3 * 60, 6 * 86_400))
        chance = what.random()
        if chance < 0.2:
            tell(ordered(f"o{number}", price, cart_key=cart, items=tuple(lines), **common(later, "order")))
        elif chance < 0.26:
            tell(added(*lines, cart_key=cart, **common(later, "back")))
        elif chance < 0.31:
            said = tuple(ConsentGiven(channel=one, granted=False) for one in ("email", "sms") if what.random() < 0.6)
            tell(event(EventKind.OPTED_OUT, email=email, phone=phone, consents=said, **common(later, "no")))
        elif chance < 0.32:
            tell(event(EventKind.ERASURE_REQUESTED, email=email, phone=phone, **common(later, "erase")))
        return story


def _agreed(channel: str, who: Random) -> ConsentGiven | None:
    """Mixed: nothing at all, without a wording, unconfirmed, and with all that any law asks for."""
    kind = who.random()
    if kind < 0.15:
        return None
    if kind < 0.2:
        return ConsentGiven(channel=channel, granted=True)
    if kind < 0.4:
        return ConsentGiven(channel=channel, granted=True, wording="newsletter v3", method="checkbox")
    marks = ConsentMarks(is_confirmed=True, is_written=True, mentions_cart=True)
    return ConsentGiven(channel=channel, granted=True, wording="carts v2", method="checkbox", marks=marks)
