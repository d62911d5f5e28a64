"""Are events stored once, and do carts, visitors and shoppers say afterwards what happened?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.context import Context
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.store.database import Connection
from rekindle.terms.event import EventKind
from rekindle.terms.shop import ShopSettings

from ..conftest import START
from ..event_factory import added, event, identified, item, ordered, removed, snapshot, tell, viewed
from ..factories import make_shop
from .scene import put_flow, put_template, steps

Rows = Callable[..., list[tuple[Any, ...]]]
CHECKOUT = EventKind.CHECKOUT_STARTED


@pytest.fixture
def shop(connection: Connection, spread: int) -> ShopSettings:
    return make_shop(connection, spread=spread)


@pytest.fixture
def rows(connection: Connection, shop: ShopSettings) -> Rows:
    def read(table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {table} WHERE shop_id = %s AND {where} ORDER BY 1"
        return connection.execute(statement, [shop.id]).fetchall()  # type: ignore[arg-type]

    return read


def test_an_event_is_stored_once_however_often_it_is_told(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    one, two = added(minute=0), added(minute=1)
    assert tell(connection, context, shop, one, two, one) == (2, 1)
    assert tell(connection, context, shop, two, one) == (0, 2)
    assert tell(connection, context, shop, two, added(minute=2)) == (1, 1)
    assert rows("carts", "(items->0->>'quantity')::int, seq") == [(3, 2)]
    assert rows("events", "count(*)") == [(3,)]


def test_a_batch_with_known_events_is_folded_without_them(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    known = [added(item("mug"), minute=n, cart_key=f"c-{n}") for n in range(5)]
    tell(connection, context, shop, *known)
    assert tell(connection, context, shop, *known, added(item("pot"), minute=9, cart_key="c-9")) == (1, 5)
    assert rows("carts", "sum((items->0->>'quantity')::int)") == [(6,)]


def test_an_event_row_keeps_what_was_told(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1", payload=b'{"a": "\\u00e4\\\\n", "n": [1, null]}'))
    assert rows("events", "kind, name, visitor_key, payload, at, received_at") == [
        ("product_added", "product_added", "a:1", {"a": "ä\\n", "n": [1, None]}, START, START)
    ]
    assert rows("events", "cart_id") == rows("carts", "id")


def test_a_visit_goes_on_in_a_cart(connection: Connection, context: Context, shop: ShopSettings, rows: Rows) -> None:
    tell(connection, context, shop, viewed(item("a")), viewed(item("b"), minute=1))
    assert rows("carts", "cart_key, state, stage, views") == [("browse:a:1", "open", "browse", ["b", "a"])]
    tell(connection, context, shop, added(item("b"), minute=2), viewed(item("c"), minute=3))
    assert rows("carts", "cart_key, state, stage, views, check_at") == [
        ("browse:a:1", "emptied", "browse", ["b", "a"], None),
        ("visitor:a:1", "open", "cart", ["c", "b", "a"], START + timedelta(minutes=32)),
    ]


def test_looking_around_keeps_the_open_cart_alive(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    tell(connection, context, shop, viewed(minute=20), event(EventKind.PAGE_VIEWED, minute=25))
    assert rows("carts", "cart_key, touched_at") == [("c-1", START + timedelta(minutes=25))]
    assert rows("events", "count(DISTINCT cart_id)") == [(1,)]


def test_a_checkout_without_a_cart_id_belongs_to_the_visitors_cart(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    tell(connection, context, shop, event(CHECKOUT, minute=3, checkout_key="k-1"))
    tell(connection, context, shop, event(EventKind.PAYMENT_ENTERED, minute=4, checkout_key="k-1", visitor_key=None))
    assert rows("carts", "cart_key, stage, checkout_key") == [("c-1", "payment", "k-1")]


def test_a_cart_that_gets_its_name_later_is_one_cart(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(item("mug")))
    tell(connection, context, shop, event(CHECKOUT, minute=3, cart_key="c-1"))
    tell(connection, context, shop, added(item("cup"), minute=4))
    assert rows("carts", "cart_key, stage, jsonb_array_length(items), created_at") == [("c-1", "checkout", 2, START)]
    assert rows("events", "count(DISTINCT cart_id)") == [(1,)]


def test_a_visitors_own_cart_that_was_left_behind_stays_on_record(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(item("mug")))
    connection.execute("UPDATE carts SET state = 'abandoned', abandoned_at = touched_at WHERE shop_id = %s", [shop.id])
    tell(connection, context, shop, event(CHECKOUT, minute=60, cart_key="c-1"))
    assert rows("carts", "cart_key, state") == [("c-1", "open"), ("visitor:a:1", "emptied")]


def test_an_anonymous_cart_becomes_the_shoppers_when_the_visitor_says_who_it_is(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, viewed(item("a")), added(minute=1, cart_key="c-1"))
    assert rows("carts", "cart_key", "shopper_id IS NOT NULL") == []
    tell(connection, context, shop, identified(minute=2, customer_key="7", traits={"first_name": "Ada", "vip": True}))
    assert [key for (key,) in rows("carts", "cart_key", "shopper_id IS NOT NULL")] == ["browse:a:1", "c-1"]
    assert rows("shoppers", "first_name, customer_key, traits->'vip'") == [("Ada", "7", True)]
    assert rows("contact_points", "DISTINCT channel, address") == [("email", "ada@example.com")]


def test_an_account_that_is_known_later_leads_from_its_first_visit_to_the_shopper(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    tell(connection, context, shop, identified(None, minute=2, customer_key="7"))
    tell(connection, context, shop, identified(minute=3, visitor_key="u:7", customer_key="7"))
    assert rows("carts", "shopper_id") == rows("shoppers", "id")
    assert rows("visitors", "visitor_key, shopper_id IS NOT NULL") == [("a:1", True), ("u:7", True)]


def test_an_alias_joins_the_earlier_key(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    tell(
        connection,
        context,
        shop,
        event(EventKind.ALIASED, minute=1, visitor_key="u:7", customer_key="7", previous_key="a:1"),
    )
    tell(connection, context, shop, identified(minute=2, visitor_key="u:7", customer_key="7"))
    assert rows("carts", "shopper_id") == rows("shoppers", "id")


def test_an_address_typed_at_the_checkout_makes_the_cart_the_shoppers(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(
        connection,
        context,
        shop,
        added(cart_key="c-1"),
        event(CHECKOUT, minute=1, cart_key="c-1", email="ada@gmial.com"),
    )
    typo = rows("carts", "shopper_id")
    tell(connection, context, shop, event(CHECKOUT, minute=2, cart_key="c-1", email="ada@gmail.com"))
    mended = rows("carts", "shopper_id")
    assert typo != mended
    assert rows("contact_points", "shopper_id", "address = 'ada@gmail.com'")[0] == mended[0]


def test_a_phone_number_after_the_address_is_the_same_shoppers_when_the_visit_is_the_same(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1), event(CHECKOUT, minute=2, phone="+4915112345678"))
    assert len(rows("shoppers", "id")) == 1
    owners = {owner for (owner,) in rows("contact_points", "shopper_id")}
    assert len(owners) == 1
    assert sorted({channel for (channel,) in rows("contact_points", "channel")}) == ["email", "sms"]


def test_somebody_elses_address_carries_nothing_away(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    """S-05: typing an address changes neither its owner's carts nor name, and attaches no phone number to them."""
    tell(connection, context, shop, identified(minute=0, visitor_key="a:ada", traits={"first_name": "Ada"}))
    tell(connection, context, shop, added(item("mug"), minute=1, visitor_key="a:ada", cart_key="hers"))
    before = rows("carts", "cart_key, items, state, shopper_id, visitor_key, touched_at, seq", "cart_key = 'hers'")
    for n in range(30):
        tell(
            connection, context, shop,
            event(
                CHECKOUT, minute=2 + n, visitor_key=f"a:evil{n}", email="ada@example.com", phone=f"+4915112345{n:03}",
                items=(item("spam"),), traits={"first_name": "Click here"}, customer_key=f"evil{n}",
            ),
        )  # fmt: skip
    assert (
        rows("carts", "cart_key, items, state, shopper_id, visitor_key, touched_at, seq", "cart_key = 'hers'") == before
    )
    assert rows("shoppers", "first_name", "first_name <> ''") == [("Ada",)]
    hers = before[0][3]
    mine = rows("contact_points", "channel", f"shopper_id = '{hers}' AND channel = 'sms'")
    assert mine == []


def test_a_stranger_who_knows_a_cart_cannot_have_its_letters(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(minute=0, cart_key="c-1", email="ada@example.com"))
    before = rows("carts", "shopper_id, visitor_key")
    tell(connection, context, shop, event(EventKind.CART_VIEWED, minute=1, cart_key="c-1", visitor_key="a:evil"))
    tell(
        connection,
        context,
        shop,
        event(CHECKOUT, minute=2, cart_key="c-1", visitor_key="a:evil", email="evil@example.com"),
    )
    assert rows("carts", "shopper_id, visitor_key") == before


def test_the_privacy_signal_is_kept_and_never_inferred(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1), identified("bob@example.com", minute=1, visitor_key="a:2"))
    assert rows("shoppers", "count(*)", "gpc") == [(0,)]
    tell(connection, context, shop, viewed(minute=2, gpc=True), viewed(minute=3, gpc=False))
    assert rows("shoppers", "gpc, id") != []
    assert rows("shoppers", "count(*)", "gpc") == [(1,)]
    tell(connection, context, shop, identified("bob@example.com", minute=9, visitor_key="a:2", gpc=False))
    assert rows("shoppers", "count(*)", "gpc") == [(1,)]


def test_zones_are_gathered_and_gaps_filled(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1, facts={"timezone": "Europe/Berlin", "country": "DE"}))
    tell(
        connection,
        context,
        shop,
        identified(minute=2, facts={"timezone": "America/New_York", "country": "US", "locale": "de"}),
    )
    assert rows("shoppers", "timezones, country, locale") == [(["Europe/Berlin", "America/New_York"], "DE", "de")]


def test_a_returning_visitor_is_known_as_one(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, viewed(minute=0))
    tell(connection, context, shop, viewed(minute=5))
    tell(connection, context, shop, viewed(minute=600))
    tell(connection, context, shop, added(minute=1200, cart_key="c-1"))
    assert rows("visitors", "visit_count") == [(3,)]
    assert rows("carts", "facts->'returning'", "cart_key = 'c-1'") == [(True,)]


def test_who_is_known_too_late_is_looked_at_again(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    connection.execute(
        "UPDATE carts SET state = 'abandoned', abandoned_at = touched_at + interval '30 minutes',"
        " check_at = touched_at + interval '30 days', seq = seq + 1 WHERE shop_id = %s",
        [shop.id],
    )
    tell(connection, context, shop, identified(minute=50))
    half_past = START + timedelta(minutes=30)
    assert rows("carts", "state, abandoned_at, check_at") == [("abandoned", half_past, half_past)]


def test_a_removed_item_is_gone_and_an_emptied_cart_has_no_timer(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(item("a"), item("b")), removed(item("a"), minute=1))
    assert rows("carts", "items->0->>'product_key', state") == [("b", "open")]
    tell(connection, context, shop, removed(item("b"), minute=2))
    assert rows("carts", "state, check_at, total_cents") == [("emptied", None, 0)]
    tell(connection, context, shop, snapshot(item("c"), minute=3))
    assert rows("carts", "state, total_cents") == [("open", 1950)]


def test_products_are_kept_as_last_seen_and_written_once_an_hour(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    mug = item("mug", 1, 1950, title="Mug", url="https://shop.example/mug", image_url="https://shop.example/m.jpg")
    tell(connection, context, shop, viewed(mug), viewed(mug, minute=1))
    assert rows("products", "product_key, title, url, unit_cents, currency, seen_at") == [
        ("mug", "Mug", "https://shop.example/mug", 1950, "EUR", START)
    ]
    tell(connection, context, shop, added(item("mug", 1, 2050, title=""), minute=2))
    assert rows("products", "title, unit_cents") == [("Mug", 2050)]
    tell(connection, context, shop, viewed(mug, minute=90), viewed(mug, minute=30))
    assert rows("products", "unit_cents, seen_at") == [(1950, START + timedelta(minutes=90))]


def test_an_event_of_nobody_is_kept(connection: Connection, context: Context, shop: ShopSettings, rows: Rows) -> None:
    assert tell(connection, context, shop, identified(minute=1, visitor_key=None)) == (1, 0)
    assert rows("shoppers", "count(*)") == [(1,)]
    assert tell(connection, context, shop, ordered(visitor_key=None)) == (1, 0)
    assert rows("orders", "order_key, cart_id, matched_by") == [("o-1", None, "")]


def test_two_shops_do_not_meet(connection: Connection, context: Context, shop: ShopSettings, rows: Rows) -> None:
    other = make_shop(connection, spread=shop.spread)
    one = added(cart_key="c-1", email="ada@example.com")
    tell(connection, context, shop, one)
    assert tell(connection, context, other, one) == (1, 0)
    assert connection.execute("SELECT count(DISTINCT id) FROM carts WHERE cart_key = 'c-1'").fetchone() == (2,)
    assert len(rows("shoppers", "id")) == 1


def test_a_flow_with_less_patience_than_its_shop_sets_the_timer(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    trigger = {"kinds": ["cart", "browse"], "idle_s": 600}
    put_flow(connection, shop, activated_at=START, trigger=trigger)
    tell(connection, context, shop, viewed(visitor_key="a:2"), added(cart_key="c-1"))
    tell(connection, context, shop, event(CHECKOUT, minute=1, cart_key="c-2", visitor_key="a:3"))
    assert rows("carts", "cart_key, check_at") == [
        ("browse:a:2", START + timedelta(minutes=10)),
        ("c-1", START + timedelta(minutes=10)),
        ("c-2", START + timedelta(minutes=16)),
    ]


def test_a_quick_flow_that_is_switched_on_sets_the_next_timer_at_once(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    put_template(connection, shop)
    tell(connection, context, shop, added(cart_key="c-1"))
    definition = json.dumps({"trigger": {"kinds": ["cart"], "idle_s": 600}, "steps": steps(1)})
    save_flow(connection, context, shop, key="quick", name="Quick", definition=definition)
    activate_flow(connection, context, shop, "quick")
    tell(connection, context, shop, added(cart_key="c-2", visitor_key="a:2"))
    assert rows("carts", "cart_key, check_at") == [
        ("c-1", START + timedelta(minutes=10)),
        ("c-2", START + timedelta(minutes=10)),
    ]
