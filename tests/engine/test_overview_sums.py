"""Is every figure of the overview, read from hourly sums, equal to a count of the raw rows, whatever comes late?"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.forget import erase_address
from rekindle.engine.measure import RECENT_JOB, measure_recent, rebuild
from rekindle.lib.clock import MovableClock
from rekindle.store import work
from rekindle.store.buckets import base_bucket, buckets_of
from rekindle.store.changed_hours import note_hours_of_sends
from rekindle.store.dashboard.overview import Scope, load_sums, revenue_by_day
from rekindle.store.database import Connection
from rekindle.store.shops import load_shop
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.event import EventKind
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings
from rekindle.web.dashboard.period import CHOICES, read_period

from ..event_factory import added, identified, item, ordered, tell, viewed
from ..factories import make_shop
from .journey import HOURS, Journey
from .overview_by_hand import revenue_by_hand, sums_by_hand
from .scene import rows

MINUTES = HOURS / 60


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0.3))


def measure(journey: Journey) -> None:
    """What a worker does every few seconds; it was away since the last time."""
    work.put_job(journey.connection, RECENT_JOB, journey.clock.now())
    measure_recent(journey.connection, journey.context)
    work.finish_job(journey.connection, RECENT_JOB, journey.clock.now(), last_ok_at=journey.clock.now())


def compare(journey: Journey, shop: ShopSettings) -> None:
    """Every figure of every period."""
    connection, now = journey.connection, journey.clock.now()
    flows = [int(str(row["id"])) for row in rows(connection, "SELECT id FROM flows WHERE shop_id = %s", shop.id)]
    for key, _, _ in CHOICES:
        period = read_period(key, timezone=shop.timezone, now=now)
        scope = Scope(
            shop_id=shop.id, bucket=base_bucket(shop), buckets=buckets_of(shop), since=period.since, flow_ids=flows
        )
        told = load_sums(connection, scope, currency=shop.currency)
        assert told == sums_by_hand(connection, shop, period.since, flows), key
        until = now + timedelta(seconds=1)
        days = revenue_by_day(connection, scope, rule=LAST_CLICK, until=until, timezone=shop.timezone)
        assert days == revenue_by_hand(connection, shop, period.since, shop.timezone), key


class Month:
    """Shoppers who come, leave, return, click, buy, send back and vanish, on time and late."""

    def __init__(self, journey: Journey, seed: int) -> None:
        self.journey, self.dice, self.number, self.ticks = journey, random.Random(seed), 0, 0

    def step(self) -> None:
        for _ in range(self.dice.randrange(1, 4)):
            self.dice.choice(
                (self.leave, self.leave, self.leave, self.hand_over, self.hand_over, self.click, self.buy, self.buy,
                 self.refund, self.recover, self.recover, self.come_back, self.learn, self.tell_late, self.erase, self.skip, self.look)
            )()  # fmt: skip
        self.journey.pass_time(self.dice.choice([MINUTES, 40 * MINUTES, 5 * HOURS, 26 * HOURS]))

    def round(self) -> None:
        """Somebody known leaves, is written to once the worker has looked, and buys after a click."""
        self.leave(known=True)
        self.journey.pass_time(HOURS)
        self.journey.pass_time(5 * HOURS)
        self.hand_over()
        self.recover()

    def tell(self, *events: object) -> None:
        tell(self.journey.connection, self.journey.context, self.journey.shop, *events)  # type: ignore[arg-type]

    def someone(self) -> int:
        return self.dice.randrange(self.number) if self.number else 0

    def when(self) -> datetime:
        late = self.dice.choice([timedelta(0), timedelta(0), 50 * MINUTES, 30 * HOURS])
        return self.journey.clock.now() - late

    def leave(self, *, known: bool = False) -> None:
        number, at = self.number, self.when()
        self.number += 1
        if known or self.dice.random() < 0.7:
            self.tell(identified(f"s{number}@example.com", at=at, visitor_key=f"a:{number}"))
        currency = self.dice.choice(["EUR", "EUR", "USD"])
        self.tell(
            added(
                item(unit_cents=self.dice.randrange(9_999)),
                at=at,
                visitor_key=f"a:{number}",
                cart_key=f"c{number}",
                currency=currency,
            )
        )

    def look(self) -> None:
        self.tell(viewed(at=self.journey.clock.now(), visitor_key=f"a:look{self.number}"))

    def learn(self) -> None:
        number = self.someone()
        self.tell(identified(f"s{number}@example.com", at=self.journey.clock.now(), visitor_key=f"a:{number}"))

    def come_back(self) -> None:
        number = self.someone()
        self.tell(added(item("tent"), at=self.journey.clock.now(), visitor_key=f"a:{number}", cart_key=f"c{number}"))

    def tell_late(self) -> None:
        number, at = self.someone(), self.journey.clock.now() - 60 * HOURS
        self.tell(added(item("late"), at=at, visitor_key=f"a:late{number}", cart_key=f"late{number}"))

    def buy(self) -> None:
        number = self.someone()
        total = self.dice.randrange(100, 99_999)
        self.tell(ordered(f"o{number}", total, at=self.when(), visitor_key=f"a:{number}", cart_key=f"c{number}"))

    def refund(self) -> None:
        number = self.someone()
        kind = self.dice.choice([EventKind.ORDER_REFUNDED, EventKind.ORDER_CANCELLED])
        self.tell(ordered(f"o{number}", 100, kind=kind, at=self.journey.clock.now(), visitor_key=f"a:{number}"))

    def erase(self) -> None:
        erase_address(
            self.journey.connection, self.journey.context, self.journey.shop, channel=Channel.EMAIL,
            address=f"s{self.someone()}@example.com", source="operator",
        )  # fmt: skip

    def hand_over(self) -> None:
        waiting = {
            row["id"]
            for row in rows(self.journey.connection, "SELECT id FROM outbox WHERE shop_id = %s", self.journey.shop.id)
        }
        for place, send in enumerate(self.sends()):
            if send["id"] in waiting:
                self.journey.send_happened("handed_over", self.journey.clock.now(), place)

    def recover(self) -> None:
        """Somebody who was written to follows the link and buys; in time, and now and then told late."""
        for place, send in enumerate(self.sends()):
            told = rows(self.journey.connection, "SELECT kind FROM send_events WHERE send_id = %s", send["id"])
            if {row["kind"] for row in told} == {"handed_over"}:
                self.journey.send_happened("clicked", self.journey.clock.now() - MINUTES / 2, place)
                key = str(send["cart_key"])
                late = self.dice.choice([0, 0, 1]) * MINUTES / 4
                self.tell(
                    ordered(f"r{key}", self.dice.randrange(9_999), at=self.journey.clock.now() - late, cart_key=key)
                )
                return

    def skip(self) -> None:
        sends = self.sends()
        if sends:
            self.journey.send_happened(
                "skipped", self.journey.clock.now() + self.tick(), self.dice.randrange(len(sends))
            )

    def click(self) -> None:
        """On time, or told late by a provider, which notes whose hours that changes."""
        sends = self.sends()
        if sends:
            place = self.dice.randrange(len(sends))
            kind = self.dice.choice(["clicked", "clicked", "bounced", "unsubscribed", "restored"])
            at = max(self.when(), datetime.fromisoformat(str(sends[place]["created_at"]))) + self.tick()
            self.journey.send_happened(kind, at, place)
            if at < self.journey.clock.now():
                note_hours_of_sends(self.journey.connection, sends[place]["bucket"], [sends[place]["id"]])  # type: ignore[arg-type, list-item]

    def tick(self) -> timedelta:
        """No two things happen to a send in the same millisecond."""
        self.ticks += 1
        return timedelta(milliseconds=self.ticks)

    def sends(self) -> list[dict[str, object]]:
        return rows(
            self.journey.connection,
            "SELECT s.bucket, s.id, s.created_at, c.cart_key FROM sends s JOIN carts c ON c.id = s.cart_id"
            " WHERE s.shop_id = %s ORDER BY s.created_at, s.id",
            self.journey.shop.id,
        )


@pytest.mark.parametrize(("timezone", "seed"), [("Europe/Berlin", 3), ("Asia/Kathmandu", 2)])
def test_every_figure_is_equal_to_the_raw_one_after_every_step(journey: Journey, timezone: str, seed: int) -> None:
    journey.connection.execute("UPDATE shops SET timezone = %s WHERE id = %s", [timezone, journey.shop.id])
    shop = load_shop(journey.connection, journey.shop.id)
    assert shop is not None
    month = Month(journey, seed)
    for step in range(17):
        month.round() if step % 4 == 0 else month.step()
        measure(journey)
        compare(journey, shop)
    for _ in range(20):  # who is held out hangs on the shop's number, which is another one each time
        seen = sums_by_hand(journey.connection, shop, journey.clock.now() - timedelta(days=90), range(1, 9_999))
        if min(seen.carts.detected, seen.funnel.entered, seen.funnel.sent, seen.funnel.ordered) > 0:
            break
        month.round()
        measure(journey)
        compare(journey, shop)
    else:
        pytest.fail("nothing of it happened")
    assert journey.read("changed_hours", "count(*)") == [(0,)]


def test_a_rebuild_mends_whatever_was_broken(journey: Journey) -> None:
    month = Month(journey, 4)
    for _ in range(12):
        month.step()
    measure(journey)
    began = journey.clock.now() - timedelta(days=40)
    journey.connection.execute("UPDATE rollups SET n = n + 7, total = total + 1")
    journey.connection.execute("DELETE FROM rollups WHERE metric = 'runs'")
    rebuild(journey.connection, journey.shop, began, journey.clock.now())
    compare(journey, journey.shop)


def test_an_old_change_is_counted_within_one_turn_and_a_quiet_shop_costs_nothing(journey: Journey) -> None:
    month = Month(journey, 5)
    month.leave()
    journey.pass_time(HOURS)
    measure(journey)
    journey.pass_time(200 * HOURS)
    measure(journey)
    assert measure_recent(journey.connection, journey.context) == 0
    month.come_back()
    journey.clock.advance(timedelta(seconds=5))
    measure(journey)
    compare(journey, journey.shop)
