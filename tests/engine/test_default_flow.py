"""Does a new shop, as it comes, really write its three reminders? Its own flow, its own caps, days on a moved clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from rekindle.engine.configure import change_shop
from rekindle.engine.context import Context
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.onboard import BROWSE_FLOW_KEY, FLOW_KEY, default_flow
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import natural_id
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection, connect

from .days import Days
from .scene import put_cart, put_shopper, put_visit

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WIDE = {"per_24h": {"email": 9, "all": 9}, "per_7d": {"email": 9, "all": 9}, "per_cart": {"email": 9, "all": 9}}


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def days(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock) -> Days:
    return Days(link, fresh_dsn, context, clock)


def leave(days: Days, key: str = "cart-1") -> None:
    """Ada leaves a cart behind now, and stays away."""
    if days.connection.execute("SELECT 1 FROM shoppers").fetchone() is None:
        put_shopper(days.connection, days.context, days.shop, country="US")
    row = days.connection.execute("SELECT bucket, id FROM shoppers").fetchone()
    assert row is not None
    put_cart(days.connection, days.context, days.shop, key=key, shopper_bucket=row[0], shopper_id=row[1])


def test_three_mails_go_out_after_4_28_and_72_hours_and_the_wait_is_explained(
    link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int
) -> None:
    days = Days(link, fresh_dsn, context, clock, spread=spread)
    leave(days)
    abandoned = days.clock.now() + timedelta(seconds=days.shop.cart_idle_s)
    days.pass_by(4 * DAY)
    assert [(went.step, went.at - abandoned) for went in days.went()] == [
        ("reminder-1", 4 * HOUR),
        ("reminder-2", 28 * HOUR),  # due after 24, but the house allows one mail in 24 hours
        ("reminder-3", 72 * HOUR),
    ]
    assert days.decided() == [
        ("reminder-1", "allow", "ALLOWED", None),
        ("reminder-2", "defer", "CAP_24H", abandoned + 28 * HOUR),
        ("reminder-2", "allow", "ALLOWED", None),
        ("reminder-3", "allow", "ALLOWED", None),
    ]
    evidence = days.connection.execute("SELECT evidence FROM decisions WHERE outcome = 'defer'").fetchall()
    assert [{key: told[key] for key in ("channel", "count", "cap")} for (told,) in evidence] == [
        {"channel": "email", "count": 1, "cap": 1}
    ]
    assert days.connection.execute("SELECT 1 FROM outbox").fetchall() == []
    assert [letter.recipient for letter in days.provider.started] == ["ada@example.com"] * 3


def test_a_mail_that_waits_for_its_cap_is_withdrawn_like_any_other(days: Days) -> None:
    leave(days)
    days.pass_by(25 * HOUR)
    assert [went.step for went in days.went()] == ["reminder-1"]
    days.connection.execute("UPDATE carts SET order_key = 'o1'")
    days.pass_by(3 * DAY)
    assert [went.step for went in days.went()] == ["reminder-1"]
    assert ("reminder-2", "deny", "PURCHASED", None) in days.decided()


def test_messages_that_waited_for_the_same_cap_do_not_come_one_after_the_other(days: Days) -> None:
    save_flow(days.connection, days.context, days.shop, key=FLOW_KEY, name="Quick", definition=default_flow((3_600, 6 * 3_600, 12 * 3_600)))  # fmt: skip
    activate_flow(days.connection, days.context, days.shop, FLOW_KEY)
    leave(days)
    abandoned = days.clock.now() + timedelta(seconds=days.shop.cart_idle_s)
    days.pass_by(6 * DAY)
    assert [(went.step, went.at - abandoned) for went in days.went()] == [
        ("reminder-1", 1 * HOUR),
        ("reminder-2", 25 * HOUR),
    ]
    assert days.decided()[-1] == ("reminder-3", "deny", "CATCH_UP", None)


def test_after_days_without_delivery_one_reminder_goes_out_even_without_caps(days: Days) -> None:
    change_shop(days.connection, days.shop.id, {"limits": WIDE}, by=0)
    leave(days)
    days.pass_by(3 * DAY, delivering=False)
    assert days.went() == []
    days.pass_by(2 * DAY)
    assert [went.step for went in days.went()] == ["reminder-1", "reminder-3"]  # the third was not due yet
    assert ("reminder-2", "deny", "CATCH_UP", None) in days.decided()


def test_a_second_cart_within_the_week_waits_until_the_weeks_cap_opens(days: Days) -> None:
    leave(days)
    first = days.clock.now() + timedelta(seconds=days.shop.cart_idle_s)
    days.pass_by(4 * DAY)
    leave(days, "cart-2")
    days.pass_by(14 * DAY)
    opened_at = first + 7 * DAY + 4 * HOUR  # three days and four hours after the second cart was left
    assert [(went.step, went.at) for went in days.went()[3:]] == [("reminder-1", opened_at)]
    told = days.decided()[4:]
    assert ("reminder-1", "defer", "CAP_7D", opened_at) in told
    assert [(step, reason) for step, outcome, reason, _ in told if outcome == "deny"] == [
        ("reminder-2", "CATCH_UP"),
        ("reminder-3", "CATCH_UP"),
    ]


def put_products(days: Days, *keys: str) -> None:
    for key in keys:
        days.connection.execute(
            "INSERT INTO products (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category, popularity, seen_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, '', 900, 'EUR', '', 1, %s)",
            [
                base_bucket(days.shop),
                natural_id("product", days.shop.id, key),
                days.shop.id,
                key,
                f"Lamp {key}",
                f"https://fernweh.example/{key}",
                days.clock.now(),
            ],
        )


@pytest.mark.parametrize("is_on", [False, True])
def test_a_visit_is_written_about_once_when_its_flow_was_switched_on_and_never_before(days: Days, is_on: bool) -> None:
    put_products(days, "p1", "p2")
    if is_on:
        activate_flow(days.connection, days.context, days.shop, BROWSE_FLOW_KEY)
    put_visit(days.connection, days.context, days.shop, put_shopper(days.connection, days.context, days.shop), views=["p2", "p1"])  # fmt: skip
    left = days.clock.now() + timedelta(seconds=days.shop.browse_idle_s)
    days.pass_by(4 * DAY)
    assert [(went.step, went.at) for went in days.went()] == ([("reminder", left + DAY)] if is_on else [])
    if is_on:
        letter = days.provider.started[0].content
        assert b"Subject: Another look at Lamp p2?" in letter
        assert b"You left something" not in letter
