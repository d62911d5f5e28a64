"""What makes an event useless, and what can be left out of it."""

from __future__ import annotations

import pytest

from rekindle.web.ingest.problem import EventError

from .reading import read, read_with_findings, track


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"type": "track", "event": " "}, "event"),
        ({"type": "track"}, "event"),
        ({"type": "fly"}, "type"),
        ({}, "type"),
        (track("x", anonymousId=None), "anonymousId"),
        (track("x", anonymousId="a" * 256), "anonymousId"),
        (track("x", userId={"a": 1}), "userId"),
        (track("x", userId=True), "userId"),
        (track("x", messageId="m" * 100), "messageId"),
        (track("x", timestamp="yesterday"), "timestamp"),
        (track("x", timestamp="1999-12-31T23:59:59Z"), "timestamp"),
        (track("x", timestamp=1_700_000_000), "timestamp"),
        (track("x", properties="text"), "properties"),
        (track("x", {"a": 1}, context="text"), "context"),
        (track("Product Added", {"quantity": 1, "sku": {"a": 1}}), "properties.sku"),
        (track("Product Added", {"product_id": "p", "quantity": 0}), "properties.quantity"),
        (track("Product Added", {"product_id": "p", "quantity": -1}), "properties.quantity"),
        (track("Product Added", {"product_id": "p", "quantity": 10**18}), "properties.quantity"),
        (track("Product Added", {"product_id": "p", "quantity": 1.5}), "properties.quantity"),
        (track("Product Added", {"product_id": "p", "quantity": True}), "properties.quantity"),
        (track("Product Added", {"product_id": "p", "price": -0.01}), "properties.price"),
        (track("Product Added", {"product_id": "p", "price": "1e999"}), "properties.price"),
        (track("Product Added", {"product_id": "p", "price": "NaN"}), "properties.price"),
        (track("Product Added", {"product_id": "p", "price": [1]}), "properties.price"),
        (track("Product Added", {"product_id": "p", "currency": "EURO"}), "properties.currency"),
        (track("Cart Updated", {"products": {"a": 1}}), "properties.products"),
        (track("Cart Updated", {"products": [{"product_id": "p"}, 3]}), "properties.products[1]"),
        (
            track("Cart Updated", {"products": [{"product_id": "p"}, {"name": "x"}]}),
            "properties.products[1].product_id",
        ),
        (track("Cart Updated", {"products": [{"product_id": "p"}] * 201}), "properties.products"),
        (track("Cart Updated", {"cart_id": "visitor:a:x"}), "properties.cart_id"),
        (track("Cart Updated", {"cart_id": "browse:a:x"}), "properties.cart_id"),
        (track("Cart Updated", {"cart_id": "x" * 256}), "properties.cart_id"),
        ({"type": "alias", "userId": "u"}, "previousId"),
    ],
    ids=str,
)
def test_what_makes_an_event_useless_is_named(message: dict[str, object], path: str) -> None:
    with pytest.raises(EventError) as refused:
        read(message)
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"type": "identify", "userId": "u", "traits": {"email": "nobody"}}, "traits.email"),
        ({"type": "identify", "userId": "u", "traits": {"phone": "12"}}, "traits.phone"),
        ({"type": "identify", "userId": "u", "traits": {"consent": "yes"}}, "traits.consent"),
        (track("Checkout Started", {"value": -5, "checkout_id": "c"}), "properties.value"),
    ],
)
def test_what_can_be_left_out_is_left_out_and_noted(message: dict[str, object], path: str) -> None:
    event, problems = read_with_findings(message)
    assert [problem.path for problem in problems] == [path]
    assert (event.email, event.phone, event.consents, event.value_cents) == (None, None, (), None)
