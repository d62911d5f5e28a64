"""The page that asks an address to confirm: looking changes nothing, the button counts, and a text can be answered."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rekindle.engine.context import Context
from rekindle.lib.tokens import Purpose, make_short_token, make_token
from rekindle.store.database import Connection
from rekindle.terms.event import ConsentGiven
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, Request
from rekindle.web.public.confirm import confirm_consent
from rekindle.web.public.follow import recover
from tests.engine.scene import rows
from tests.event_factory import identified, tell
from tests.factories import make_shop

from .sent import use

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class World:
    connection: Connection
    context: Context
    shop: ShopSettings
    path: str

    @property
    def state(self) -> list[list[dict[str, object]]]:
        tables = ("contact_points", "suppressions", "consents", "outbox", "shoppers", "send_events", "opt_in_requests")
        return [rows(self.connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]

    @property
    def consent(self) -> list[dict[str, object]]:
        query = (
            "SELECT DISTINCT channel, consent, consent_confirmed, consent_names_carts FROM contact_points"
            " WHERE shop_id = %s AND consent IS NOT NULL"
        )
        return rows(self.connection, query, self.shop.id)


def ask(path: str, *, method: str = "GET", language: str = "") -> Answer:
    named = {"accept-language": language, "user-agent": FIREFOX}
    return confirm_consent(
        Request(method=method, path=path, remote="203.0.113.77", header=lambda name: named.get(name, ""))
    )


def made(connection: Connection, context: Context, spread: int, channel: str, **event: object) -> World:
    shop = make_shop(connection, spread=spread, name="Fernweh & <Söhne>", country="DE")
    said = ConsentGiven(channel=channel, granted=True, wording="Yes.")
    facts = {"country": "DE", "locale": "de"}
    tell(connection, context, shop, identified(at=context.clock.now(), consents=(said,), facts=facts, **event))
    row = connection.execute("SELECT bucket, id, seed FROM outbox WHERE shop_id = %s", [shop.id]).fetchone()
    assert row is not None
    if channel == "sms":
        return World(connection, context, shop, f"/k/{make_short_token(row[0], row[2], Purpose.CONFIRM)}")
    return World(connection, context, shop, f"/k/{make_token(row[0], row[1], row[2], Purpose.CONFIRM)}")


@pytest.fixture
def world(connection: Connection, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch) -> World:
    use(monkeypatch, connection, context)
    return made(connection, context, spread, "email")


def test_looking_changes_nothing_and_tells_nothing_about_the_person(world: World) -> None:
    before = world.state
    for method in ("GET", "HEAD", "GET"):
        assert ask(world.path, method=method).status == 200
    assert world.state == before
    page = ask(world.path, language="en").body.decode()
    assert '<html lang="de">' in page, "the shopper's language"
    assert "Ja, Fernweh &amp; &lt;Söhne&gt; darf mich per E-Mail" in page
    assert '<form method="post">' in page
    assert "<script" not in page
    for personal in ("ada", "Ada", "example.com"):
        assert personal not in page
    assert ask(world.path, method="PUT").status == 405


def test_the_button_confirms_before_the_answer_and_keeps_a_receipt(world: World) -> None:
    answer = ask(world.path, method="POST")
    assert answer.status == 200
    assert "Bestätigt" in answer.body.decode()
    assert not {"Set-Cookie", "Location"} & answer.headers.keys()
    (consent,) = world.consent
    assert consent["consent_confirmed"]
    assert consent["consent_names_carts"]
    query = "SELECT evidence FROM consents WHERE shop_id = %s AND source = 'double opt-in'"
    (row,) = rows(world.connection, query, world.shop.id)
    evidence = row["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["network"], evidence["browser"], evidence["method"]) == ("203.0.113.0/24", "Firefox", "link")
    assert ask(world.path, method="POST").status == 200, "pressed twice"
    assert len(rows(world.connection, "SELECT 1 FROM consents WHERE shop_id = %s", world.shop.id)) == 2


def test_every_wrong_token_gets_the_same_answer(world: World) -> None:
    good = world.path.removeprefix("/k/")
    link = made(world.connection, world.context, 1, "email").path  # another shop's: good for itself only
    wrong = [
        "",
        "x" * 46,
        good[:-1],
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good[:24],
        link.removeprefix("/k/")[:-1],
    ]
    answers = {
        (answer.status, answer.body)
        for token in wrong
        for answer in (ask(f"/k/{token}"), ask(f"/k/{token}", method="POST"))
    }
    assert len(answers) == 1
    assert {status for status, _ in answers} == {404}
    assert not any(row["consent_confirmed"] for row in world.consent)


def test_its_link_opens_no_cart(world: World) -> None:
    answer = recover(Request(method="GET", path=world.path.replace("/k/", "/r/"), header=lambda _name: ""))
    assert answer.status == 404


def test_a_text_has_a_short_link(
    connection: Connection, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    world = made(connection, context, spread, "sms", email=None, phone="+491711234567")
    assert len(world.path) == len("/k/") + 24
    assert ask(world.path).status == 200
    assert ask(world.path, method="POST").status == 200
    assert [(row["channel"], row["consent_confirmed"]) for row in world.consent] == [("sms", True)]
