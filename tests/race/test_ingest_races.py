"""Many connections tell of the same carts at once: is nothing lost, nothing doubled, and nobody blocked for good?"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.engine.ingest import ingest
from rekindle.store.database import Connection, connect
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings

from ..event_factory import added, event, identified, item, ordered, viewed
from ..factories import make_shop

CONNECTIONS = 4


@pytest.fixture(params=[1, 1024], ids=["spread1", "spread1024"])
def spread(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def shop(fresh_dsn: str, spread: int) -> ShopSettings:
    with connect(fresh_dsn) as link:
        return make_shop(link, spread=spread)


def at_once(dsn: str, tasks: Sequence[Callable[[Connection], None]]) -> None:
    """Run each task on a connection of its own, all beginning together; the first error is raised."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[Connection], None]) -> None:
        with connect(dsn) as link:
            link.execute("SET statement_timeout = '60s'")
            barrier.wait()
            task(link)

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result()


def teller(
    context: Context, shop: ShopSettings, batches: Sequence[Sequence[ShopEvent]]
) -> Callable[[Connection], None]:
    def tell(link: Connection) -> None:
        for batch in batches:
            ingest(link, context, shop, [replace(one, shop_id=shop.id) for one in batch])

    return tell


def chunks(events: Sequence[ShopEvent], size: int) -> list[Sequence[ShopEvent]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def test_four_connections_fill_the_same_carts(
    fresh_dsn: str, context: Context, shop: ShopSettings, spread: int
) -> None:
    carts, rounds = 6, 40 if spread == 1 else 12
    chance = random.Random(5)
    tasks = []
    for _ in range(CONNECTIONS):
        events = [
            added(item(f"p{n % 3}"), minute=n / 10, cart_key=f"c-{cart}", visitor_key=f"a:{cart}")
            for n in range(rounds)
            for cart in range(carts)
        ]
        events += [viewed(minute=n, visitor_key=f"a:{n % carts}") for n in range(rounds)]
        chance.shuffle(events)
        tasks.append(teller(context, shop, chunks(events, 20)))
    at_once(fresh_dsn, tasks)
    with connect(fresh_dsn) as link:
        found = link.execute(
            "SELECT cart_key, (SELECT sum((i->>'quantity')::int) FROM jsonb_array_elements(items) i) FROM carts WHERE stage <> 'browse'"
            " ORDER BY 1"
        ).fetchall()
        assert found == [(f"c-{cart}", CONNECTIONS * rounds) for cart in range(carts)]
        assert link.execute("SELECT count(*) FROM events").fetchone() == (CONNECTIONS * rounds * (carts + 1),)


def test_the_same_batch_a_hundred_times_is_told_once(
    fresh_dsn: str, context: Context, shop: ShopSettings, spread: int
) -> None:
    batch = [added(item(f"p{n}"), minute=n, cart_key=f"c-{n % 4}", visitor_key=f"a:{n % 4}") for n in range(20)]
    batch += [identified(f"v{n}@example.com", minute=30, visitor_key=f"a:{n}") for n in range(4)]
    batch += [ordered(f"o-{n}", minute=40, cart_key=f"c-{n}", visitor_key=f"a:{n}", total_cents=1000) for n in range(3)]
    chance = random.Random(7)
    times = 100 if spread == 1 else 24
    tasks = []
    for _ in range(8):
        batches = [chance.sample(batch, len(batch)) for _ in range(times // 8)]
        tasks.append(teller(context, shop, batches))
    at_once(fresh_dsn, tasks)
    with connect(fresh_dsn) as link:
        assert link.execute("SELECT count(*) FROM events").fetchone() == (len(batch),)
        carts = link.execute(
            "SELECT cart_key, state, jsonb_array_length(items), order_key FROM carts WHERE stage <> 'browse' ORDER BY 1"
        )
        assert carts.fetchall() == [(f"c-{n}", "converted", 5, f"o-{n}") for n in range(3)] + [("c-3", "open", 5, None)]
        orders = link.execute("SELECT order_key, matched_by, total_cents FROM orders ORDER BY 1").fetchall()
        assert orders == [(f"o-{n}", "cart", 1000) for n in range(3)]
        people = link.execute("SELECT count(*), sum(order_count), sum(spent_cents) FROM shoppers").fetchone()
        assert people == (4, 3, 3000)


def test_who_it_is_and_what_is_in_the_cart_meet(
    fresh_dsn: str, context: Context, shop: ShopSettings, spread: int
) -> None:
    """One connection tells of new carts, another at the same moment who their visitors are."""
    visitors = range(120 if spread == 1 else 40)
    carts = [added(minute=1, visitor_key=f"a:{n}", cart_key=f"c-{n}") for n in visitors]
    names = [identified(f"v{n}@example.com", minute=1, visitor_key=f"a:{n}") for n in visitors]
    looks = [viewed(minute=0, visitor_key=f"a:{n}") for n in visitors]
    at_once(fresh_dsn, [teller(context, shop, chunks(events, 3)) for events in (carts, names, looks)])
    with connect(fresh_dsn) as link:
        assert link.execute("SELECT count(*) FROM carts WHERE shopper_id IS NULL").fetchone() == (0,)
        assert link.execute("SELECT count(*) FROM visitors WHERE shopper_id IS NULL").fetchone() == (0,)
        assert link.execute("SELECT count(DISTINCT shopper_id) FROM carts").fetchone() == (len(visitors),)


@pytest.mark.parametrize("clue", ["cart", "visitor", "checkout"])
def test_an_order_and_its_cart_meet(
    fresh_dsn: str, context: Context, shop: ShopSettings, spread: int, clue: str
) -> None:
    """The shop's server tells of the order while the browser's first event of the cart is still on its way."""
    numbers = range(120 if spread == 1 else 40)
    carts, orders = [], []
    for n in numbers:
        if clue == "cart":
            carts.append(added(minute=1, visitor_key=f"a:{n}", cart_key=f"c-{n}"))
            orders.append(ordered(f"o-{n}", minute=2, visitor_key=None, cart_key=f"c-{n}"))
        elif clue == "visitor":
            carts.append(added(minute=1, visitor_key=f"a:{n}"))
            orders.append(ordered(f"o-{n}", minute=2, visitor_key=f"a:{n}"))
        else:
            carts.append(
                event(
                    EventKind.CHECKOUT_STARTED, minute=1, visitor_key=f"a:{n}", checkout_key=f"k-{n}", items=(item(),)
                )
            )
            orders.append(ordered(f"o-{n}", minute=2, visitor_key=None, checkout_key=f"k-{n}"))
    at_once(fresh_dsn, [teller(context, shop, chunks(events, 4)) for events in (carts, orders)])
    with connect(fresh_dsn) as link:
        assert link.execute("SELECT state, count(*) FROM carts GROUP BY 1").fetchall() == [("converted", len(numbers))]
        found = link.execute("SELECT matched_by, count(*) FROM orders WHERE cart_id IS NOT NULL GROUP BY 1").fetchall()
        assert found == [(clue, len(numbers))]


def test_orders_of_one_shopper_from_all_sides_are_counted_once(
    fresh_dsn: str, context: Context, shop: ShopSettings
) -> None:
    orders = [
        ordered(f"o-{n}", minute=n, visitor_key=None, email="ada@example.com", total_cents=100) for n in range(20)
    ]
    again = [replace(one, message_key=f"{one.message_key}-again", visitor_key="a:1") for one in orders]
    at_once(
        fresh_dsn, [teller(context, shop, chunks(events, 5)) for events in (orders, again, orders[::-1], again[::-1])]
    )
    with connect(fresh_dsn) as link:
        assert link.execute("SELECT order_count, spent_cents FROM shoppers").fetchall() == [(20, 2000)]
