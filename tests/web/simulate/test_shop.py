"""Does the demo shop keep its promises without a browser: carts, merging, consent, orders, hostile input?"""

from __future__ import annotations

import html
import io
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.lib.clock import MovableClock
from rekindle.simulate.storefront.app import Shop, make_app
from rekindle.simulate.storefront.carts import MAX_QUANTITY, MAX_VISITS, Cart, Visits
from rekindle.simulate.storefront.catalogue import BY_SKU, PRODUCTS
from rekindle.simulate.storefront.report_events import Reporter
from rekindle.simulate.storefront.serve import start_shop
from tests.stub_rekindle import StubRekindle

CONTACT = {"name": "Ada Lovelace", "email": "Ada@Example.com", "country": "FR"}


class Visitor:
    """A browser without JavaScript: keeps its cookie, follows nothing by itself."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.cookie = ""
        self.status = 0
        self.headers: dict[str, str] = {}

    def get(self, path: str) -> str:
        return self._ask("GET", path, b"", {})

    def post(self, path: str, form: dict[str, Any], **headers: str) -> str:
        return self._ask("POST", path, urlencode(form).encode(), headers)

    def post_json(self, path: str, value: object, **headers: str) -> str:
        return self._ask("POST", path, json.dumps(value).encode(), {"CONTENT_TYPE": "application/json"} | headers)

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> str:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "80",
            "HTTP_HOST": "shop.example",
            "HTTP_COOKIE": self.cookie,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            **headers,
        }

        def start(status: str, given: list[tuple[str, str]]) -> None:
            self.status = int(status[:3])
            self.headers = dict(given)

        answer = b"".join(self.shop(environ, start)).decode()
        for name, morsel in SimpleCookie(self.headers.get("Set-Cookie", "")).items():
            self.cookie = f"{name}={morsel.value}"
        return answer

    def calls(self, path: str) -> list[list[Any]]:
        """The calls of the storefront script that a page makes."""
        found = re.search(r'id="shop-calls">(.*?)</script>', self.get(path))
        assert found
        return list(json.loads(found[1]))

    def cart(self) -> dict[str, int]:
        state = [call for call in self.calls("/cart") if call[0] == "cart"]
        return {line["sku"]: line["quantity"] for line in state[0][1]["products"]} if state else {}


@pytest.fixture
def rekindle() -> Iterator[StubRekindle]:
    stub = StubRekindle()
    yield stub
    stub.stop()


@pytest.fixture
def shop(rekindle: StubRekindle, clock: MovableClock) -> Iterator[Shop]:
    app = make_app(rekindle.url, "key-1", "EUR", clock=clock)
    yield app
    app.stop()


@pytest.fixture
def visitor(shop: Shop) -> Visitor:
    return Visitor(shop)


def names(calls: list[list[Any]]) -> list[str]:
    return [call[1] if call[0] == "track" else call[0] for call in calls]


def test_all_products_have_their_page_and_picture(visitor: Visitor) -> None:
    start = visitor.get("/")
    for product in PRODUCTS:
        assert product.name in start
        assert f"€{product.price}" in visitor.get(f"/products/{product.slug}")
        picture = visitor.get(f"/static/{product.picture}")
        assert picture.startswith("<svg")
        assert visitor.headers["Content-Type"] == "image/svg+xml"
    assert len(BY_SKU) == sum(len(product.variants) for product in PRODUCTS)


def test_a_shelf_shows_and_tells_its_own_products_only(visitor: Visitor) -> None:
    [listed] = [call for call in visitor.calls("/shelf/cook") if call[1:2] == ["Product List Viewed"]]
    assert {product["category"] for product in listed[2]["products"]} == {"Cook"}
    assert listed[2]["list_id"] == "cook"
    visitor.get("/shelf/weapons")
    assert visitor.status == 404


def test_each_change_of_the_cart_is_told_with_the_state_after_it(visitor: Visitor) -> None:
    visitor.post("/cart/add", {"sku": "MUG-CLAY", "quantity": "2"})
    assert visitor.headers["Location"] == "/cart"
    assert names(visitor.calls("/cart")) == ["Product Added", "Cart Viewed", "cart"]
    visitor.post("/cart/set", {"sku": "MUG-CLAY", "quantity": "1"})
    removed = visitor.calls("/cart")
    assert names(removed) == ["Product Removed", "Cart Viewed", "cart"]
    assert removed[0][2]["quantity"] == 1
    visitor.post("/cart/set", {"sku": "MUG-CLAY", "quantity": "0"})
    emptied = visitor.calls("/cart")
    assert names(emptied) == ["Product Removed", "cart"]
    assert emptied[1][1] | {"cart_id": ""} == {
        "cart_id": "",
        "currency": "EUR",
        "value": 0.0,
        "products": [],
        "recover_url": "http://shop.example/cart",
    }


def test_two_visitors_never_share_a_cart(shop: Shop) -> None:
    ada, bob = Visitor(shop), Visitor(shop)
    ada.post("/cart/add", {"sku": "STV-STEEL"})
    bob.post("/cart/add", {"sku": "MUG-CLAY"})
    assert (ada.cart(), bob.cart()) == ({"STV-STEEL": 1}, {"MUG-CLAY": 1})
    stranger = Visitor(shop)
    stranger.get("/")
    assert stranger.headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert len({ada.cookie, bob.cookie, stranger.cookie}) == 3


def test_restoring_merges_into_the_cart_and_replaces_nothing(visitor: Visitor) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL", "quantity": "3"})
    items = [
        {"sku": "STV-STEEL", "quantity": 1},
        {"product_id": "fw-108", "variant": "Forest", "quantity": 2},
        {"product_id": "fw-108", "variant": "a colour of last year", "quantity": 1},
        {"product_id": "gone", "title": "Old <lamp>"},
        "nonsense",
    ]
    answer = json.loads(visitor.post_json("/cart/merge", {"items": items}))
    assert answer == {"count": 6, "missing": ["Old <lamp>"]}
    page = visitor.get("/cart?restored=1")
    assert "No longer available: Old &lt;lamp&gt;." in page
    assert "Welcome back." in page
    assert "Old" not in visitor.get("/cart")
    visitor.post_json("/cart/merge", {"items": items})
    assert visitor.cart() == {"STV-STEEL": 3, "MUG-FOREST": 2, "MUG-CREAM": 1}


@given(
    before=st.dictionaries(st.sampled_from(sorted(BY_SKU)), st.integers(1, MAX_QUANTITY), max_size=6),
    items=st.lists(
        st.one_of(
            st.fixed_dictionaries(
                {"sku": st.sampled_from([*sorted(BY_SKU), "GONE"])},
                optional={"quantity": st.one_of(st.integers(-5, 10**18), st.booleans(), st.none(), st.text())},
            ),
            st.none(),
            st.text(),
        ),
        max_size=8,
    ),
)
def test_a_merge_takes_nothing_away_and_twice_is_once(before: dict[str, int], items: list[object]) -> None:
    cart = Cart(lines=dict(before))
    cart.merge(items)
    assert all(cart.lines[sku] >= quantity for sku, quantity in before.items())
    assert all(1 <= quantity <= MAX_QUANTITY for quantity in cart.lines.values())
    once = dict(cart.lines)
    cart.merge(items)
    assert cart.lines == once


def test_consent_is_told_when_given_and_when_taken_back_but_not_by_silence(visitor: Visitor) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL"})
    assert len(re.findall(r'type="checkbox"[^>]*>', visitor.get("/checkout"))) == 3
    assert not re.search(r'type="checkbox"[^>]* checked', visitor.get("/checkout"))
    visitor.post("/checkout", CONTACT | {"consent_email": "yes"})
    agreed = visitor.calls("/checkout/delivery")
    assert names(agreed) == ["identify", "consent", "Checkout Step Completed", "cart"]
    assert agreed[0][1]["email"] == "ada@example.com"
    assert agreed[1][1] == {"email": True}
    assert agreed[1][2]["page"] == "http://shop.example/checkout"
    assert agreed[1][2]["wording"]["email"] in visitor.get("/checkout")
    visitor.post("/checkout", CONTACT)
    assert visitor.calls("/checkout/delivery")[1][1] == {"email": False}
    visitor.post("/checkout", CONTACT)
    assert "consent" not in names(visitor.calls("/checkout/delivery"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"email": "ada@"}, "Please enter an e-mail address"),
        ({"name": " "}, "Please tell us your name"),
        ({"country": "XX"}, "Please choose a country"),
        ({"phone": "12"}, "Please enter a phone number"),
        ({"consent_sms": "yes"}, "Please enter a phone number"),
    ],
)
def test_a_wrong_contact_is_refused_in_words_and_told_to_nobody(
    visitor: Visitor, wrong: dict[str, str], says: str
) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL"})
    page = visitor.post("/checkout", CONTACT | wrong | {"name": wrong.get("name", '"><script>')})
    assert visitor.status == 422
    assert says in page
    assert '"><script>' not in page
    assert "identify" not in names(visitor.calls("/cart"))
    visitor.get("/checkout/delivery")
    assert visitor.headers["Location"] == "/checkout"


def test_an_order_is_reported_by_the_server_and_ends_the_cart(
    visitor: Visitor, rekindle: StubRekindle, shop: Shop, clock: MovableClock
) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL", "quantity": "2"})
    [cart_id] = [call[1]["cart_id"] for call in visitor.calls("/cart") if call[0] == "cart"]
    visitor.post("/checkout", CONTACT | {"phone": "06 12 34 56 78", "consent_sms": "yes"})
    visitor.post("/checkout/delivery", {})
    [ordered] = rekindle.named("Order Completed")
    order = shop.orders[0]
    assert order.reported
    assert ordered["_key"] == "key-1"
    assert ordered["messageId"] == f"order-{order.order_id}"
    assert ordered["timestamp"] == clock.now().isoformat()
    assert ordered["properties"]["cart_id"] == cart_id
    assert ordered["properties"]["total"] == 118.0
    assert [line["sku"] for line in ordered["properties"]["products"]] == ["STV-STEEL"]
    assert ordered["context"]["traits"]["phone"] == "+33612345678"
    thanks = visitor.get(visitor.headers["Location"])
    assert "stops every message about this cart" in thanks
    assert visitor.cart() == {}
    visitor.post("/cart/add", {"sku": "MUG-CLAY"})
    [next_cart] = [call[1]["cart_id"] for call in visitor.calls("/cart") if call[0] == "cart"]
    assert next_cart != cart_id


def test_another_visitor_does_not_see_the_order(shop: Shop, visitor: Visitor) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL"})
    visitor.post("/checkout", CONTACT)
    visitor.post("/checkout/delivery", {})
    stranger = Visitor(shop)
    assert "Ada" not in stranger.get(visitor.headers["Location"])
    assert stranger.status == 404


def test_an_order_waits_while_rekindle_is_down_and_is_told_once(rekindle: StubRekindle) -> None:
    rekindle.refuse_next = [503, 500]
    reporter = Reporter(rekindle.url, "key-1")
    done = threading.Event()
    assert reporter.report({"messageId": "order-1", "type": "track", "event": "Order Completed"}, done.set) is False
    assert done.wait(20)
    reporter.stop()
    assert rekindle.names() == ["Order Completed"]
    assert len(rekindle.requests) == 3


def test_an_unreachable_rekindle_does_not_stop_a_sale(clock: MovableClock) -> None:
    gone = StubRekindle()
    gone.stop()
    app = make_app(gone.url, "key-1", "EUR", clock=clock)
    visitor = Visitor(app)
    visitor.post("/cart/add", {"sku": "STV-STEEL"})
    visitor.post("/checkout", CONTACT)
    visitor.post("/checkout/delivery", {})
    assert "could not be reached yet" in visitor.get(visitor.headers["Location"])
    assert app.orders[0].reported is False
    app.stop()


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/cart/add", {"sku": "NOPE"}, 404),
        ("/cart/add", {"sku": "STV-STEEL", "quantity": "-1"}, 422),
        ("/cart/add", {"sku": "STV-STEEL", "quantity": "1e9"}, 422),
        ("/cart/add", {"sku": "STV-STEEL", "quantity": "99999"}, 422),
        ("/cart/set", {"sku": "NOPE", "quantity": "1"}, 303),
        ("/nowhere", {}, 404),
        ("/checkout/delivery", {}, 303),
    ],
)
def test_odd_requests_are_refused_and_change_nothing(
    visitor: Visitor, path: str, form: dict[str, str], status: int
) -> None:
    visitor.post(path, form)
    assert visitor.status == status
    assert visitor.cart() == {}


def test_requests_from_another_site_are_refused(visitor: Visitor) -> None:
    visitor.post("/cart/add", {"sku": "STV-STEEL"}, HTTP_ORIGIN="https://evil.example")
    assert visitor.status == 403
    visitor.post_json("/cart/merge", {"items": [{"sku": "STV-STEEL"}]}, CONTENT_TYPE="text/plain")
    assert visitor.status == 415
    visitor.post_json("/cart/merge", {"items": "all"})
    assert visitor.status == 422
    visitor.post("/cart/add", {"sku": "x" * 70_000})
    assert visitor.status == 413
    assert visitor.cart() == {}


def test_a_quantity_is_bounded(visitor: Visitor) -> None:
    for _ in range(3):
        visitor.post("/cart/add", {"sku": "STV-STEEL", "quantity": "15"})
    assert visitor.cart() == {"STV-STEEL": MAX_QUANTITY}


def test_the_oldest_visits_make_room() -> None:
    visits = Visits()
    with visits.of(None) as (first, visit):
        visit.cart.put("STV-STEEL", 1)
    for _ in range(MAX_VISITS):
        with visits.of(None):
            pass
    with visits.of(first) as (key, _visit):
        assert key != first


def test_a_currency_without_minor_units_is_shown_whole(rekindle: StubRekindle) -> None:
    app = make_app(rekindle.url, "key-1", "JPY")
    assert "¥289" in Visitor(app).get("/")
    assert "¥289." not in Visitor(app).get("/")
    app.stop()


def test_the_server_answers_and_stops(rekindle: StubRekindle) -> None:
    import http.client

    running = start_shop(rekindle_url=rekindle.url, write_key="key-1", inbox_url="http://inbox.example")
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    page = html.unescape(answer.read().decode())
    connection.close()
    assert answer.status == 200
    assert 'href="http://inbox.example"' in page
    assert f'src="{rekindle.url}/s/rekindle.js"' in page
    policy = answer.headers["Content-Security-Policy"]
    assert f"script-src 'self' {rekindle.url};" in policy
    assert "unsafe" not in policy
    running.stop()
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", running.port, timeout=30).connect()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_process_of_its_own_ends_well_when_told(by: signal.Signals) -> None:
    program = (
        "from rekindle.simulate.storefront.serve import serve\n"
        "serve('127.0.0.1', 0, rekindle_url='http://127.0.0.1:9', write_key='k', ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline().startswith("http://127.0.0.1:")
        child.send_signal(by)
        assert child.wait(60) == 0
