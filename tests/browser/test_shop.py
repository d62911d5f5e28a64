"""Does a shopper's visit to the demo shop reach Rekindle, in a real browser with the built storefront script?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from rekindle.simulate.storefront.serve import RunningShop, start_shop
from tests.browser.conftest import Open, fits
from tests.stub_rekindle import StubRekindle


@pytest.fixture
def shop(rekindle: StubRekindle) -> Iterator[RunningShop]:
    running = start_shop(rekindle_url=rekindle.url, write_key="key-1")
    yield running
    running.stop()


def put_into_cart(page: Page, shop: RunningShop, slug: str) -> None:
    page.goto(f"{shop.url}/products/{slug}")
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart")


def give_contact(page: Page, *, agree: bool) -> None:
    page.get_by_role("link", name="To the checkout").click()
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("E-mail", exact=False).first.fill("ada@example.com")
    if agree:
        page.locator("[name=consent_email]").check()
    page.get_by_role("button", name="Continue to delivery").click()
    page.wait_for_url("**/checkout/delivery")


def test_a_visit_from_the_first_look_to_the_order_is_told_in_full(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    page.goto(shop.url)
    rekindle.wait_for("page", "Product List Viewed")
    page.get_by_role("link", name="Morgenrot enamel mug").click()
    page.get_by_text("Forest", exact=True).click()
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart")
    added, updated = rekindle.wait_for("Product Added", "Cart Updated")
    page.get_by_role("button", name="One more").click()
    give_contact(page, agree=True)
    rekindle.wait_for("Product Viewed", "Cart Viewed", "Checkout Started", "Checkout Step Completed")
    page.get_by_role("button", name="Place the order").click()
    page.wait_for_url("**/orders/*")
    [ordered] = rekindle.wait_for("Order Completed")

    cart_id = updated["properties"]["cart_id"]
    assert updated["properties"] == {
        "cart_id": cart_id,
        "currency": "EUR",
        "value": 14.9,
        "recover_url": f"{shop.url}/cart",
        "products": [
            {
                "product_id": "fw-108",
                "sku": "MUG-FOREST",
                "variant": "Forest",
                "name": "Morgenrot enamel mug",
                "category": "Cook",
                "brand": "Fernweh",
                "price": 14.9,
                "quantity": 1,
                "position": 1,
                "url": f"{shop.url}/products/mug-morgenrot",
                "image_url": f"{shop.url}/static/mug-morgenrot.svg",
            }
        ],
    }
    assert added["properties"]["cart_id"] == cart_id
    quantities = [event["properties"]["products"][0]["quantity"] for event in rekindle.named("Cart Updated")]
    assert quantities == [1, 2]
    traits = {key: value for event in rekindle.named("identify") for key, value in event["traits"].items()}
    assert traits["email"] == "ada@example.com"
    assert traits["firstName"] == "Ada"
    assert traits["address"] == {"country": "FR"}
    assert list(traits["consent"]) == ["email"]
    assert traits["consent"]["email"]["granted"] is True
    assert traits["consent"]["email"]["wording"].startswith("Yes, Fernweh Outfitters may e-mail me about my cart")
    assert ordered["_path"] == "/v1/track"
    assert ordered["properties"] | {"products": None} == {
        "order_id": shop.app.orders[0].order_id,
        "cart_id": cart_id,
        "checkout_id": cart_id,
        "email": "ada@example.com",
        "currency": "EUR",
        "subtotal": 29.8,
        "shipping": 4.9,
        "total": 34.7,
        "products": None,
    }
    assert {event["_key"] for event in rekindle.events} == {"key-1"}
    assert len({event["anonymousId"] for event in rekindle.events}) == 1
    expect(page.get_by_text("stops every message about this cart")).to_be_visible()


def test_boxes_are_unticked_and_silence_is_no_consent(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    put_into_cart(page, shop, "stove-funke")
    page.goto(f"{shop.url}/checkout")
    assert [box.is_checked() for box in page.locator("input[type=checkbox]").all()] == [False, False, False]
    page.go_back()
    give_contact(page, agree=False)
    rekindle.wait_for("Checkout Step Completed")
    assert [event for event in rekindle.named("identify") if "consent" in event["traits"]] == []


def test_an_address_typed_and_left_is_known_before_the_form_is_sent(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    put_into_cart(page, shop, "stove-funke")
    page.goto(f"{shop.url}/checkout")
    page.locator("[name=email]").fill("ada@example")
    page.locator("[name=name]").focus()
    page.locator("[name=email]").fill("ada@example.com")
    page.locator("[name=name]").focus()
    [identified] = rekindle.wait_for("identify")
    assert identified["traits"] == {"email": "ada@example.com"}
    assert identified["context"]["capture"] == "typed"
    assert page.url.endswith("/checkout")


def test_a_recovery_link_brings_the_things_back_beside_those_already_here(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    rekindle.carts["tok1"] = {
        "cart_key": "old",
        "currency": "EUR",
        "items": [
            {"product_id": "fw-101", "variant": "Clay", "sku": "TNT-CLAY", "quantity": 2, "title": "Tent"},
            {"product_id": "gone", "variant": "", "sku": "GONE", "quantity": 1, "title": "Old lamp"},
        ],
    }
    page = open_page()
    put_into_cart(page, shop, "stove-funke")
    before = page.context.cookies()
    page.goto(f"{shop.url}/?rekindle_cart=tok1")
    page.wait_for_url("**/cart?restored=1")
    expect(page.get_by_text("Welcome back.")).to_be_visible()
    expect(page.get_by_text("No longer available: Old lamp.")).to_be_visible()
    expect(page.locator(".lines li")).to_have_count(2)
    assert page.context.cookies() == before
    page.goto(f"{shop.url}/?rekindle_cart=tok1")
    page.wait_for_url("**/cart?restored=1")
    assert page.locator(".stepper output").all_inner_texts() == ["1", "2"]
    rekindle.wait_for("Cart Restored")
    assert "tok1" not in str(rekindle.events)


def test_an_expired_recovery_link_says_so_and_leaves_the_cart_alone(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page(quiet=True)  # the browser writes the 404 into its console
    put_into_cart(page, shop, "stove-funke")
    page.goto(f"{shop.url}/?rekindle_cart=unknown")
    expect(page.get_by_text("This link no longer works.")).to_be_visible()
    assert page.url == f"{shop.url}/"
    expect(page.locator(".bag-count")).to_have_text("1")


def test_events_wait_in_the_browser_while_rekindle_is_down(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    rekindle.refuse_next = [503, 503]
    page = open_page(quiet=True)
    page.goto(shop.url)
    rekindle.wait_for("page", "Product List Viewed")
    assert len(rekindle.requests) == 3
    assert sorted(rekindle.names()) == ["Product List Viewed", "page"]


def test_a_page_left_at_once_still_tells_what_happened(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    page.goto(shop.url)
    rekindle.wait_for("page")
    page.evaluate("rekindle.track('Last Word')")
    page.goto("about:blank")
    rekindle.wait_for("Last Word")


def test_nothing_is_told_after_a_shopper_said_do_not(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    page.goto(shop.url)
    rekindle.wait_for("page")
    page.evaluate("rekindle.doNotSend(true)")
    told = len(rekindle.requests)
    put_into_cart(page, shop, "stove-funke")
    page.evaluate("rekindle.flush()")
    page.wait_for_load_state("networkidle")
    assert len(rekindle.requests) == told
    assert page.evaluate("Object.keys(localStorage)") == ["rk.off"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_every_page_fits_its_screen(shop: RunningShop, open_page: Open, width: int) -> None:
    page = open_page(width=width)
    page.goto(shop.url)
    assert fits(page)
    put_into_cart(page, shop, "bag-siebenschlaefer")
    assert fits(page)
    page.goto(f"{shop.url}/products/jacket-nieselregen")
    assert fits(page)
    page.goto(f"{shop.url}/cart")
    page.get_by_role("link", name="To the checkout").click()
    assert fits(page)
