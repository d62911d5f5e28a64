"""Is a wrong name replaced, and does the right address take over what was said about the wrong one, and nothing else?"""

from __future__ import annotations

import pytest

from rekindle.engine.consents import fault_of_chain
from rekindle.engine.context import Context
from rekindle.engine.opt_out import opt_out_address
from rekindle.engine.privacy.record import Asked, RequestError, record_request
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.event import ConsentGiven
from rekindle.terms.privacy_request import RequestKind, RequestState, Step
from rekindle.terms.send import Channel

from ...event_factory import added, identified, item, ordered, tell
from ...factories import make_shop
from ..journey import HOURS, Journey

WRONG, RIGHT, PHONE = "adda@example.com", "ada@example.com", "+436641234567"
YES = ConsentGiven(channel="email", granted=True, wording="Write to me.")


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    journey = Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))
    now = clock.now()
    tell(
        connection, context, journey.shop,
        identified(WRONG, at=now, visitor_key="a:1", phone=PHONE, consents=(YES,), traits={"first_name": "Adda"}),
        added(item("mug"), at=now, visitor_key="a:1"),
    )  # fmt: skip
    return journey


def correct(journey: Journey, **values: str) -> None:
    asked = Asked(kind=RequestKind.CORRECTION, source="dashboard", email=WRONG, is_verified=True)
    request = record_request(journey.connection, journey.context, journey.shop, asked)
    taken = Taken(step=Step.CORRECT, by="owner", values=values)
    done = take_step(journey.connection, journey.context, journey.shop, request.id, taken)
    assert done.state is RequestState.ANSWERED


def contacts(journey: Journey) -> list[tuple[object, ...]]:
    return journey.read("contact_points", "DISTINCT channel, address, consent", "bucket >= 0")


def test_names_are_replaced(journey: Journey) -> None:
    correct(journey, first_name="Ada", last_name=" Lovelace ")
    assert journey.read("shoppers", "first_name, last_name") == [("Ada", "Lovelace")]


def test_the_right_address_takes_over_the_consent(journey: Journey) -> None:
    journey.clock.advance(HOURS)
    correct(journey, email=RIGHT)
    assert contacts(journey) == [("email", RIGHT, "express"), ("email", WRONG, "withdrawn"), ("sms", PHONE, None)]
    assert journey.read("consents", "kind, wording, source", "source = 'correction'") == [
        ("express", "Write to me.", "correction"), ("withdrawn", "", "correction"),
    ]  # fmt: skip
    for address in (WRONG, RIGHT):
        digest = journey.context.address_hash(journey.shop.id, "email", address)
        assert fault_of_chain(journey.connection, journey.context, journey.shop, Channel.EMAIL, digest) is None
    assert journey.read("suppressions", "count(*)") == [(0,)]
    tell(
        journey.connection, journey.context, journey.shop, identified(WRONG, at=journey.clock.now(), visitor_key="a:9")
    )
    owners = dict(journey.read("contact_points", "DISTINCT address, shopper_id"))
    assert owners[PHONE] == owners[RIGHT] != owners[WRONG]  # who really has the wrong address starts anew
    assert journey.read("carts", "count(*)", f"shopper_id = '{owners[WRONG]}'") == [(0,)]


def test_a_no_about_the_wrong_address_holds_for_the_right_one(journey: Journey) -> None:
    opt_out_address(
        journey.connection, journey.context, journey.shop, channel=Channel.EMAIL, address=WRONG, source="link",
        at=journey.clock.now(),
    )  # fmt: skip
    journey.clock.advance(HOURS)
    correct(journey, email=RIGHT)
    assert ("email", RIGHT, "withdrawn") in contacts(journey)
    digest = journey.context.address_hash(journey.shop.id, "email", RIGHT)
    assert (digest, "unsubscribed") in {
        (bytes(found), reason) for found, reason in journey.read("suppressions", "address_hash, reason")
    }


def test_an_address_that_is_somebody_s_already_joins_the_two(journey: Journey) -> None:
    now = journey.clock.now()
    tell(
        journey.connection, journey.context, journey.shop,
        identified(RIGHT, at=now, visitor_key="a:2"),
        ordered(at=now, visitor_key="a:1", email=WRONG, total_cents=3900),
        added(item("tent"), at=now + HOURS / 60, visitor_key="a:1", cart_key="next"),
    )  # fmt: skip
    journey.clock.advance(HOURS)
    correct(journey, email=RIGHT, first_name="Ada")
    right = journey.context.address_hash(journey.shop.id, "email", RIGHT)
    (owner,) = {row[0] for row in journey.read("contact_points", "shopper_id, address_hash") if bytes(row[1]) == right}
    assert contacts(journey) == [("email", RIGHT, None), ("email", WRONG, "withdrawn"), ("sms", PHONE, None)]
    assert {row[0] for row in journey.read("contact_points", "shopper_id", f"address <> '{WRONG}'")} == {owner}
    for table in ("carts", "orders", "visitors"):
        assert {row[0] for row in journey.read(table, "shopper_id", "shopper_id IS NOT NULL")} == {owner}, table
    assert journey.read("shoppers", "order_count, spent_cents, first_name", "order_count > 0") == [(1, 3900, "Ada")]
    assert journey.read("shoppers", "first_name, order_count", "order_count = 0") == [("", 0), ("", 0)]


def test_what_cannot_be_corrected_is_said_so(journey: Journey) -> None:
    for values in ({}, {"email": "nobody"}, {"phone": "12"}):
        with pytest.raises(RequestError):
            correct(journey, **values)
    asked = Asked(kind=RequestKind.CORRECTION, source="dashboard", email="else@example.com", is_verified=True)
    request = record_request(journey.connection, journey.context, journey.shop, asked)
    taken = Taken(step=Step.CORRECT, by="owner", values={"first_name": "Eve"})
    with pytest.raises(RequestError, match="Nobody"):
        take_step(journey.connection, journey.context, journey.shop, request.id, taken)
