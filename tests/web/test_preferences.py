"""The preference page: looking changes nothing, saving counts at once, and nothing says who the shopper is."""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.lib.tokens import Purpose, make_token
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, Request
from rekindle.web.public.preference_words import LANGUAGES, PREFERENCE_WORDS
from rekindle.web.public.preferences import preferences
from tests.engine.scene import Placed, put_cart, put_shopper, rows
from tests.factories import make_shop

from .sent import SEED, Sent, put_send, use
from .test_unsubscribe import put_outbox

AS_IT_IS = {"save": "yes", "often": "as_planned", "about": ["cart", "browse"], "channel": ["email"], "language": "en"}


def ask(path: str, *, method: str = "GET", body: bytes = b"", language: str = "") -> Answer:
    named = {"content-type": "application/x-www-form-urlencoded", "accept-language": language}
    return preferences(
        Request(
            method=method,
            path=path,
            header=lambda name: named.get(name, ""),
            read=lambda limit: body if len(body) <= limit else None,
        )
    )


@dataclass
class World:
    connection: Connection
    shop: ShopSettings
    shopper: Placed
    sent: Sent

    def save(self, **changes: object) -> str:
        answer = ask(
            f"/p/{self.sent.optout}", method="POST", body=urlencode({**AS_IT_IS, **changes}, doseq=True).encode()
        )
        assert answer.status == 200
        return answer.body.decode()

    @property
    def kept(self) -> object:
        return rows(self.connection, "SELECT preferences FROM shoppers WHERE id = %s", self.shopper.id)[0][
            "preferences"
        ]

    @property
    def state(self) -> list[list[dict[str, object]]]:
        tables = ("contact_points", "suppressions", "consents", "outbox", "shoppers", "send_events", "privacy_requests")
        return [rows(self.connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]

    @property
    def waiting(self) -> int:
        return len(rows(self.connection, "SELECT id FROM outbox WHERE shop_id = %s", self.shop.id))


@pytest.fixture
def world(connection: Connection, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch) -> World:
    use(monkeypatch, connection, context)
    shop = make_shop(connection, spread=spread, name="Fernweh & <Söhne>", brand_color="#ffd400")
    shopper = put_shopper(connection, context, shop)
    cart = put_cart(connection, context, shop, shopper)
    placed = {"shopper": (shopper.bucket, shopper.id), "cart": (cart.bucket, cart.id), "at": context.clock.now()}
    sent = put_send(connection, shop, **placed)  # type: ignore[arg-type]
    later = put_send(connection, shop, **placed, seed=b"n" * 16)  # type: ignore[arg-type]
    put_outbox(connection, shop, shopper, later, context)
    return World(connection, shop, shopper, sent)


def test_looking_and_foreign_posts_change_nothing(world: World) -> None:
    before = world.state
    for method in ("GET", "HEAD", "GET"):
        assert ask(f"/p/{world.sent.optout}", method=method).status == 200
    for body in (b"", b"x" * 5_000, b"\xff\xfe", b"channel=fax&often=pause", b"data=everything", b"a=1&" * 100):
        assert ask(f"/p/{world.sent.optout}", method="POST", body=body).status == 200
    assert ask(f"/p/{world.sent.optout}", method="DELETE").status == 405
    assert world.state == before


def test_the_page_says_nothing_about_the_person(world: World) -> None:
    page = ask(f"/p/{world.sent.optout}").body.decode()
    assert "Fernweh &amp; &lt;Söhne&gt;" in page
    assert "<script" not in page
    for personal in ("ada", "Ada", "example.com", str(world.shopper.id)):
        assert personal not in page


def test_choices_are_kept_and_shown_again(world: World) -> None:
    page = world.save(often="seldom", about=["cart"], language="de")
    assert "Gespeichert. Das gilt ab sofort." in page
    assert '<html lang="de">' in page
    assert world.kept == {"per_week": 1, "off": ["browse"], "locale": "de"}
    assert 'value="seldom" checked' in page
    assert 'name="about" value="browse">' in page
    page = world.save(language="de")
    assert world.kept == {"locale": "de"}


def test_clicks_are_asked_about_where_the_law_asks(world: World, clock: MovableClock) -> None:
    page = ask(f"/p/{world.sent.optout}").body.decode()
    assert 'name="clicks" value="yes">' in page
    world.save(asked="clicks")
    assert world.kept == {"locale": "en"}, "what was never ticked is no refusal to be written down"
    assert 'name="clicks" value="yes" checked' in world.save(asked="clicks", clicks="yes")
    said_at = clock.now().isoformat()
    assert world.kept == {"locale": "en", "clicks": True, "clicks_at": said_at}
    clock.advance(timedelta(minutes=1))
    world.save(often="seldom", asked="clicks", clicks="yes")
    world.save()  # a page without the box
    assert world.kept == {"locale": "en", "clicks": True, "clicks_at": said_at.replace("+00:00", "Z")}
    assert 'name="clicks" value="yes">' in world.save(asked="clicks")
    assert world.kept["clicks"] is False  # type: ignore[index]
    query = "SELECT kind, wording, source FROM consents WHERE channel = 'track_clicks' ORDER BY seq"
    told = [(row["kind"], row["wording"][-43:], row["source"]) for row in rows(world.connection, query)]
    text = " may note which links of its messages I follow"[-43:]
    assert told == [("express", text, "preference page"), ("withdrawn", text, "preference page")]


def test_a_pause_is_begun_once_and_can_be_ended(world: World, clock: MovableClock) -> None:
    begun = clock.now()
    world.save(often="pause")
    clock.advance(timedelta(days=10))
    page = world.save(often="pause")
    assert world.kept == {
        "paused_until": (begun + timedelta(days=30)).isoformat().replace("+00:00", "Z"),
        "locale": "en",
    }
    assert "Paused until" in page
    world.save(often="as_planned")
    assert world.kept == {"locale": "en"}


def test_declining_the_cart_cancels_what_waits_and_says_how_much(world: World) -> None:
    runs = "SELECT state, exit_reason FROM enrolments"
    page = world.save(decline="yes")
    assert "declined" in str(world.kept)
    assert 'name="decline" value="yes" checked' in page
    assert all(row["exit_reason"] in (None, "DECLINED") for row in rows(world.connection, runs))
    world.save()
    assert world.kept == {"locale": "en"}


def test_unticking_a_channel_is_an_opt_out(world: World) -> None:
    page = world.save(channel=[])
    assert "now cancelled: 1" in page
    assert "E-mail is switched off" in page
    assert world.waiting == 0
    consents = rows(world.connection, "SELECT channel, consent FROM contact_points WHERE shop_id = %s", world.shop.id)
    assert [(row["channel"], row["consent"]) for row in consents] == [("email", "withdrawn")]
    suppressed = rows(world.connection, "SELECT reason, source FROM suppressions WHERE shop_id = %s", world.shop.id)
    assert {(row["reason"], row["source"]) for row in suppressed} == {("unsubscribed", "preference page")}
    page = world.save(channel=["email"])  # a forwarded link is no consent
    assert "E-mail is switched off" in page


def test_a_request_about_data_is_written_down_once_a_day(world: World, clock: MovableClock) -> None:
    for _ in range(2):
        answer = ask(f"/p/{world.sent.optout}", method="POST", body=b"data=copy")
        assert "Your request has reached" in answer.body.decode()
    ask(f"/p/{world.sent.optout}", method="POST", body=b"data=erase")
    query = "SELECT kind, state, source FROM privacy_requests WHERE shop_id = %s ORDER BY kind"
    found = [(row["kind"], row["state"], row["source"]) for row in rows(world.connection, query, world.shop.id)]
    assert found == [("access", "received", "preference page"), ("erasure", "received", "preference page")]
    assert world.kept is None


def test_no_wrong_token_opens_it(world: World) -> None:
    """S-03: random, one bit off, cut, the link of another purpose; all get the same answer."""
    good = world.sent.optout
    draw = random.Random(3)
    wrong = [
        make_token(draw.randrange(1024), world.sent.id, secrets.token_bytes(16), Purpose.OPTOUT) for _ in range(20)
    ]
    wrong += [good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(len(good) - 1)]
    wrong += [good[:-1], good + "A", good.lower(), "", make_token(world.sent.bucket, world.sent.id, SEED, Purpose.LINK)]
    answers = {(answer.status, answer.body) for answer in (ask(f"/p/{token}") for token in wrong[:40])}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


def test_every_language_says_everything() -> None:
    names = set(PREFERENCE_WORDS["en"])
    assert set(LANGUAGES) == set(PREFERENCE_WORDS)
    for language, words in PREFERENCE_WORDS.items():
        assert set(words) == names, language
        assert all(text.strip() for text in words.values())
