"""Does the list of carts find, filter, sort and page, and look into no address?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from rekindle.store.statements import all_statements
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.seed_rows import Rows
from tests.web.world import World

pytestmark = pytest.mark.only_reads

VIEWER = "viewer@fernweh.example"


def keys(world: World, query: str = "") -> list[str]:
    """Cart keys of one page, in order."""
    answer = world.as_(VIEWER).get(world.path(f"carts/{query}"))
    assert answer.status_code == 200
    return [row.cart.cart_key for row in answer.context["rows"]]


def all_keys(world: World, query: str) -> list[str]:
    """Cart keys of all pages, following "show more" to the end."""
    client, found = world.as_(VIEWER), []
    path: str | None = world.path(f"carts/{query}")
    while path:
        answer = client.get(path)
        found += [row.cart.cart_key for row in answer.context["rows"]]
        more = re.search(r'class="btn" href="(\?[^"]*after=[^"]+)"', answer.text)
        path = world.path(f"carts/{more.group(1).replace('&amp;', '&')}") if more else None
    return found


def carts_of(world: World) -> list[dict[str, Any]]:
    return [cart for cart in rows_of(world, "carts") if cart["stage"] != "browse"]


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
@pytest.mark.parametrize(
    ("sort", "column"), [("newest", "created_at"), ("active", "touched_at"), ("value", "total_cents")]
)
def test_paging_shows_every_cart_once_in_order(world: World, seeded: Seeded, sort: str, column: str) -> None:
    expected = sorted(carts_of(world), key=lambda cart: (cart[column], cart["id"]), reverse=True)
    assert all_keys(world, f"?sort={sort}") == [cart["cart_key"] for cart in expected]


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("?state=recovered", lambda cart: cart["state"] == "recovered"),
        ("?state=abandoned&known=yes", lambda cart: cart["state"] == "abandoned" and cart["shopper_id"]),
        ("?known=no", lambda cart: not cart["shopper_id"]),
        ("?stage=checkout&least=250", lambda cart: cart["stage"] == "checkout" and cart["total_cents"] >= 25_000),
    ],
)
def test_filters_leave_exactly_what_fits(world: World, seeded: Seeded, query: str, fits: Any) -> None:
    expected = {cart["cart_key"] for cart in carts_of(world) if fits(cart)}
    assert expected
    assert set(all_keys(world, query)) == expected


def test_what_the_address_bar_must_not_say_filters_nothing(world: World, seeded: Seeded) -> None:
    plain = keys(world)
    for query in (
        "?state=nonsense&stage=x&known=maybe&period=1000&sort=id;DROP TABLE carts",
        "?least=abc",
        "?least=NaN",
        "?after=%00%00",
        "?after=bm90LWpzb24",
        "?sort=value&after=" + "A" * 5000,
    ):
        assert len(keys(world, query)) == len(plain), query


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
def test_search_finds_by_address_key_id_and_order(world: World, seeded: Seeded) -> None:
    cart = seeded.story
    (address,) = [row["address"] for row in rows_of(world, "contact_points") if row["shopper_id"] == cart["shopper_id"]]
    for text in (address, address.upper(), cart["cart_key"], str(cart["id"]), cart["order_key"]):
        assert keys(world, f"?q={text}") == [cart["cart_key"]], text


@pytest.mark.parametrize(
    "text", ["mail.example", "@mail.example", "%25", "_", "c-1", "' OR 1=1 --", "%00", "☃", "x" * 9999]
)
def test_search_compares_whole_texts_only(world: World, seeded: Seeded, text: str) -> None:
    answer = world.as_(VIEWER).get(world.path(f"carts/?q={text}"))
    assert (answer.status_code, answer.context["rows"] == [] or text == "%00") == (200, True)


@pytest.mark.writes
def test_a_phone_number_is_found_too(world: World, seeded: Seeded) -> None:
    rows = Rows(world.shop, world.context)
    shopper = rows.shopper("Ada", "Winter", "ada@phone.example", world.clock.now())
    rows.cart("c-phone", world.clock.now(), [], shopper_bucket=shopper["bucket"], shopper_id=shopper["id"])
    from rekindle.lib.ids import natural_id
    from rekindle.store.buckets import address_bucket

    phone_hash = world.context.address_hash(world.shop.id, "sms", "+4915112345678")
    rows.add(
        "contact_points",
        bucket=address_bucket(world.shop, phone_hash),
        id=natural_id("contact", world.shop.id, f"sms:{phone_hash.hex()}"),
        shopper_bucket=shopper["bucket"],
        shopper_id=shopper["id"],
        channel="sms",
        address="+4915112345678",
        address_hash=phone_hash,
        consent_wording="",
        created_at=world.clock.now(),
    )
    rows.write(world.connection)
    assert keys(world, "?q=%2B49 151 12345678") == ["c-phone"]


def test_no_statement_compares_parts_of_an_address() -> None:
    for statement in all_statements().values():
        if "address" in statement.text and statement.file.startswith("dashboard"):
            assert not re.search(r"\b(LIKE|ILIKE|SIMILAR|~)\b|position\(|strpos", statement.text, re.I), statement.name


def test_htmx_gets_the_list_alone_and_the_whole_page_stays_the_whole_page(world: World, seeded: Seeded) -> None:
    client = world.as_(VIEWER)
    part = client.get(world.path("carts/?state=lost"), HTTP_HX_REQUEST="true").text
    assert part.lstrip().startswith('<div id="rk-list"')
    restored = client.get(
        world.path("carts/?state=lost"), HTTP_HX_REQUEST="true", HTTP_HX_HISTORY_RESTORE_REQUEST="true"
    ).text
    assert "<html" in restored


def test_a_row_masks_the_address_and_says_what_comes_next(world: World, seeded: Seeded) -> None:
    text = world.as_("owner@fernweh.example").get(world.path("carts/?state=abandoned&known=yes")).text
    assert "***@mail.example" in text
    assert not re.search(r"[a-z]{2,}\.[a-z]+\d+@mail\.example", text)
    assert "reminder-" in text


def test_an_empty_list_says_why(world: World, seeded: Seeded) -> None:
    assert "No cart matches" in world.as_(VIEWER).get(world.path("carts/?q=nothing-like-it")).text
    assert "No carts yet" in world.as_("both@kaffee.example").get(world.path("carts/", world.other)).text
