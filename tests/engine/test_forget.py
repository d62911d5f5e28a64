"""After an erasure: does nothing name or reach the person, and does nobody bring them back?"""

from __future__ import annotations

import pytest

from rekindle.engine.context import Context
from rekindle.engine.forget import erase_address
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.send import Channel

from ..event_factory import added, event, identified, item, ordered, tell, viewed
from ..factories import make_shop
from .journey import HOURS, Journey
from .test_purchase import leave

CANARY = "ada.canary@example.com"
PHONE = "+4915112345678"


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def told(journey: Journey, *events: ShopEvent) -> None:
    tell(journey.connection, journey.context, journey.shop, *events)


def ada_leaves(journey: Journey) -> None:
    now = journey.clock.now()
    yes = ConsentGiven(channel="email", granted=True, wording="Write to me.")
    told(
        journey,
        viewed(at=now, visitor_key="a:canary-visitor"),
        identified(
            CANARY, at=now, visitor_key="a:canary-visitor", customer_key="canary-account", phone=PHONE, consents=(yes,),
            traits={"first_name": "Canary", "last_name": "Lovelace", "club": "canary club"},
        ),
        added(item("mug", 2), at=now, visitor_key="a:canary-visitor", payload=b'{"note": "canary payload"}'),
        event(
            EventKind.CHECKOUT_STARTED, at=now, visitor_key="a:canary-visitor", checkout_key="canary-checkout",
            recover_url="https://shop.example/canary", facts={"coupon": "canary-coupon"},
        ),
    )  # fmt: skip
    journey.pass_time(HOURS)
    journey.pass_time(4 * HOURS)


def everything(journey: Journey) -> str:
    """Every row of every table that grows with shoppers, as text."""
    tables = journey.connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'bucket'"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(tables) > 15
    found = []
    for (table,) in tables:
        found += journey.connection.execute(f"SELECT t::text FROM {table} t").fetchall()  # type: ignore[arg-type]
    return "\n".join(row[0] for row in found)


def traces(journey: Journey) -> list[str]:
    return [line for line in everything(journey).lower().splitlines() if "canary" in line or PHONE in line]


@pytest.mark.parametrize("way", ["event", "address", "phone"])
def test_nothing_that_names_the_person_is_left(journey: Journey, way: str) -> None:
    ada_leaves(journey)
    assert len(traces(journey)) > 10
    if way == "event":
        told(journey, event(EventKind.ERASURE_REQUESTED, at=journey.clock.now(), visitor_key=None, email=CANARY))
    else:
        channel, address = (Channel.EMAIL, CANARY) if way == "address" else (Channel.SMS, PHONE)
        result = erase_address(
            journey.connection, journey.context, journey.shop, channel=channel, address=address, source="operator"
        )
        assert result == (True, 1)
    assert traces(journey) == []
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("enrolments", "state, exit_reason") == [("exited", "ERASED")]
    assert journey.read("suppressions", "DISTINCT channel, reason") == [("email", "erased"), ("sms", "erased")]


def links_to_the_erased(journey: Journey) -> list[tuple[object, ...]]:
    """Visitors that lead to an erased shopper, by themselves or over their cart."""
    return journey.connection.execute(
        "SELECT v.visitor_key FROM visitors v LEFT JOIN carts c ON c.bucket = v.cart_bucket AND c.id = v.cart_id"
        " JOIN shoppers s ON s.erased_at IS NOT NULL AND s.id IN (v.shopper_id, c.shopper_id)"
    ).fetchall()


def test_no_visit_leads_to_the_erased_shopper(journey: Journey) -> None:
    """Neither one that knew the shopper's cart by another key, nor the same browser when it goes on with its cart."""
    ada_leaves(journey)
    now = journey.clock.now()
    told(journey, added(item("mug"), at=now, visitor_key="a:beside", cart_key="shared"))
    told(journey, identified(CANARY, at=now, visitor_key="a:canary-visitor"))
    told(journey, added(item("mug"), at=now, visitor_key="a:canary-visitor", cart_key="shared"))
    told(journey, event(EventKind.ERASURE_REQUESTED, at=now, visitor_key="a:canary-visitor", email=CANARY))
    told(
        journey,
        viewed(at=now + HOURS / 60, visitor_key="a:canary-visitor"),
        added(item("tent"), at=now + HOURS / 60, visitor_key="a:canary-visitor"),
        added(item("tent"), at=now + HOURS / 60, visitor_key="a:beside", cart_key="shared"),
    )
    assert journey.read("visitors", "count(*) > 1") == [(True,)]
    assert links_to_the_erased(journey) == []


def test_what_was_counted_still_adds_up(journey: Journey) -> None:
    ada_leaves(journey)
    told(journey, ordered(at=journey.clock.now(), visitor_key="a:canary-visitor", total_cents=3900))
    told(journey, event(EventKind.ERASURE_REQUESTED, at=journey.clock.now(), visitor_key=None, email=CANARY))
    assert journey.read("carts", "state, total_cents, items->0->>'product_key'", "stage = 'checkout'") == [
        ("converted", 3900, "mug")
    ]
    assert journey.read("orders", "total_cents, shopper_id IS NOT NULL") == [(3900, True)]
    assert journey.read("shoppers", "order_count, spent_cents, erased_at IS NOT NULL") == [(1, 3900, True)]
    assert journey.read("sends", "context") == [({},)]


def test_no_event_and_no_import_brings_the_person_back(journey: Journey) -> None:
    ada_leaves(journey)
    erase_address(
        journey.connection, journey.context, journey.shop, channel=Channel.EMAIL, address=CANARY, source="operator"
    )
    yes = ConsentGiven(channel="email", granted=True, wording="Write to me.")
    now = journey.clock.now() + HOURS
    told(
        journey,
        identified(CANARY, at=now, visitor_key="a:new", phone=PHONE, consents=(yes,), traits={"first_name": "Canary"}, payload=b'{"x": "canary"}'),
        added(item("mug"), at=now, visitor_key="a:new", cart_key="again", email=CANARY),
        ordered(at=now, visitor_key=None, email=CANARY, payload=b'{"x": "canary"}'),
    )  # fmt: skip
    assert traces(journey) == []
    assert {reason for (reason,) in journey.read("suppressions", "reason")} == {"erased"}
    journey.clock.set(now)
    journey.pass_time(HOURS)
    journey.pass_time(80 * HOURS)
    assert journey.read("outbox", "count(*)") == [(0,)]


def test_an_erasure_twice_is_one_and_of_nobody_is_remembered(journey: Journey) -> None:
    ada_leaves(journey)
    for found in (True, True):
        result = erase_address(
            journey.connection, journey.context, journey.shop, channel=Channel.EMAIL, address=CANARY, source="operator"
        )
        assert result.found is found
    unknown = erase_address(
        journey.connection,
        journey.context,
        journey.shop,
        channel=Channel.EMAIL,
        address="bob@example.com",
        source="operator",
    )
    assert unknown == (False, 0)
    told(journey, identified("bob@example.com", minute=1, visitor_key="a:bob"))
    assert journey.read("contact_points", "address", "address <> ''") == []


def test_the_others_stay(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    told(journey, identified(CANARY, at=journey.clock.now(), visitor_key="a:canary-visitor"))
    erase_address(
        journey.connection, journey.context, journey.shop, channel=Channel.EMAIL, address=CANARY, source="operator"
    )
    assert journey.read("outbox", "state") == [("scheduled",)]
    assert journey.read("contact_points", "address", "address <> ''") == [("ada@example.com",)]
