"""Does the quick reader say of every message what the careful one says, or leave it alone?"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from rekindle.terms.event import ShopEvent
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.envelope import open_event
from rekindle.web.ingest.problem import EventError, Findings
from rekindle.web.ingest.segment import read_event
from rekindle.web.ingest.usual import usual_event

from .reading import NOW, SHOP, track

ITEM: dict[str, Any] = {
    "product_id": "p-1",
    "sku": "S-1",
    "name": "Jacket",
    "price": 19.99,
    "quantity": 2,
    "category": "Outdoor",
    "image_url": "https://cdn.example/1.jpg",
    "url": "/p/1",
}
#: What may stand in any field, from the plain to the hostile.
VALUES: list[Any] = [
    None, "", "x", "x" * 255, "x" * 256, "x" * 501, "ä€😀", 0, 1, 2.0, 2.5, -1, 100_000, 100_001, 10**30, True, [], {},
    ["x"], {"a": 1}, [ITEM], [ITEM, {}], [ITEM] * 200, [ITEM] * 201, "19.99", "1,5", "EUR", "jpy", "XXX", "//cdn.example/a",
    "https://a.example/b?c=d", "javascript:alert(1)", "visitor:x", "browse:x", "ada@example.com", "2026-03-02T08:00:00Z",
    "2026-03-02T09:00:00+01:00", "2026-03-02", "2031-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "now",
]  # fmt: skip
NAMES = ["Product Added", "Product Viewed", "Product Removed", "Cart Viewed", "Cart Updated", "Checkout Started"]
OTHERS = ["Order Completed", "product_added", "Horse Fed", " ", "Coupon Entered", "Unsubscribed", "x" * 300]
FIELDS = ["type", "event", "name", "userId", "anonymousId", "messageId", "timestamp", "traits", "properties", "context"]
PROPERTIES = [
    *ITEM, "cart_id", "cartId", "checkout_id", "order_id", "currency", "products", "items", "value", "total", "email",
    "phone", "consent", "coupon", "recover_url", "step", "productId", "title", "variant", "item_variant", "brand",
]  # fmt: skip
CONTEXTS = [
    {"locale": "de-DE", "page": {"url": "https://shop.example/p?x=1", "title": "P"}, "userAgent": "iPhone"},
    {"gpc": True},
    {"traits": {"email": "ada@example.com"}},
    {"campaign": {"name": "spring"}},
]


def both(message: dict[str, Any], *, gpc: bool = False, skew: timedelta = timedelta(0)) -> tuple[Any, ShopEvent | None]:
    """What the careful reader says (an event, or what it refuses), and the quick one."""
    raw = msgspec.json.encode(message)
    arrival = Arrival(shop=SHOP, received_at=NOW, skew=skew, gpc=gpc, is_server=gpc)
    findings = Findings()
    careful: Any
    try:
        careful = read_event(raw, open_event(raw), arrival, findings)
    except EventError as error:
        careful = error
    return (findings.found or careful), usual_event(raw, arrival)


@pytest.mark.parametrize("name", NAMES)
def test_usual_messages_are_read_quickly(name: str) -> None:
    for properties in ({"cart_id": "c-1", **ITEM}, {"cart_id": "c-1", "products": [ITEM, ITEM]}, {"sku": "S-1"}, {}):
        for context in CONTEXTS:
            careful, quick = both(track(name, properties, context=context, userId="u-1"), skew=timedelta(minutes=-3))
            if "traits" in context:
                assert quick is None
            else:
                assert quick == careful


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_told_both_say_the_same(seed: int) -> None:
    draw = random.Random(seed)
    quick_count = 0
    for _ in range(1_000):
        properties = (
            {"cart_id": "c-1", "currency": "EUR", **ITEM} if draw.random() < 0.8 else {"products": [dict(ITEM)]}
        )
        message = track(draw.choice(NAMES if draw.random() < 0.9 else OTHERS), properties)
        message["context"] = draw.choice(CONTEXTS)
        for _ in range(draw.choice([0, 1, 1, 2])):
            place, names = draw.choice([(message, FIELDS), (properties, PROPERTIES), (properties, PROPERTIES)])
            place[draw.choice(names)] = draw.choice(VALUES)
        careful, quick = both(message, gpc=draw.random() < 0.1, skew=timedelta(seconds=draw.choice([0, 0, 90, -90])))
        if quick is not None:
            quick_count += 1
            assert quick == careful, message
    assert quick_count > 200
