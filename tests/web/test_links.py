"""Links of a message: back to the cart, to a product, the cart's lines for the shop's page. Guessing finds nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from rekindle.engine.clicks import LINK_LIFE
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.lib.tokens import Purpose, make_token
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, Handler, Request
from rekindle.web.public import door
from rekindle.web.public.follow import product, recover
from rekindle.web.public.restore import restore
from rekindle.web.rate import RateLimit
from tests.engine.scene import Placed, put_cart, put_shopper
from tests.factories import make_shop

from .sent import AGREED, SEED, Sent, events_of, put_send, use

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"


def visit(handler: Handler, path: str, *, method: str = "GET", remote: str = "", **headers: str) -> Answer:
    named = {"user-agent": BROWSER} | {name.replace("_", "-"): text for name, text in headers.items()}
    return handler(Request(method=method, path=path, remote=remote, header=lambda name: named.get(name, "")))


@dataclass
class World:
    connection: Connection
    context: Context
    shop: ShopSettings
    shopper: Placed
    cart: Placed
    sent: Sent

    @property
    def events(self) -> list[tuple[str, dict[str, object]]]:
        return events_of(self.connection, self.sent)

    def update_cart(self, **values: object) -> None:
        for name, value in values.items():
            self.connection.execute(
                f"UPDATE carts SET {name} = %s WHERE bucket = %s AND id = %s",  # type: ignore[arg-type]
                [value, self.cart.bucket, self.cart.id],
            )


@pytest.fixture
def world(connection: Connection, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch) -> World:
    use(monkeypatch, connection, context)
    shop = make_shop(connection, spread=spread)
    shopper = put_shopper(connection, context, shop, preferences=AGREED)
    cart = put_cart(connection, context, shop, shopper, recover_url="https://fernweh.example/checkout/1")
    sent = put_send(
        connection,
        shop,
        shopper=(shopper.bucket, shopper.id),
        cart=(cart.bucket, cart.id),
        at=context.clock.now(),
        links=["https://fernweh.example/p1", "https://evil.example/p2", "https://fernweh.example/p\r\nX: y"],
    )
    return World(connection, context, shop, shopper, cart, sent)


def test_a_recovery_link_leads_to_the_checkout_and_is_counted_once_a_second(world: World, clock: MovableClock) -> None:
    answers = [visit(recover, f"/r/{world.sent.link}") for _ in range(3)]
    assert {(answer.status, answer.headers["Location"]) for answer in answers} == {
        (302, f"https://fernweh.example/checkout/1?rekindle_cart={world.sent.link}")
    }
    assert {answer.headers["Referrer-Policy"] for answer in answers} == {"no-referrer"}
    assert all("Set-Cookie" not in answer.headers for answer in answers)
    assert world.events == [("clicked", {"link": "recover", "device": "mobile"})]
    clock.advance(timedelta(seconds=1))
    visit(recover, f"/r/{world.sent.link}")
    assert len(world.events) == 2


def test_without_a_checkout_of_the_shop_s_own_the_cart_page_gets_the_token(world: World) -> None:
    for told in (None, "https://evil.example/", "//evil.example"):
        world.update_cart(recover_url=told)
        answer = visit(recover, f"/r/{world.sent.link}")
        assert answer.headers["Location"] == f"https://fernweh.example/cart?rekindle_cart={world.sent.link}"


def test_a_message_about_a_visit_leads_to_the_front_page(world: World) -> None:
    world.update_cart(cart_key="browse:a:v1", recover_url=None)
    assert visit(recover, f"/r/{world.sent.link}").headers["Location"] == "https://fernweh.example"


def test_after_the_purchase_the_link_leads_to_the_front_page(world: World) -> None:
    world.update_cart(state="recovered")
    assert visit(recover, f"/r/{world.sent.link}").headers["Location"] == "https://fernweh.example"
    assert visit(restore, f"/v1/carts/{world.sent.link}").status == 404


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"sec_purpose": "prefetch;prerender"}),
        ("GET", {"purpose": "prefetch"}),
        ("GET", {"x_moz": "prefetch"}),
        ("GET", {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
        ("GET", {"user_agent": "python-requests/2.31"}),
        ("GET", {"user_agent": ""}),
    ],
)
def test_machines_are_led_but_not_counted(world: World, method: str, headers: dict[str, str]) -> None:
    assert visit(recover, f"/r/{world.sent.link}", method=method, **headers).status == 302
    assert visit(product, f"/c/{world.sent.link}/0", method=method, **headers).status == 302
    assert visit(restore, f"/v1/carts/{world.sent.link}", method=method, **headers).status == 200
    assert world.events == []


def test_a_product_link_leads_to_its_product(world: World) -> None:
    answer = visit(product, f"/c/{world.sent.link}/0")
    assert (answer.status, answer.headers["Location"]) == (302, "https://fernweh.example/p1")
    assert world.events == [("clicked", {"link": "product 0", "device": "mobile"})]


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_foreign_or_broken_product_address_is_not_followed(world: World, number: str) -> None:
    answer = visit(product, f"/c/{world.sent.link}/{number}")
    assert answer.status == 400
    assert "Location" not in answer.headers
    assert b"evil" not in answer.body
    assert world.events == []


def test_a_product_that_the_message_never_had_leads_to_the_cart(world: World) -> None:
    assert "rekindle_cart=" in visit(product, f"/c/{world.sent.link}/99").headers["Location"]


def test_the_cart_is_told_without_a_word_about_the_person(world: World) -> None:
    answer = visit(restore, f"/v1/carts/{world.sent.link}")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert msgspec.json.decode(answer.body) == {
        "cart_key": "cart-1",
        "currency": "EUR",
        "items": [
            {
                "product_id": "p1",
                "quantity": 2,
                "name": "Tent",
                "url": "https://fernweh.example/p1",
                "image_url": "https://fernweh.example/p1.jpg",
                "price": 100.0,
            },
            {"product_id": "p2", "quantity": 1, "name": "Stove", "url": "https://fernweh.example/p2", "price": 50.0},
        ],
    }
    assert b"ada" not in answer.body.lower()
    assert [kind for kind, _ in world.events] == ["restored"]


def test_a_cart_key_of_our_own_making_stays_with_us(world: World) -> None:
    world.update_cart(cart_key="visitor:a:v1")
    assert msgspec.json.decode(visit(restore, f"/v1/carts/{world.sent.link}").body)["cart_key"] is None


def _flip(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


WRONG: dict[str, Callable[[Sent], str]] = {
    "empty": lambda _sent: "",
    "short": lambda sent: sent.link[:-1],
    "long": lambda sent: sent.link + "A",
    "padded": lambda sent: sent.link + "==",
    "other purpose": lambda sent: sent.optout,
    "other seed": lambda sent: make_token(sent.bucket, sent.id, b"x" * 16, Purpose.LINK),
    "empty seed": lambda sent: make_token(sent.bucket, sent.id, b"", Purpose.LINK),
    "other bucket": lambda sent: make_token((sent.bucket + 1) % 1024, sent.id, SEED, Purpose.LINK),
    "flipped secret": lambda sent: _flip(sent.link, 30),
    "flipped id": lambda sent: _flip(sent.link, 10),
    "sql": lambda _sent: "' OR 1=1 --",
    "path": lambda sent: f"../{sent.link}",
    "unicode": lambda _sent: "é" * 46,
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_every_wrong_token_gets_the_same_answer(world: World, wrong: Callable[[Sent], str]) -> None:
    token = wrong(world.sent)
    for handler, prefix, suffix in ((recover, "/r/", ""), (product, "/c/", "/0"), (restore, "/v1/carts/", "")):
        unknown = visit(handler, f"{prefix}{'A' * 46}{suffix}")
        assert visit(handler, f"{prefix}{token}{suffix}") == unknown
        assert unknown.status == 404
    assert world.events == []


def test_an_old_link_is_as_unknown_as_a_wrong_one(world: World, clock: MovableClock) -> None:
    clock.advance(LINK_LIFE + timedelta(seconds=1))
    assert visit(recover, f"/r/{world.sent.link}") == visit(recover, f"/r/{'A' * 46}")


def test_guessing_is_slowed_down_and_finds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    brake = RateLimit(door.WRONG_PER_S, lambda: 0.0)
    monkeypatch.setattr(door, "_wrong", lambda: brake)
    statuses = [visit(recover, f"/r/{secrets.token_urlsafe(34)[:46]}", remote="203.0.113.9").status for _ in range(400)]
    assert statuses == [404] * 100 + [429] * 300
    assert visit(recover, f"/r/{world.sent.link}", remote="198.51.100.7").status == 302


def test_other_methods_are_not_taken(world: World) -> None:
    assert visit(recover, f"/r/{world.sent.link}", method="POST").status == 405
    assert visit(product, f"/c/{world.sent.link}/0", method="DELETE").status == 405
    assert visit(restore, f"/v1/carts/{world.sent.link}", method="OPTIONS").status == 204
    assert world.events == []
