"""Messages of Segment's protocol in our terms."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rekindle.terms.event import ConsentGiven, EventKind
from rekindle.web.ingest.names import kind_of

from .reading import NOW, read, read_with_findings, track

SHARED = Path(os.environ.get("REKINDLE_SHARED", Path(__file__).resolve().parents[4] / "shared"))
CONTRACT = SHARED / "contracts" / "segment" / "ecommerce_v2.json"

EXPECTED_KINDS = {
    "Product Viewed": EventKind.PRODUCT_VIEWED,
    "Product Added": EventKind.PRODUCT_ADDED,
    "Product Removed": EventKind.PRODUCT_REMOVED,
    "Cart Viewed": EventKind.CART_VIEWED,
    "Checkout Started": EventKind.CHECKOUT_STARTED,
    "Checkout Step Viewed": EventKind.CHECKOUT_STEP,
    "Checkout Step Completed": EventKind.CHECKOUT_STEP,
    "Payment Info Entered": EventKind.PAYMENT_ENTERED,
    "Order Updated": EventKind.ORDER_UPDATED,
    "Order Completed": EventKind.ORDER_COMPLETED,
    "Order Refunded": EventKind.ORDER_REFUNDED,
    "Order Cancelled": EventKind.ORDER_CANCELLED,
    "Coupon Entered": EventKind.COUPON_TRIED,
    "Coupon Applied": EventKind.COUPON_TRIED,
    "Coupon Denied": EventKind.COUPON_TRIED,
    "Coupon Removed": EventKind.COUPON_TRIED,
    "Wishlist Product Added to Cart": EventKind.PRODUCT_ADDED,
}


def contract_events() -> dict[str, dict[str, Any]]:
    return json.loads(CONTRACT.read_text()) if CONTRACT.exists() else {}


@pytest.mark.skipif(not CONTRACT.exists(), reason="the published e-commerce examples are not here (REKINDLE_SHARED)")
def test_all_28_published_examples_are_taken() -> None:
    events = contract_events()
    assert len(events) == 28
    for name, entry in events.items():
        event = read(track(name, entry["example"]))
        assert event.kind is EXPECTED_KINDS.get(name, EventKind.OTHER), name
        assert event.name == name
        assert isinstance(msgspec.json.decode(event.payload), dict)


def test_a_completed_order_is_read_to_the_cent() -> None:
    event = read(
        track(
            "Order Completed",
            {
                "checkout_id": "chk",
                "order_id": "o-1",
                "cart_id": "c-1",
                "total": 27.5,
                "revenue": 22.5,
                "currency": "usd",
                "coupon": "hasbros",
                "products": [
                    {
                        "product_id": "p1",
                        "sku": "s1",
                        "name": "Monopoly",
                        "price": 19,
                        "quantity": 1,
                        "variant": "blue",
                    },
                    {
                        "product_id": "p2",
                        "price": 3.335,
                        "quantity": 2,
                        "url": "/p/2",
                        "image_url": "//cdn.example/2.jpg",
                    },
                ],
            },
        )
    )
    assert event.order is not None
    assert (event.order.order_key, event.order.total_cents, event.order.currency) == ("o-1", 2750, "USD")
    assert event.order.coupons == ("hasbros",)
    assert (event.cart_key, event.checkout_key) == ("c-1", "chk")
    first, second = event.items
    assert (first.product_key, first.sku, first.title, first.unit_cents, first.variant) == (
        "p1",
        "s1",
        "Monopoly",
        1900,
        "blue",
    )
    assert (second.quantity, second.unit_cents) == (2, 334)
    assert second.url == "https://fernweh.example/p/2"
    assert second.image_url == "https://cdn.example/2.jpg"


def test_an_order_without_a_readable_body_is_still_an_order() -> None:
    event, problems = read_with_findings(
        track("Completed Order", {"order_id": "o-2", "currency": "XXX", "products": [{"price": -1}], "total": "many"})
    )
    assert event.kind is EventKind.ORDER_COMPLETED
    assert event.order is not None
    assert event.order.order_key == "o-2"
    assert event.items == ()
    assert [problem.path for problem in problems] == ["properties.currency"]


def test_an_order_without_an_id_gets_the_message_s_own() -> None:
    event = read(track("Order Completed", {"total": 5}))
    assert event.order is not None
    assert (event.order.order_key, event.order.total_cents) == ("event:m1", 500)


def test_a_refund_names_what_was_given_back() -> None:
    partial = read(track("Order Refunded", {"order_id": "o", "total": 4.2}))
    whole = read(track("Order Refunded", {"order_id": "o"}))
    assert partial.order is not None
    assert whole.order is not None
    assert (partial.order.refunded_cents, partial.order.total_cents) == (420, 0)
    assert whole.facts["full_refund"] is True


def test_a_single_product_lies_in_the_properties() -> None:
    event = read(track("Product Added", {"cart_id": 4711, "product_id": "p", "quantity": "3", "price": "12.50"}))
    assert event.cart_key == "4711"
    assert [(item.product_key, item.quantity, item.unit_cents) for item in event.items] == [("p", 3, 1250)]
    assert event.currency == "EUR"


def test_a_removal_without_a_quantity_takes_all_out() -> None:
    assert read(track("Product Removed", {"product_id": "p"})).items[0].quantity == 0
    assert read(track("Product Added", {"product_id": "p"})).items[0].quantity == 1


def test_ga4_names_are_understood() -> None:
    event = read(
        track(
            "add_to_cart", {"currency": "EUR", "value": 7, "items": [{"item_id": "i", "item_name": "Mug", "price": 7}]}
        )
    )
    assert event.kind is EventKind.PRODUCT_ADDED
    assert (event.items[0].product_key, event.items[0].title, event.value_cents) == ("i", "Mug", 700)


def test_an_early_order_id_joins_checkout_and_order() -> None:
    started = read(track("Checkout Started", {"order_id": "o-9"}))
    ordered = read(track("Order Completed", {"order_id": "o-9"}))
    assert started.checkout_key == ordered.checkout_key == "o-9"
    assert started.order is None


@pytest.mark.parametrize(
    ("told", "skew", "at", "stamped"),
    [
        ("2026-03-02T08:00:00.5+01:00", timedelta(0), "2026-03-02T07:00:00.500000", "2026-03-02T07:00:00.500000"),
        ("2026-03-02T08:00:00", timedelta(0), "2026-03-02T08:00:00", "2026-03-02T08:00:00"),
        ("2026-03-02T09:59:00Z", timedelta(hours=-1), "2026-03-02T08:59:00", "2026-03-02T09:59:00"),
        ("2026-03-02T07:59:00Z", timedelta(hours=1), "2026-03-02T08:59:00", "2026-03-02T07:59:00"),
        ("2026-03-02T09:30:00Z", timedelta(0), "2026-03-02T09:00:00", "2026-03-02T09:30:00"),
        ("2099-01-01T00:00:00Z", timedelta(0), "2026-03-02T09:00:00", "2026-03-02T00:00:00"),
        (None, timedelta(hours=5), "2026-03-02T09:00:00", "2026-03-02T00:00:00"),
        ("2026-03-02T08:00:00Z", timedelta(days=-300_000), "2026-03-02T09:00:00", "2026-03-02T08:00:00"),
    ],
)
def test_instants_are_corrected_and_stamps_are_kept(told: str | None, skew: timedelta, at: str, stamped: str) -> None:
    event = read(track("Page", timestamp=told), skew=skew)
    assert event.at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert event.stamped_at == datetime.fromisoformat(stamped).replace(tzinfo=UTC)
    assert event.received_at == NOW


def test_a_message_without_an_id_gets_the_same_one_each_time() -> None:
    one = read(track("Product Viewed", {"product_id": "p"}, messageId=None))
    again = read(
        track("Product Viewed", {"product_id": "p"}, messageId="", sentAt="2026-03-02T09:00:00Z", writeKey="w")
    )
    other = read(track("Product Viewed", {"product_id": "q"}, messageId=None))
    assert one.message_key == again.message_key != other.message_key
    assert len(one.message_key) < 100


def test_identities_become_visitor_keys() -> None:
    assert read(track("x", userId=12, anonymousId=None)).visitor_key == "u:12"
    both = read(track("x", userId="u1"))
    assert (both.visitor_key, both.customer_key) == ("a:v1", "u1")
    alias = read({"type": "alias", "userId": "u1", "previousId": "v1"})
    assert (alias.kind, alias.visitor_key, alias.previous_key) == (EventKind.ALIASED, "u:u1", "a:v1")


def test_an_identify_tells_address_consent_and_traits() -> None:
    event = read(
        {
            "type": "identify",
            "anonymousId": "v1",
            "traits": {
                "email": " Ada@Example.COM ",
                "phone": "0151 12345678",
                "name": "Ada Lovelace",
                "plan": "gold",
                "address": {"street": "Main 1", "country": "de"},
                "consent": {
                    "email": {"granted": True, "wording": "Yes, remind me", "method": "checkbox", "page": "/checkout"},
                    "sms": False,
                },
            },
        }
    )
    assert (event.kind, event.email, event.phone) == (EventKind.IDENTIFIED, "ada@example.com", "+4915112345678")
    assert event.traits == {"first_name": "Ada", "last_name": "Lovelace", "plan": "gold"}
    assert event.consents == (
        ConsentGiven(channel="email", granted=True, wording="Yes, remind me", method="checkbox", page="/checkout"),
        ConsentGiven(channel="sms", granted=False),
    )
    assert event.facts["country"] == "DE"
    assert event.payload == b"{}"


def test_only_a_plain_yes_is_a_yes() -> None:
    event, problems = read_with_findings(
        {
            "type": "identify",
            "userId": "u",
            "traits": {"consent": {"email": "true", "sms": 1, "push": {"granted": "yes"}, "fax": True}},
        }
    )
    assert event.consents == ()
    assert [problem.path for problem in problems] == [
        f"traits.consent.{name}" for name in ("email", "sms", "push", "fax")
    ]


def test_traits_in_the_context_count_too() -> None:
    event = read(
        track("Product Viewed", {"product_id": "p"}, context={"traits": {"email": "a@b.example"}, "gpc": True})
    )
    assert (event.email, event.gpc) == ("a@b.example", True)


@pytest.mark.parametrize(
    ("name", "properties", "channels"),
    [
        ("Unsubscribed", {}, ["email", "sms", "push"]),
        ("Unsubscribed", {"channel": "sms"}, ["sms"]),
        ("Email Unsubscribed", {}, ["email"]),
        ("email_unsubscribed", {}, ["email"]),
    ],
)
def test_leaving_is_understood(name: str, properties: dict[str, object], channels: list[str]) -> None:
    event = read(track(name, properties))
    assert event.kind is EventKind.OPTED_OUT
    assert [(given.channel, given.granted) for given in event.consents] == [(channel, False) for channel in channels]


def test_an_erasure_names_the_person() -> None:
    event = read(
        {"type": "track", "event": "User Deleted", "userId": "u1", "context": {"traits": {"email": "a@b.example"}}}
    )
    assert (event.kind, event.customer_key, event.email) == (EventKind.ERASURE_REQUESTED, "u1", "a@b.example")


def test_surroundings_are_coarse_and_know_no_network_address() -> None:
    event = read(
        track(
            "Product Viewed",
            {"product_id": "p"},
            context={
                "ip": "203.0.113.9",
                "userAgent": "Mozilla/5.0 (Linux; Android 14; Pixel) Mobile Safari",
                "locale": "de_DE",
                "timezone": "Europe/Berlin",
                "page": {"url": "https://fernweh.example/p?email=a@b.example#x", "referrer": "https://g.example/?q=1"},
                "campaign": {"source": "news", "name": "spring", "odd": 1},
                "location": {"country": "de", "region": "BE"},
            },
        )
    )
    assert event.facts == {
        "device": "mobile",
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
        "country": "DE",
        "region": "BE",
        "page_url": "https://fernweh.example/p",
        "referrer": "https://g.example/",
        "campaign": {"source": "news", "name": "spring"},
    }
    assert "203.0.113.9" not in repr(event)


def test_what_is_kept_of_an_unknown_event_names_nobody() -> None:
    event = read(
        track(
            "Quiz Finished",
            {
                "score": 3,
                "name": "Ada",
                "Email-Address": "ada@x.example",
                "note": "write ada@x.example or +4915112345678",
                "shipping_address": {"street": "x"},
                "deep": [{"first_name": "Ada", "kept": True}],
                "page": "https://x.example/a?token=secret",
            },
        )
    )
    assert msgspec.json.decode(event.payload) == {
        "score": 3,
        "note": "write *** or ***",
        "deep": [{"kept": True}],
        "page": "https://x.example/a",
    }


def test_an_understood_event_keeps_its_normal_form() -> None:
    event = read(
        track("Cart Updated", {"cart_id": "c", "products": [{"product_id": "p", "price": 1.5, "gift_to": "Ada"}]})
    )
    assert msgspec.json.decode(event.payload) == {
        "items": [{"product_key": "p", "quantity": 1, "unit_cents": 150}],
        "currency": "EUR",
    }


def test_empty_parts_in_php_s_spelling_are_empty() -> None:
    event = read({"type": "identify", "userId": "u", "traits": [], "context": [], "properties": None})
    assert event.kind is EventKind.IDENTIFIED


def test_texts_are_cut_and_addresses_of_other_kinds_left_out() -> None:
    item = read(
        track(
            "Product Viewed",
            {
                "product_id": "p",
                "name": "x" * 600,
                "url": "javascript:alert(1)",
                "image_url": "https://x.example/" + "a" * 2_000,
                "category": ["a"],
                "brand": 5,
            },
        )
    ).items[0]
    assert (len(item.title), item.url, item.image_url, item.category, item.brand) == (500, "", "", "", "5")


def test_names_are_known_in_any_spelling() -> None:
    assert kind_of("ORDER  completed") is kind_of("order-completed") is EventKind.ORDER_COMPLETED
    assert kind_of("Product Added to Wishlist") is EventKind.OTHER
