"""Does signing in let the right ones in, and keep guessers out with a clear word?"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from rekindle.engine.sign_in import PER_ACCOUNT_AND_ADDRESS, PER_ADDRESS
from rekindle.lib.client_address import TrustedProxies
from tests.web.people import PASSWORD
from tests.web.world import World

ACCOUNT = "owner@fernweh.example"


def browser(address: str = "203.0.113.5") -> Client:
    return Client(HTTP_HOST="127.0.0.1", REMOTE_ADDR=address)


def attempt(client: Client, account: str, password: str, **more: str) -> int:
    return client.post("/login", {"account": account, "password": password, **more}).status_code


def test_the_right_password_leads_to_the_shop(world: World) -> None:
    client = browser()
    answer = client.post("/login", {"account": ACCOUNT, "password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == world.path()
    assert client.session.get_expiry_age() == 12 * 3600 == settings.SESSION_COOKIE_AGE


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/shops/fernweh/carts/", "/shops/fernweh/carts/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("carts/", "/"),
    ],
)
def test_it_leads_back_to_pages_of_ours_only(world: World, wanted: str, lands: str) -> None:
    answer = browser().post("/login", {"account": ACCOUNT, "password": PASSWORD, "next": wanted})
    assert answer.headers["Location"] == lands


def test_a_wrong_password_and_an_unknown_name_sound_the_same(world: World) -> None:
    client = browser()
    wrong = client.post("/login", {"account": ACCOUNT, "password": "no"})
    unknown = client.post("/login", {"account": "who@else.example", "password": "no"})
    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert wrong.context["problem"] == unknown.context["problem"]
    assert "_auth_user_id" not in client.session


def test_five_mistakes_close_the_door_for_a_quarter_of_an_hour(world: World) -> None:
    client = browser()
    assert [attempt(client, ACCOUNT, "no") for _ in range(PER_ACCOUNT_AND_ADDRESS)] == [422] * 5
    closed = client.post("/login", {"account": ACCOUNT, "password": PASSWORD})
    assert closed.status_code == 429
    assert "Too many attempts. Try again in 15 minutes." in closed.text
    assert attempt(client, ACCOUNT.upper(), PASSWORD) == 429  # the same account, written otherwise
    assert attempt(browser("203.0.113.6"), ACCOUNT, PASSWORD) == 302  # elsewhere the owner still gets in
    world.clock.advance(timedelta(minutes=14, seconds=59))
    assert attempt(client, ACCOUNT, PASSWORD) == 429
    world.clock.advance(timedelta(seconds=2))
    assert attempt(client, ACCOUNT, PASSWORD) == 302


def test_behind_a_proxy_guessers_are_kept_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests come from the proxy; what a caller puts before the proxy's own word is nobody's address."""
    monkeypatch.setattr(settings, "TRUSTED_PROXIES", TrustedProxies(count=1))

    def through_proxy(told: str) -> Client:
        return Client(HTTP_HOST="127.0.0.1", REMOTE_ADDR="10.0.0.2", HTTP_X_FORWARDED_FOR=told)

    for number in range(PER_ACCOUNT_AND_ADDRESS):
        assert attempt(through_proxy(f"6.6.6.{number}, 198.51.100.1"), ACCOUNT, "no") == 422
    assert attempt(through_proxy("6.6.6.99, 198.51.100.1"), ACCOUNT, PASSWORD) == 429
    assert attempt(through_proxy("198.51.100.2"), ACCOUNT, PASSWORD) == 302


def test_a_success_forgets_earlier_mistakes(world: World) -> None:
    for _ in range(3):
        client = browser()
        assert [attempt(client, ACCOUNT, "no") for _ in range(PER_ACCOUNT_AND_ADDRESS - 1)] == [422] * 4
        assert attempt(client, ACCOUNT, PASSWORD) == 302


def test_trying_many_accounts_from_one_place_ends_too(world: World) -> None:
    client = browser()
    assert {attempt(client, f"guess{number}", "no") for number in range(PER_ADDRESS)} == {422}
    assert attempt(client, "guess-again", "no") == 429
    assert attempt(client, ACCOUNT, PASSWORD) == 429
    stored = world.connection.execute("SELECT string_agg(t::text, ' ') FROM sign_in_attempts t").fetchone()
    assert stored is not None
    assert "guess" not in stored[0]
    assert "203.0.113" not in stored[0]


def test_signing_out_is_a_post(world: World) -> None:
    client = world.as_(ACCOUNT)
    assert client.get("/logout").status_code == 405
    assert client.get(world.path()).status_code == 200
    assert client.post("/logout").headers["Location"] == "/login"
    assert client.get(world.path()).status_code == 302


def test_a_fresh_installation_says_how_to_make_the_first_person(world: World) -> None:
    assert "rekindle person add" not in browser().get("/login").text
    world.connection.execute("UPDATE auth_user SET is_active = false")
    text = browser().get("/login").text
    assert "rekindle shop create" in text
    assert "rekindle person add" in text


def test_somebody_without_a_shop_learns_what_to_do(world: World) -> None:
    text = world.as_("nobody@else.example").get("/").text
    assert "no shop is yours yet" in text


def test_a_disabled_account_does_not_get_in(world: World) -> None:
    world.connection.execute("UPDATE auth_user SET is_active = false WHERE username = %s", [ACCOUNT])
    assert attempt(browser(), ACCOUNT, PASSWORD) == 422


def test_a_new_password_ends_old_sessions(world: World) -> None:
    from rekindle.engine.memberships import set_password

    client = world.as_(ACCOUNT)
    set_password(world.connection, account=ACCOUNT, password="another long enough one")
    assert client.get(world.path()).status_code == 302


def test_odd_input_is_a_wrong_password(world: World) -> None:
    client = browser()
    assert attempt(client, "a\x00b", "no") == 422
    assert attempt(client, "x" * 100_000, "y" * 100_000) == 422
    assert client.post("/login", {}).status_code == 422
