"""Are the hourly sums equal to a plain count of their sources, and does SQL count baskets as the formula says?"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from rekindle.engine.context import Context
from rekindle.engine.measure import count_products_of, measure_deep, measure_recent, measure_shop
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import timed_id
from rekindle.stats.recommendation import count_baskets
from rekindle.store.buckets import base_bucket, buckets_of
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.store.measure import Hours, sum_of
from rekindle.terms.decision import Question, allow, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import insert, put_cart, put_shopper, put_visit, rows
from tests.factories import make_shop

H, DAY = timedelta(hours=1), timedelta(days=1)
NOBODY = UUID(int=0)
OF_THE_OVERVIEW = {"carts_now", "carts_refused", "runs", "runs_ordered", "sends_became", "sends_skipped"}


@pytest.fixture
def shop(connection: Connection, spread: int) -> ShopSettings:
    return make_shop(connection, spread=spread)


def put_order(
    connection: Connection, shop: ShopSettings, bucket: int, number: int, at: datetime, **overrides: object
) -> None:
    values = {
        "bucket": bucket, "id": timed_id(at, b"order%d" % number), "shop_id": shop.id, "order_key": f"o{number}", "state": "completed",
        "currency": "EUR", "total_cents": 5_000, "refunded_cents": 0, "ordered_at": at, "received_at": at, "matched_by": "",
        "coupons": "[]", "items": "[]", "facts": "{}",
    }  # fmt: skip
    insert(connection, "orders", values | overrides)


def put_send(
    connection: Connection, shop: ShopSettings, bucket: int, number: int, at: datetime, *events: tuple[str, datetime]
) -> None:
    send_id = timed_id(at, b"send%d" % number)
    nobody = {"enrolment_id": NOBODY, "shopper_id": NOBODY, "contact_point_id": NOBODY, "cart_id": NOBODY}
    values = {
        "bucket": bucket, "id": send_id, "shop_id": shop.id, "flow_id": 1, "flow_version_id": 1, "step": "m1", "channel": "email",
        "cart_bucket": bucket, "template_version_id": 1, "created_at": at, "planned_at": at, "link_hash": b"", "optout_hash": b"",
        "context": "{}",
    }  # fmt: skip
    insert(connection, "sends", values | nobody)
    for kind, when in events:
        event = {
            "bucket": bucket,
            "id": timed_id(when, f"{send_id}:{kind}".encode()),
            "shop_id": shop.id,
            "send_id": send_id,
            "kind": kind,
            "at": when,
            "detail": "{}",
        }
        insert(connection, "send_events", event)


def fill(connection: Connection, context: Context, shop: ShopSettings, clock: MovableClock, seed: int) -> None:
    """Two days of everything, over the shop's buckets."""
    rnd, start = random.Random(seed), clock.now()
    buckets = buckets_of(shop)
    decisions = []
    for number in range(120):
        clock.set(start + timedelta(minutes=rnd.randrange(2 * 24 * 60), seconds=rnd.randrange(60)))
        at, bucket = clock.now(), rnd.choice(buckets)
        put_cart(connection, context, shop, key=f"c{number}")
        evidence = {"stage": rnd.choice(["cart", "checkout"]), "currency": "EUR", "total_cents": rnd.randrange(9_999)}
        if rnd.random() < 0.2:
            evidence["again"] = True
        known = UUID(int=number) if rnd.random() < 0.6 else None
        verdict = (
            deny(rnd.choice([Reason.NO_FLOW, Reason.CART_EMPTY]), **evidence)
            if rnd.random() < 0.5
            else allow(Reason.ENROLLED, **evidence)
        )
        decisions.append(
            DecisionRow(
                bucket=bucket,
                shop_id=shop.id,
                at=at,
                question=Question.ABANDON,
                verdict=verdict,
                cart_id=UUID(int=number),
                shopper_id=known,
            )
        )
        events = [("handed_over", at + timedelta(minutes=1))]
        if rnd.random() < 0.5:
            events += [
                ("clicked", at + timedelta(minutes=rnd.randrange(300))),
                ("restored", at + timedelta(minutes=rnd.randrange(300))),
            ]
        put_send(connection, shop, bucket, number, at, *events[rnd.random() < 0.3 :])
        put_order(
            connection,
            shop,
            bucket,
            number,
            at,
            total_cents=rnd.randrange(1, 10**7),
            refunded_cents=rnd.randrange(2) * 7,
            state=rnd.choice(["completed", "completed", "cancelled"]),
            currency=rnd.choice(["EUR", "USD"]),
        )
        attribution = {
            "bucket": bucket, "id": timed_id(at, b"attr%d" % number), "shop_id": shop.id, "order_id": UUID(int=number), "rule": "last_click",
            "send_id": UUID(int=number) if rnd.random() < 0.5 else None, "ordered_at": at, "currency": "EUR", "net_cents": rnd.randrange(10**6),
        }  # fmt: skip
        insert(connection, "attributions", attribution)
    write_decisions(connection, decisions)
    for number in range(10):
        put_visit(connection, context, shop, visitor_key=f"a:{number}")
    clock.set(start + 2 * DAY)


def counted(
    connection: Connection, shop: ShopSettings, since: datetime, until: datetime
) -> dict[str, dict[tuple[str, datetime], tuple[int, int, int]]]:
    """The same figures out of the raw rows, in Python."""
    out: dict[str, dict[tuple[str, datetime], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))

    def add(metric: str, label: object, at: object, value: object = 0) -> None:
        assert isinstance(at, datetime)
        assert isinstance(value, int)
        if since <= at < until:
            cell = out[metric][str(label), at.replace(minute=0, second=0, microsecond=0)]
            cell[0], cell[1], cell[2] = cell[0] + 1, cell[1] + value, cell[2] + value * value

    for cart in rows(connection, "SELECT cart_key, created_at FROM carts WHERE shop_id = %s", shop.id):
        add("carts_detected", "browse" if str(cart["cart_key"]).startswith("browse:") else "cart", cart["created_at"])
    for row in rows(connection, "SELECT * FROM decisions WHERE shop_id = %s", shop.id):
        add("decisions", f"{row['question']}:{row['reason']}", row["at"])
        evidence = row["evidence"]
        assert isinstance(evidence, dict)
        if row["reason"] != "CART_EMPTY":
            label = f"{evidence['stage']}:{evidence['currency']}"
            if "again" not in evidence:
                add("carts_abandoned", label, row["at"], evidence["total_cents"])
            if row["shopper_id"] is not None:
                add("carts_reachable", label, row["at"], evidence["total_cents"])
    first: dict[tuple[str, object], datetime] = {}
    for event in rows(connection, "SELECT * FROM send_events WHERE shop_id = %s", shop.id):
        metric = "sends_handed_over" if event["kind"] == "handed_over" else "sends_clicked"
        at = event["at"]
        assert isinstance(at, datetime)
        key = (metric, event["send_id"])
        first[key] = min(first.get(key, at), at)
    for (metric, _), at in first.items():
        add(metric, "email", at)
    for order in rows(connection, "SELECT * FROM orders WHERE shop_id = %s AND state <> 'cancelled'", shop.id):
        add(
            "orders_all",
            order["currency"],
            order["ordered_at"],
            int(str(order["total_cents"])) - int(str(order["refunded_cents"])),
        )
    for row in rows(connection, "SELECT * FROM attributions WHERE shop_id = %s AND send_id IS NOT NULL", shop.id):
        add("orders_recovered", f"{row['rule']}:{row['currency']}", row["ordered_at"], row["net_cents"])
    return {metric: {key: (c[0], c[1], c[2]) for key, c in cells.items()} for metric, cells in out.items()}


def stored(connection: Connection, shop: ShopSettings) -> dict[str, dict[tuple[str, datetime], tuple[int, int, int]]]:
    out: dict[str, dict[tuple[str, datetime], tuple[int, int, int]]] = defaultdict(dict)
    for row in rows(connection, "SELECT * FROM rollups WHERE shop_id = %s", shop.id):
        assert row["bucket"] == base_bucket(shop)
        hour = row["hour"]
        assert isinstance(hour, datetime)
        if row["metric"] in OF_THE_OVERVIEW:
            continue  # tests/engine/test_overview_sums.py
        out[str(row["metric"])][str(row["label"]), hour] = (
            int(str(row["n"])),
            int(str(row["total"])),
            int(str(row["total_sq"])),
        )
    return dict(out)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_sum_is_equal_to_a_count_of_its_source(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings, seed: int
) -> None:
    since = clock.now()
    fill(connection, context, shop, clock, seed)
    measure_shop(connection, shop, since, clock.now())
    expected = counted(connection, shop, since, clock.now() + H)
    assert set(expected) == {
        "carts_detected", "carts_abandoned", "carts_reachable", "sends_handed_over", "sends_clicked", "orders_all", "orders_recovered", "decisions",
    }  # fmt: skip
    assert stored(connection, shop) == expected


def test_a_message_that_an_operator_sent_again_counts_once(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    """The uncertain send was closed as sent again; the one in its place was handed over."""
    since, bucket = clock.now(), buckets_of(shop)[0]
    put_send(connection, shop, bucket, 1, since, ("uncertain", since), ("resent", since + H))
    put_send(connection, shop, bucket, 2, since, ("handed_over", since + H))
    measure_shop(connection, shop, since, since + H)
    assert stored(connection, shop)["sends_handed_over"] == {("email", since + H): (1, 0, 0)}


def test_late_changes_of_old_hours_are_counted_again_and_what_vanished_goes(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    since = clock.now()
    fill(connection, context, shop, clock, 3)
    measure_shop(connection, shop, since, clock.now())
    connection.execute("UPDATE orders SET refunded_cents = total_cents WHERE order_key = 'o7'")
    connection.execute("DELETE FROM attributions")
    put_send(connection, shop, buckets_of(shop)[0], 999, since, ("handed_over", since + H), ("clicked", since + 2 * H))
    measure_shop(connection, shop, since, clock.now())
    expected = counted(connection, shop, since, clock.now() + H)
    assert "orders_recovered" not in stored(connection, shop)
    assert stored(connection, shop) == expected


def test_counting_again_writes_nothing_when_nothing_changed(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    since = clock.now()
    fill(connection, context, shop, clock, 4)
    measure_shop(connection, shop, since, clock.now())
    before = rows(connection, "SELECT xmin::text, ctid::text FROM rollups ORDER BY 2")
    measure_shop(connection, shop, since, clock.now())
    assert rows(connection, "SELECT xmin::text, ctid::text FROM rollups ORDER BY 2") == before


def test_the_quick_job_leaves_older_hours_and_the_deep_one_finds_them(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_order(connection, shop, buckets_of(shop)[0], 1, clock.now() - 20 * DAY)
    put_order(connection, shop, buckets_of(shop)[0], 2, clock.now() - H)
    assert measure_recent(connection, context) == 0  # a quiet shop costs nothing
    note = DecisionRow(
        bucket=buckets_of(shop)[-1], shop_id=shop.id, at=clock.now(), question=Question.EXIT, verdict=deny(Reason.LOST)
    )
    write_decisions(connection, [note])
    assert measure_recent(connection, context) == 1
    connection.execute("DELETE FROM rollups WHERE metric = 'decisions'")
    assert sum(len(cells) for cells in stored(connection, shop).values()) == 1
    measure_deep(connection, context)
    assert sum(len(cells) for cells in stored(connection, shop).values()) == 3


def test_sums_are_read_back_by_label(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    for number, (cents, hours) in enumerate([(100, 0), (300, 5), (900, 30)]):
        put_order(connection, shop, buckets_of(shop)[0], number, clock.now() - hours * H, total_cents=cents)
    measure_deep(connection, context)
    hours = Hours(base_bucket(shop), shop.id, clock.now() - DAY, clock.now() + H)
    assert sum_of(connection, hours, "orders_all") == {"EUR": (2, 400, 100_000)}
    assert sum_of(connection, hours, "carts_detected") == {}


def test_another_shop_is_never_counted(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    other = make_shop(connection, spread=shop.spread)
    put_order(connection, other, base_bucket(shop), 1, clock.now())
    measure_shop(connection, shop, clock.now(), clock.now())
    assert stored(connection, shop) == {}


def test_products_that_go_together_are_counted_as_the_formula_says(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    rnd, baskets = random.Random(5), []
    shopper = put_shopper(connection, context, shop)
    for number in range(40):
        keys = rnd.sample("abcdefgh", rnd.randrange(1, 5))
        items = [
            {
                "product_key": key,
                "quantity": 1,
                "title": key.upper(),
                "unit_cents": 100,
                "url": f"https://x.example/{key}",
            }
            for key in keys
        ]
        state = rnd.choice(["open", "abandoned", "converted", "recovered", "lost"])
        put_cart(connection, context, shop, shopper, key=f"c{number}", items=items, state=state)
        baskets.append((keys, 3.0 if state in ("converted", "recovered") else 2.0))
    for number in range(10):
        keys = rnd.sample("abcdefgh", 3)
        put_visit(connection, context, shop, visitor_key=f"a:{number}", views=keys)
        baskets.append((keys, 1.0))
        put_order(
            connection,
            shop,
            rnd.choice(buckets_of(shop)),
            number,
            clock.now(),
            items=json.dumps([{"product_key": key} for key in keys]),
        )
        baskets.append((keys, 3.0))
    put_order(
        connection, shop, base_bucket(shop), 99, clock.now(), cart_id=NOBODY, items='[{"product_key": "a"}]'
    )  # counted as its cart
    put_order(connection, shop, base_bucket(shop), 98, clock.now(), state="cancelled", items='[{"product_key": "a"}]')
    assert count_products_of(connection, shop, clock.now()) == 8

    expected = count_baskets(baskets)
    popularity = rows(connection, "SELECT product_key, popularity FROM products ORDER BY 1")
    assert {row["product_key"]: row["popularity"] for row in popularity} == expected.popularity
    pairs: dict[str, dict[str, object]] = defaultdict(dict)
    for row in rows(connection, "SELECT product_key, other_key, weight FROM product_pairs"):
        pairs[str(row["product_key"])][str(row["other_key"])] = row["weight"]
    assert pairs == expected.pairs
    assert {row["bucket"] for row in rows(connection, "SELECT DISTINCT bucket FROM products")} == {base_bucket(shop)}


def test_a_product_keeps_its_newest_look_and_loses_its_popularity(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    for number, title in enumerate(["Old name", "New name"]):
        clock.advance(H)
        put_cart(
            connection,
            context,
            shop,
            key=f"c{number}",
            items=[
                {"product_key": "p", "quantity": 1, "title": title, "unit_cents": 100 + number, "category": "Tents"}
            ],
        )
    count_products_of(connection, shop, clock.now())
    product = rows(connection, "SELECT title, unit_cents, currency, category, popularity, seen_at FROM products")
    assert product == [
        {
            "title": "New name",
            "unit_cents": 101,
            "currency": "EUR",
            "category": "Tents",
            "popularity": 4.0,
            "seen_at": clock.now(),
        }
    ]
    connection.execute("UPDATE products SET title = 'From an event', seen_at = seen_at + interval '1 day'")
    connection.execute("DELETE FROM carts WHERE cart_key = 'c0'")
    count_products_of(connection, shop, clock.now())
    assert rows(connection, "SELECT title, popularity FROM products") == [{"title": "From an event", "popularity": 2.0}]
    clock.advance(100 * DAY)
    count_products_of(connection, shop, clock.now())
    assert rows(connection, "SELECT title, popularity FROM products") == [{"title": "From an event", "popularity": 0.0}]


def test_an_endless_cart_does_not_square(
    connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings
) -> None:
    put_cart(connection, context, shop, items=[{"product_key": f"p{n}", "quantity": 1} for n in range(200)])
    count_products_of(connection, shop, clock.now())
    found = Counter(row["product_key"] for row in rows(connection, "SELECT product_key FROM product_pairs"))
    assert len(found) == 30
    assert set(found.values()) == {29}
