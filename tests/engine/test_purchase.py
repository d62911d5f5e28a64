"""Does an order end what it must, whatever it is matched over and whenever it arrives?"""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.engine.purchase import apply_order
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings

from ..event_factory import added, event, item, ordered, snapshot, tell, tell_each
from ..factories import make_shop
from .journey import HOURS, Journey

COLUMNS = {
    "carts": "cart_key, state, stage, items, currency, total_cents, created_at, touched_at, check_at, abandoned_at, closed_at,"
    " visitor_key, shopper_id IS NULL, order_key, checkout_key, recover_url, views, facts - 'heard'",
    "orders": "order_key, state, currency, total_cents, refunded_cents, ordered_at, cart_id IS NULL, shopper_id IS NULL,"
    " matched_by, coupons, items, facts - 'shoppers'",
    "shoppers": "customer_key, last_order_at, order_count, spent_cents, traits - '_carts' - '_origin'",
    "contact_points": "address, consent",
}


def state_of(connection: Connection, shop: ShopSettings) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: connection.execute(f"SELECT {columns} FROM {table} WHERE shop_id = %s ORDER BY 1", [shop.id]).fetchall()  # type: ignore[arg-type]
        for table, columns in COLUMNS.items()
    }


STORIES: dict[str, dict[str, Any]] = {
    "cart and checkout named": {"cart_key": "c-1", "checkout_key": "k-1"},
    "visitor only": {},
    "checkout named": {"checkout_key": "k-1"},
    "cart named and no visitor": {"cart_key": "c-1", "visitor_key": None},
}


@pytest.mark.parametrize("story", list(STORIES))
@pytest.mark.parametrize("email", [None, "ada@example.com"], ids=["anonymous", "known"])
def test_cart_checkout_order_and_cancellation_end_the_same_in_all_24_orders(
    connection: Connection, context: Context, spread: int, story: str, email: str | None
) -> None:
    fields = STORIES[story]
    visitor = {name: value for name, value in fields.items() if name == "visitor_key"}
    cart_only = {name: value for name, value in fields.items() if name != "checkout_key"}
    events = [
        added(item("mug", 2), minute=1, **cart_only),
        event(EventKind.CHECKOUT_STARTED, minute=3, items=(item("mug", 2),), email=email, **fields),
        ordered(total_cents=3900, minute=6, items=(item("mug", 2),), email=email, **fields),
        ordered(kind=EventKind.ORDER_CANCELLED, total_cents=3900, minute=9, **visitor),
    ]
    ends: dict[str, Any] = {}
    for order in permutations(events):
        with connection.transaction(force_rollback=True):
            shop = make_shop(connection, spread=spread)
            tell_each(connection, context, shop, order)
            ends[" ".join(one.kind.value for one in order)] = state_of(connection, shop)
    first_name, first = next(iter(ends.items()))
    assert [len(first[table]) for table in ("carts", "orders")] == [1, 1], first
    for name, end in ends.items():
        for table in COLUMNS:
            assert end[table] == first[table], f"{table}: {name} against {first_name}"
    cart = first["carts"][0]
    assert (cart[1], cart[13], cart[5]) == ("converted", "o-1", 3900)


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def told(journey: Journey, *events: ShopEvent) -> None:
    tell(journey.connection, journey.context, journey.shop, *events)


def leave(journey: Journey, **fields: Any) -> None:
    """Ada leaves a cart with two mugs; four and a half hours later a message about it waits in the outbox."""
    now = journey.clock.now()
    told(journey, added(item("mug", 2), at=now, email="ada@example.com", **fields))
    journey.pass_time(timedelta(minutes=30))
    journey.pass_time(4 * HOURS)


def nothing_waits(journey: Journey) -> None:
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("enrolments", "count(*)", "state = 'waiting'") == [(0,)]
    journey.pass_time(200 * HOURS)
    assert journey.read("outbox", "count(*)") == [(0,)]


def test_an_order_ends_the_run_and_withdraws_what_waits(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    assert journey.read("outbox", "state") == [("scheduled",)]
    told(journey, ordered(at=journey.clock.now(), cart_key="c-1", total_cents=3900))
    assert journey.read("carts", "state, order_key, check_at") == [("converted", "o-1", None)]
    assert journey.read("enrolments", "state, exit_reason, due_at") == [("exited", "ORDERED", None)]
    assert journey.read("send_events", "kind, reason") == [("skipped", "PURCHASED")]
    told_why = journey.read("decisions", "question, reason, outcome", "question IN ('exit', 'may_send')")
    assert told_why == [("exit", "ORDERED", "deny"), ("may_send", "PURCHASED", "deny")]
    nothing_waits(journey)


#: How an order reaches Ada's cart c-1 of visitor a:1, account u:7.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "cart": ({"cart_key": "c-1", "visitor_key": None}, "cart"),
    "checkout": ({"checkout_key": "k-1", "visitor_key": None}, "checkout"),
    "visitor": ({}, "visitor"),
    "account": ({"visitor_key": "u:7", "customer_key": "7"}, "customer"),
    "account from a new device": ({"visitor_key": "a:new", "customer_key": "7"}, "customer"),
    "e-mail": ({"visitor_key": None, "email": "ada@example.com", "items": (item("mug"),)}, "email"),
    "phone": ({"visitor_key": "a:new", "phone": "+4915112345678", "items": (item("mug"),)}, "phone"),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_an_order_finds_its_cart_over_every_identity(journey: Journey, way: str) -> None:
    fields, matched_by = WAYS[way]
    now = journey.clock.now()
    told(journey, added(item("mug", 2), at=now, cart_key="c-1"))
    told(
        journey, event(EventKind.CHECKOUT_STARTED, at=now, cart_key="c-1", checkout_key="k-1", email="ada@example.com")
    )
    told(journey, event(EventKind.CHECKOUT_STEP, at=now, checkout_key="k-1", phone="+4915112345678", customer_key="7"))
    journey.pass_time(timedelta(minutes=30))
    journey.pass_time(4 * HOURS)
    assert journey.read("outbox", "state") == [("scheduled",)]
    told(journey, ordered(at=journey.clock.now(), total_cents=3900, **fields))
    assert journey.read("carts", "state, order_key", "cart_key = 'c-1'") == [("converted", "o-1")]
    assert journey.read("orders", "matched_by, cart_id IS NOT NULL, shopper_id IS NOT NULL") == [
        (matched_by, True, True)
    ]
    nothing_waits(journey)


@pytest.mark.parametrize("kind", ["handed_over", "clicked", "restored"])
def test_a_cart_that_was_written_about_is_recovered(journey: Journey, kind: str) -> None:
    leave(journey, cart_key="c-1")
    journey.send_happened(kind, journey.clock.now())
    journey.clock.advance(HOURS)
    told(journey, ordered(at=journey.clock.now(), cart_key="c-1"))
    assert journey.read("carts", "state") == [("recovered",)]


def test_a_message_after_the_order_recovers_nothing(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    ordered_at = journey.clock.now()
    journey.send_happened("handed_over", ordered_at + timedelta(minutes=5))
    journey.clock.advance(HOURS)
    told(journey, ordered(at=ordered_at, cart_key="c-1"))
    assert journey.read("carts", "state") == [("converted",)]


def test_other_carts_are_no_longer_written_about_and_close_when_all_of_it_was_bought(journey: Journey) -> None:
    leave(journey, cart_key="laptop")
    now = journey.clock.now()
    told(journey, added(item("mug"), at=now, visitor_key="a:phone", cart_key="phone", email="ada@example.com"))
    told(journey, added(item("sofa"), at=now, visitor_key="a:tablet", cart_key="tablet", email="ada@example.com"))
    journey.pass_time(HOURS)
    told(journey, ordered(at=journey.clock.now(), cart_key="phone", visitor_key="a:phone", items=(item("mug"),)))
    assert journey.read("carts", "cart_key, state, order_key") == [
        ("laptop", "converted", "o-1"),
        ("phone", "converted", "o-1"),
        ("tablet", "abandoned", None),
    ]
    assert {state for (state,) in journey.read("enrolments", "state")} == {"exited"}
    nothing_waits(journey)


def test_a_cart_that_was_written_about_is_recovered_also_when_it_was_bought_on_another_device(journey: Journey) -> None:
    leave(journey, cart_key="laptop")
    journey.send_happened("handed_over", journey.clock.now())
    journey.clock.advance(HOURS)
    now = journey.clock.now()
    told(journey, added(item("mug"), at=now, visitor_key="a:phone", cart_key="phone", email="ada@example.com"))
    journey.clock.advance(HOURS)
    told(journey, ordered(at=journey.clock.now(), cart_key="phone", visitor_key="a:phone", items=(item("mug"),)))
    assert journey.read("carts", "cart_key, state") == [("laptop", "recovered"), ("phone", "converted")]


def test_an_order_by_address_of_other_things_leaves_the_cart_behind_and_writes_no_more(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told(journey, ordered(at=journey.clock.now(), visitor_key=None, email="ada@example.com", items=(item("candle"),)))
    assert journey.read("carts", "state, order_key") == [("abandoned", None)]
    assert journey.read("orders", "cart_id, matched_by, shopper_id IS NOT NULL") == [(None, "", True)]
    nothing_waits(journey)


def test_an_old_order_that_is_imported_ends_nothing(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told(journey, ordered(at=journey.clock.now() - timedelta(days=400), visitor_key=None, email="ada@example.com"))
    assert journey.read("outbox", "state") == [("scheduled",)]
    assert journey.read("carts", "state") == [("abandoned",)]
    assert journey.read("shoppers", "order_count") == [(1,)]


def test_an_order_without_any_cart_counts(journey: Journey) -> None:
    told(journey, ordered(at=journey.clock.now(), visitor_key=None, email="bob@example.com", total_cents=700))
    assert journey.read("orders", "order_key, cart_id, matched_by, total_cents") == [("o-1", None, "", 700)]
    assert journey.read("shoppers", "order_count, spent_cents") == [(1, 700)]
    assert journey.read("carts", "count(*)") == [(0,)]


def test_an_order_told_twice_by_two_sources_is_one(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    now = journey.clock.now()
    told(journey, ordered(at=now, cart_key="c-1", total_cents=3900))
    told(journey, ordered(at=now, visitor_key=None, email="ada@example.com", total_cents=3900, items=(item("mug"),)))
    assert journey.read("orders", "order_key, matched_by") == [("o-1", "cart")]
    assert journey.read("shoppers", "order_count, spent_cents") == [(1, 3900)]


def test_refund_and_cancellation_reach_the_shoppers_sums(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    now = journey.clock.now()
    told(journey, ordered(at=now, cart_key="c-1", total_cents=3900))
    told(journey, ordered("o-2", at=now, total_cents=1000))
    refund = ordered(kind=EventKind.ORDER_REFUNDED, at=now, total_cents=0, refunded_cents=900, visitor_key=None)
    told(journey, refund)
    told(journey, refund)
    assert journey.read("shoppers", "order_count, spent_cents") == [(2, 4000)]
    told(journey, ordered("o-2", kind=EventKind.ORDER_CANCELLED, at=now, visitor_key=None))
    assert journey.read("shoppers", "order_count, spent_cents") == [(1, 3000)]
    assert journey.read("orders", "order_key, state, refunded_cents") == [
        ("o-1", "placed", 900),
        ("o-2", "cancelled", 0),
    ]


def test_a_cart_cleared_by_the_shop_just_before_the_order_is_bought(journey: Journey) -> None:
    now = journey.clock.now()
    told(journey, added(item("mug"), at=now, cart_key="c-1"), snapshot(at=now + timedelta(minutes=1), cart_key="c-1"))
    assert journey.read("carts", "state") == [("emptied",)]
    told(journey, ordered(at=now + timedelta(minutes=2)))
    assert journey.read("carts", "state, order_key") == [("converted", "o-1")]


def test_after_the_order_the_same_cart_begins_anew(journey: Journey) -> None:
    leave(journey)
    now = journey.clock.now()
    told(journey, ordered(at=now))
    told(journey, added(item("pot"), at=now + HOURS))
    assert journey.read("carts", "state, order_key, items->0->>'product_key', created_at") == [
        ("open", None, "pot", now + HOURS)
    ]
    assert journey.read("orders", "cart_id IS NOT NULL, matched_by") == [(True, "visitor")]


def test_what_was_put_in_after_a_late_order_stays(journey: Journey) -> None:
    now = journey.clock.now()
    told(journey, added(item("mug"), at=now), added(item("pot"), at=now + 2 * HOURS))
    told(journey, ordered(at=now + HOURS))
    assert journey.read("carts", "state, order_key, jsonb_array_length(items), created_at") == [
        ("open", None, 1, now + 2 * HOURS)
    ]


def test_somebody_elses_order_ends_nothing_of_ada(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told(journey, ordered(at=journey.clock.now(), visitor_key="a:bob", email="bob@example.com", items=(item("mug"),)))
    assert journey.read("outbox", "state") == [("scheduled",)]
    assert journey.read("carts", "state") == [("abandoned",)]


def test_coming_back_ends_the_run_and_a_new_pause_begins_another(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    journey.clock.advance(30 * HOURS)
    told(journey, event(EventKind.CART_VIEWED, at=journey.clock.now(), cart_key="c-1"))
    assert journey.read("carts", "state, abandoned_at") == [("open", None)]
    assert journey.read("enrolments", "state, exit_reason") == [("exited", "RETURNED")]
    assert journey.read("send_events", "kind, reason") == [("skipped", "RETURNED")]
    assert journey.read("outbox", "count(*)") == [(0,)]
    journey.pass_time(HOURS)
    assert journey.read("enrolments", "state") == [("exited",), ("waiting",)]


def test_emptying_the_cart_ends_the_run(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told(journey, snapshot(at=journey.clock.now(), cart_key="c-1"))
    assert journey.read("enrolments", "state, exit_reason") == [("exited", "EMPTIED")]
    nothing_waits(journey)


def test_an_order_beside_its_cart_in_one_batch(journey: Journey) -> None:
    now = journey.clock.now()
    told(
        journey,
        added(item("mug"), at=now, cart_key="c-1", email="ada@example.com"),
        ordered(at=now + HOURS, cart_key="c-1"),
        added(item("cup"), at=now, cart_key="c-2", visitor_key="a:2"),
        ordered("o-2", at=now + HOURS, visitor_key="a:2"),
    )
    assert journey.read("carts", "cart_key, state, order_key") == [
        ("c-1", "converted", "o-1"),
        ("c-2", "converted", "o-2"),
    ]


def test_an_order_can_be_applied_without_its_event(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told_later = replace(ordered(at=journey.clock.now(), cart_key="c-1"), shop_id=journey.shop.id)
    apply_order(journey.connection, journey.context, journey.shop, told_later)
    assert journey.read("carts", "state") == [("converted",)]
    nothing_waits(journey)
