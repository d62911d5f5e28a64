"""Does the page say what may be sent, when, and which rule decides; and is it what a send would meet?"""

from __future__ import annotations

import pytest

from rekindle.store.dashboard.cart import load_cart, load_decisions
from tests.web.seed import Seeded
from tests.web.world import World

pytestmark = pytest.mark.only_reads

ASKED = {
    "ask-country": "DE", "ask-zone": "Europe/Berlin", "ask-consent": "express", "ask-wording": "on",
    "ask-left_hours": "4", "ask-at": "2026-03-02T12:00",
}  # fmt: skip


def test_it_answers_before_anybody_has_typed(world: World, seeded: Seeded) -> None:
    page = world.as_("viewer@fernweh.example").get(world.path("law/"))
    assert page.status_code == 200
    assert page.text.count("rk-tag-good") >= 1
    assert "rekindle-default" in page.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["DOUBLE_OPT_IN_MISSING", "UWG s. 7(2), (3)"]),
        ({"ask-confirmed": "on"}, ["basis: express"]),
        ({"ask-confirmed": "on", "ask-at": "2026-03-02T21:30"}, ["QUIET_HOURS", "Tue 3 Mar 2026, 09:00"]),
        ({"ask-confirmed": "on", "ask-left_hours": "50"}, ["STALE", "within 48 hours of leaving the cart"]),
        ({"ask-confirmed": "on", "ask-about_cart": "1"}, ["CART_CAP", "at most 1 about one cart"]),
        ({"ask-consent": "withdrawn"}, ["OPTED_OUT"]),
        # first the caps, then the night: each is named with its own time
        ({"ask-confirmed": "on", "ask-last_hours": "0.5", "ask-at": "2026-03-02T19:40"}, ["CHANNEL_GAP", "QUIET_HOURS"]),
        ({"ask-country": "", "ask-consent": ""}, ["NO_BASIS"]),
    ],
)  # fmt: skip
def test_it_names_the_reason_the_rule_and_the_time(
    world: World, seeded: Seeded, changes: dict[str, str], expected: list[str]
) -> None:
    page = world.as_("owner@fernweh.example").get(world.path("law/"), {**ASKED, **changes})
    assert page.status_code == 200
    for text in expected:
        assert text in page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"ask-country": "Germany"}, {"ask-left_hours": "-1"}, {"ask-left_hours": "1e999"}, {"ask-at": "yesterday"},
        {"ask-zone": "Mars/Olympus"}, {"ask-consent": "sure"}, {"ask-about_cart": "10000000000"}, {"ask-at": "0001-01-01T00:00"},
    ],
)  # fmt: skip
def test_bad_questions_are_told_apart(world: World, seeded: Seeded, changes: dict[str, str]) -> None:
    page = world.as_("owner@fernweh.example").get(world.path("law/"), {**ASKED, **changes})
    assert page.status_code in {200, 422}
    if page.status_code == 422:
        assert "Please look at the marked field" in page.text


def test_a_cart_is_asked_about_as_a_send_would_be(world: World, seeded: Seeded) -> None:
    cart = seeded.story
    place = f"carts/{cart['bucket']}/{cart['id']}/"
    client = world.as_("viewer@fernweh.example")
    assert f"{place}law" in client.get(world.path(place)).text
    page = client.get(world.path(f"{place}law"))
    assert "PURCHASED" in page.text
    stored = load_cart(world.connection, bucket=cart["bucket"], shop_id=world.shop.id, cart_id=cart["id"])
    assert stored is not None
    assert load_decisions(world.connection, stored, [cart["bucket"]])
