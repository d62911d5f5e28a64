"""Can an owner set the shop up, and is what cannot work refused with a word and without loss?"""

from __future__ import annotations

import re
from typing import Any

import pytest

from rekindle.store.shops import load_shop, owner_of_key
from tests.web.people import PASSWORD
from tests.web.world import World

OWNER, VIEWER = "owner@fernweh.example", "viewer@fernweh.example"
RULES = {
    "rules-cart_idle_min": "45",
    "rules-checkout_idle_min": "0.5",
    "rules-browse_idle_min": "60",
    "rules-lost_after_days": "20",
    "rules-max_cart_age_days": "10",
    "rules-holdout_percent": "12.5",
    "rules-double_opt_in": "always",
    "rules-attribution_click_days": "3",
}
SHOP = {
    "shop-name": "Fernweh & Söhne",
    "shop-url": "https://fernweh.example",
    "shop-restore_url": "https://fernweh.example/basket",
    "shop-logo_url": "",
    "shop-brand_color": "#112233",
    "shop-currency": "CHF",
    "shop-locale": "de-CH",
    "shop-timezone": "Europe/Zurich",
    "shop-country": "ch",
}
SENDER = {
    "sender-sender_name": "Fernweh",
    "sender-sender_email": "hi@fernweh.example",
    "sender-reply_to": "",
    "sender-support_email": "help@fernweh.example",
    "sender-postal_address": "Fernweh\r\nBahnhofstr. 1\r\n8001 Zürich",
}


def stored(world: World) -> Any:
    return load_shop(world.connection, world.shop.id)


def test_what_an_owner_saves_is_stored(world: World) -> None:
    client = world.as_(OWNER)
    for card, values in (("shop", SHOP), ("sender", SENDER), ("rules", RULES)):
        answer = client.post(world.path(f"settings/{card}"), values)
        assert (answer.status_code, answer.headers["Location"]) == (302, world.path(f"settings/#{card}"))
    shop = stored(world)
    assert (shop.name, shop.currency, shop.country, shop.timezone) == ("Fernweh & Söhne", "CHF", "CH", "Europe/Zurich")
    assert (shop.cart_idle_s, shop.checkout_idle_s, shop.holdout_rate) == (2700, 30, 0.125)
    assert shop.postal_address == "Fernweh\nBahnhofstr. 1\n8001 Zürich"
    assert "Fernweh &amp; Söhne" in client.get(world.path()).text


@pytest.mark.parametrize(
    ("card", "field", "value"),
    [
        ("shop", "shop-url", "javascript:alert(1)"),
        ("shop", "shop-restore_url", "ftp://fernweh.example"),
        ("shop", "shop-name", ""),
        ("shop", "shop-name", "a\nb"),
        ("shop", "shop-name", "x" * 121),
        ("shop", "shop-currency", "EURO"),
        ("shop", "shop-timezone", "Mars/Olympus"),
        ("shop", "shop-locale", "de_DE; DROP"),
        ("shop", "shop-brand_color", "red;background:url(x)"),
        ("sender", "sender-sender_email", "not-an-address"),
        ("sender", "sender-sender_name", "Fern\r\nBcc: all@x.example"),
        ("sender", "sender-postal_address", ""),
        ("rules", "rules-cart_idle_min", "-1"),
        ("rules", "rules-cart_idle_min", "NaN"),
        ("rules", "rules-cart_idle_min", "1e999"),
        ("rules", "rules-cart_idle_min", "28800"),
        ("rules", "rules-holdout_percent", "95"),
        ("rules", "rules-max_cart_age_days", "21"),
        ("rules", "rules-lost_after_days", "0"),
        ("rules", "rules-attribution_click_days", "\x00"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_lost(world: World, card: str, field: str, value: str) -> None:
    before = stored(world)
    values = {"shop": SHOP, "sender": SENDER, "rules": RULES}[card]
    answer = world.as_(OWNER).post(world.path(f"settings/{card}"), {**values, field: value})
    assert answer.status_code == 422
    assert "Nothing was saved" in answer.text
    assert f'name="{field}"' in answer.text
    assert "is-invalid" in answer.text
    assert stored(world) == before


def test_columns_that_no_form_has_cannot_be_smuggled_in(world: World) -> None:
    extra = {"shop-slug": "other", "slug": "other", "shop-spread": "5", "spread": "5", "shop-id": "9", "write_key": "x"}
    assert world.as_(OWNER).post(world.path("settings/shop"), {**SHOP, **extra}).status_code == 302
    assert (stored(world).slug, stored(world).spread) == ("fernweh", 1)


def test_the_write_key_is_shown_to_owners_only_and_can_be_renewed(world: World) -> None:
    def key() -> str:
        row = world.connection.execute("SELECT write_key FROM shops WHERE id = %s", [world.shop.id]).fetchone()
        assert row is not None
        return str(row[0])

    old = key()
    assert old in world.as_(OWNER).get(world.path("settings/")).text
    assert old not in world.as_(VIEWER).get(world.path("settings/")).text
    world.as_(OWNER).post(world.path("settings/write-key"))
    assert key() != old
    assert len(key()) >= 24


def test_a_secret_key_is_shown_once_and_to_owners_only(world: World) -> None:
    path = world.path("settings/secret-key")
    assert world.as_(VIEWER).post(path).status_code in (403, 404)
    page = world.as_(OWNER).post(path)
    (key,) = re.findall(r'id="rk-secret"[^>]*value="(rks_[^"]+)"', page.text)
    assert page["Cache-Control"] == "no-store"
    owner = owner_of_key(world.connection, key)
    assert owner is not None
    assert (owner.shop.id, owner.is_secret) == (world.shop.id, True)
    again = world.as_(OWNER).get(world.path("settings/")).text
    assert key not in again
    assert "There is one, made" in again


def test_people_are_added_changed_and_removed(world: World) -> None:
    client = world.as_(OWNER)
    answer = client.post(world.path("settings/people"), {"account": "new@fernweh.example", "role": "marketer"})
    (password,) = re.findall(r'id="rk-password" value="([^"]+)"', answer.text)
    newcomer = world.as_(OWNER).__class__(HTTP_HOST="127.0.0.1")
    assert newcomer.login(username="new@fernweh.example", password=password)
    assert newcomer.get(world.path()).status_code == 200
    assert password not in client.get(world.path("settings/")).text
    (person,) = [one for one in client.get(world.path("settings/")).context["people"] if one.account.startswith("new@")]
    client.post(world.path(f"settings/people/{person.person_id}"), {"role": "viewer"})
    assert newcomer.post(world.path("sends/pause")).status_code == 403
    client.post(world.path(f"settings/people/{person.person_id}"), {"remove": "yes"})
    assert newcomer.get(world.path()).status_code == 404


def test_an_existing_account_is_added_without_a_new_password(world: World) -> None:
    client = world.as_(OWNER)
    answer = client.post(
        world.path("settings/people"), {"account": "NOBODY@else.example", "role": "viewer"}, follow=True
    )
    assert "may now enter as viewer" in answer.text
    newcomer = client.__class__(HTTP_HOST="127.0.0.1")
    assert newcomer.login(username="nobody@else.example", password=PASSWORD)
    assert newcomer.get(world.path()).status_code == 200


def test_the_last_owner_stays(world: World) -> None:
    client = world.as_(OWNER)
    (me,) = [one for one in client.get(world.path("settings/")).context["people"] if one.account == OWNER]
    for change in ({"remove": "yes"}, {"role": "viewer"}):
        answer = client.post(world.path(f"settings/people/{me.person_id}"), change)
        assert answer.status_code == 422
        assert "needs at least one owner" in answer.text
    assert client.post(world.path("settings/people"), {"account": OWNER, "role": "viewer"}).status_code == 422
    assert client.get(world.path("settings/")).context["may_change"]


@pytest.mark.parametrize("account", ["", "   ", "a b", "x" * 200, "a\x00b", "new\nline"])
def test_an_account_name_that_cannot_be_is_refused(world: World, account: str) -> None:
    answer = world.as_(OWNER).post(world.path("settings/people"), {"account": account, "role": "viewer"})
    assert answer.status_code == 422
    assert (
        world.as_(OWNER).post(world.path("settings/people"), {"account": "ok@x.example", "role": "king"}).status_code
        == 422
    )
