"""May a visitor of the demo shop be reminded in the browser, and does the browser show what Rekindle sends?

A test browser has no push service to subscribe at, and none takes one on this machine. So the subscription itself is made
up, and the message is handed to the service worker by the browser's own debugging interface; the rest is real: the
question, the shop's worker, what is told with which words, what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from rekindle.providers.push.web_push import payload
from rekindle.simulate.storefront.serve import RunningShop, start_shop
from rekindle.simulate.storefront.tracking import PUSH_WORDING
from tests.browser.conftest import Open
from tests.providers.push_kit import push
from tests.stub_rekindle import StubRekindle

KEYS = {
    "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
    "auth": "8eDyX_uCN0XRhSbY5hs7Hg",
}
SUBSCRIPTION = {"endpoint": "https://fcm.googleapis.com/fcm/send/a-browser", "keys": KEYS}
#: What a push service would have answered.
SUBSCRIBED = f"""
const made = {{ ...{SUBSCRIPTION!r}, toJSON: () => ({SUBSCRIPTION!r}), unsubscribe: async () => true }};
PushManager.prototype.subscribe = async () => made;
"""


@pytest.fixture
def shop(rekindle: StubRekindle) -> Iterator[RunningShop]:
    running = start_shop(rekindle_url=rekindle.url, write_key="key-1")
    yield running
    running.stop()


def at_the_cart(page: Page, shop: RunningShop) -> None:
    page.goto(f"{shop.url}/products/mug-morgenrot")
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart")


def test_a_visitor_agrees_and_the_browser_shows_the_message(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page()
    page.context.grant_permissions(["notifications"], origin=shop.url)
    page.add_init_script(SUBSCRIBED)
    at_the_cart(page, shop)
    assert rekindle.named("identify") == [], "nobody is asked without a click"
    page.get_by_role("button", name="Remind me in this browser").click()
    expect(page.get_by_text("this browser reminds you of it")).to_be_visible()
    (told,) = rekindle.wait_for("identify")
    assert told["traits"]["push"] == SUBSCRIPTION
    assert told["traits"]["consent"]["push"]["granted"] is True
    assert told["traits"]["consent"]["push"]["wording"] == PUSH_WORDING
    assert told["anonymousId"] == rekindle.wait_for("Cart Updated")[0]["anonymousId"]
    assert shown_after(page, shop, payload(push()).decode()) == [
        {"title": "Dein Korb wartet", "body": "Größe 42 – noch da 😀", "to": "https://r.example/r/abc"}
    ]


def shown_after(page: Page, shop: RunningShop, message: str) -> list[dict[str, Any]]:
    """What this browser shows once its service worker was handed a message."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    devtools, found = page.context.new_cdp_session(page), []
    devtools.on("ServiceWorker.workerRegistrationUpdated", lambda told: found.extend(told["registrations"]))
    devtools.send("ServiceWorker.enable")
    while not found:
        page.wait_for_timeout(50)
    where = {"origin": shop.url, "registrationId": found[0]["registrationId"]}
    devtools.send("ServiceWorker.deliverPushMessage", {**where, "data": message})
    page.wait_for_function("navigator.serviceWorker.ready.then(async (r) => (await r.getNotifications()).length > 0)")
    shown: list[dict[str, Any]] = page.evaluate(
        "navigator.serviceWorker.ready.then(async (r) => (await r.getNotifications()).map("
        "(one) => ({ title: one.title, body: one.body, to: one.data.rekindle[0] })))"
    )
    return shown


def test_a_browser_that_may_not_or_cannot_says_so_and_nothing_is_told(
    shop: RunningShop, rekindle: StubRekindle, open_page: Open
) -> None:
    page = open_page(quiet=True)  # the script warns that there is no push service
    page.add_init_script("PushManager.prototype.subscribe = () => Promise.reject(new Error('no push service'));")
    page.context.grant_permissions(["notifications"], origin=shop.url)
    at_the_cart(page, shop)
    page.get_by_role("button", name="Remind me in this browser").click()
    expect(page.get_by_text("reaches no push service")).to_be_visible()
    assert rekindle.named("identify") == []
