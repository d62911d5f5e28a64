"""Two workers on the same carts and runs, and orders in between: nothing happens twice, nothing after a purchase.

Check R-16: unique (cart, step, channel) holds after a split brain, because nothing depends on who thinks to be alone.

``REKINDLE_TWO_WORKERS_PEOPLE`` makes it longer: `make prove` takes 120 shoppers.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.ingest import ingest
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.event import EventKind, OrderFacts, ShopEvent
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import busy_buckets, one, put_cart, put_shopper, rows

PEOPLE, CARTS_EACH, WORKERS = int(os.environ.get("REKINDLE_TWO_WORKERS_PEOPLE", "40")), 3, 3


@pytest.fixture
def shop(fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> ShopSettings:
    """A shop whose shoppers each left several carts half an hour ago."""
    with connect(fresh_dsn) as link, link.transaction():
        shop = create_shop(link, context, slug="s", name="S", country="AT", spread=spread, holdout_rate=0.2)
        for person in range(PEOPLE):
            shopper = put_shopper(link, context, shop, f"s{person}@example.com")
            for number in range(CARTS_EACH):
                put_cart(link, context, shop, shopper, key=f"c{person}-{number}")
    clock.advance(timedelta(minutes=30))
    return shop


def together(dsn: str, *parts: Callable[[Connection], None]) -> None:
    """Run each part in a thread with a connection of its own; a part that raises fails the test."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(parts))

    def run(part: Callable[[Connection], None]) -> None:
        try:
            with connect(dsn) as link:
                barrier.wait(120)
                part(link)
        except BaseException as error:  # shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


def noticing(context: Context, buckets: list[int], seed: int) -> Callable[[Connection], None]:
    def part(link: Connection) -> None:
        books, order = Books.load(link), random.Random(seed).sample(buckets, len(buckets))
        while any(abandon(link, context, books, bucket, 7).examined for bucket in order):
            pass

    return part


def advancing(context: Context, buckets: list[int], seed: int) -> Callable[[Connection], None]:
    def part(link: Connection) -> None:
        books, order = Books.load(link), random.Random(seed).sample(buckets, len(buckets))
        while any(advance(link, context, books, bucket, 5) for bucket in order):
            pass

    return part


def notice_all(dsn: str, context: Context) -> list[int]:
    with connect(dsn) as link:
        buckets = busy_buckets(link)
    together(dsn, *(noticing(context, buckets, seed) for seed in range(WORKERS)))
    with connect(dsn) as link:
        return busy_buckets(link)


def test_a_cart_is_noticed_once_and_a_shopper_runs_in_one_flow(
    fresh_dsn: str, context: Context, shop: ShopSettings
) -> None:
    notice_all(fresh_dsn, context)
    with connect(fresh_dsn) as link:
        decided = rows(link, "SELECT cart_id, count(*) AS n FROM decisions WHERE question = 'abandon' GROUP BY 1")
        assert {row["n"] for row in decided} == {1}
        assert len(decided) == PEOPLE * CARTS_EACH
        assert (
            one(link, "SELECT count(*) AS n FROM carts WHERE state = 'abandoned' AND seq = 2")["n"]
            == PEOPLE * CARTS_EACH
        )
        running = rows(link, "SELECT shopper_id, count(*) AS n FROM enrolments GROUP BY 1")
        assert {row["n"] for row in running} == {1}
        assert len(running) == PEOPLE
        assert one(link, "SELECT count(*) AS n FROM exposures")["n"] == PEOPLE
        told = {
            str(row["reason"]): row["n"]
            for row in rows(link, "SELECT reason, count(*) AS n FROM decisions WHERE question = 'abandon' GROUP BY 1")
        }
        assert told == {"ENROLLED": PEOPLE, "OTHER_FLOW_RUNNING": PEOPLE * (CARTS_EACH - 1)}


def test_a_step_is_taken_once(fresh_dsn: str, context: Context, clock: MovableClock, shop: ShopSettings) -> None:
    buckets = notice_all(fresh_dsn, context)
    for hours, messages in [(4, 1), (24, 2), (72, 3)]:
        clock.set(clock.now() + timedelta(hours=hours))
        together(fresh_dsn, *(advancing(context, buckets, seed) for seed in range(WORKERS)))
        with connect(fresh_dsn) as link:
            assert one(link, "SELECT count(*) AS n FROM sends")["n"] == PEOPLE * messages
            assert (
                one(link, "SELECT count(*) AS n FROM (SELECT DISTINCT cart_id, step, channel FROM sends) s")["n"]
                == PEOPLE * messages
            )
            assert (
                one(link, "SELECT count(*) AS n FROM outbox o JOIN sends s ON s.bucket = o.bucket AND s.id = o.id")["n"]
                == PEOPLE * messages
            )
    with connect(fresh_dsn) as link:
        assert one(link, "SELECT count(*) AS n FROM enrolments WHERE state = 'done'")["n"] == PEOPLE


def order_of(shop: ShopSettings, context: Context, person: int) -> ShopEvent:
    now = context.clock.now()
    return ShopEvent(
        shop_id=shop.id, message_key=f"order-{person}", kind=EventKind.ORDER_COMPLETED, name="Order Completed", at=now, stamped_at=now,
        received_at=now, cart_key=f"c{person}-0", email=f"s{person}@example.com",
        order=OrderFacts(order_key=f"o{person}", currency="EUR", total_cents=25_000),
    )  # fmt: skip


def test_after_an_order_nothing_is_planned_whoever_was_faster(
    fresh_dsn: str, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    """Orders of everybody race against the workers that notice their carts and take their steps."""
    with connect(fresh_dsn) as link:
        buckets = busy_buckets(link)
    together(
        fresh_dsn, *(noticing(context, buckets, seed) for seed in range(2)), ordering(shop, context, range(PEOPLE // 2))
    )
    with connect(fresh_dsn) as link:
        buckets = busy_buckets(link)
    clock.advance(timedelta(hours=4))
    together(
        fresh_dsn,
        *(advancing(context, buckets, seed) for seed in range(2)),
        ordering(shop, context, range(PEOPLE // 2, PEOPLE)),
    )
    with connect(fresh_dsn) as link:
        assert one(link, "SELECT count(*) AS n FROM orders")["n"] == PEOPLE
        assert one(link, "SELECT count(*) AS n FROM shoppers WHERE last_order_at IS NULL")["n"] == 0
        assert rows(link, "SELECT 1 FROM enrolments WHERE state = 'waiting'") == []
        assert rows(link, "SELECT 1 FROM outbox") == []
        left = rows(
            link,
            "SELECT s.id FROM sends s WHERE NOT EXISTS (SELECT 1 FROM send_events v WHERE v.bucket = s.bucket AND v.send_id = s.id)",
        )
        assert left == []
        assert (
            one(
                link,
                "SELECT count(*) AS n FROM carts WHERE cart_key LIKE '%%-0' AND state IN ('converted', 'recovered')",
            )["n"]
            == PEOPLE
        )


def ordering(shop: ShopSettings, context: Context, people: range) -> Callable[[Connection], None]:
    def part(link: Connection) -> None:
        for person in random.Random(7).sample(list(people), len(people)):
            ingest(link, context, shop, [order_of(shop, context, person)])

    return part
