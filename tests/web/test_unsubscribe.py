"""The way out of every message: looking changes nothing, a POST counts before it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from rekindle.engine.clicks import LINK_LIFE
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.lib.tokens import Purpose, make_token
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Answer, Request
from rekindle.web.public.unsubscribe import unsubscribe
from tests.engine.scene import Placed, put_cart, put_shopper, rows
from tests.factories import make_shop

from .sent import SEED, Sent, events_of, put_send, use

FORM = "application/x-www-form-urlencoded"
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'


def ask(path: str, *, method: str = "GET", body: bytes = b"", content_type: str = FORM, language: str = "") -> Answer:
    named = {"content-type": content_type, "accept-language": language}
    return unsubscribe(
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

    @property
    def state(self) -> list[list[dict[str, object]]]:
        """Everything that a refusal would change."""
        tables = ("contact_points", "suppressions", "consents", "outbox", "shoppers", "send_events")
        return [rows(self.connection, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]

    @property
    def consents(self) -> list[tuple[object, object]]:
        query = "SELECT channel, consent FROM contact_points WHERE shop_id = %s AND bucket = %s ORDER BY channel"
        return [
            (row["channel"], row["consent"]) for row in rows(self.connection, query, self.shop.id, self.shopper.bucket)
        ]

    @property
    def waiting(self) -> int:
        return len(rows(self.connection, "SELECT id FROM outbox WHERE shop_id = %s", self.shop.id))


def put_outbox(connection: Connection, shop: ShopSettings, shopper: Placed, sent: Sent, context: Context) -> None:
    connection.execute(
        "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed)"
        " VALUES (%s, %s, %s, %s, %s, 'email', 'scheduled', %s, 0, %s)",
        [sent.bucket, sent.id, shop.id, shopper.id, sent.id, context.clock.now() + timedelta(days=1), SEED],
    )


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


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_changes_nothing(world: World, method: str) -> None:
    before = world.state
    for _ in range(3):
        answer = ask(f"/u/{world.sent.optout}", method=method)
        assert answer.status == 200
    assert world.state == before


def test_the_page_says_what_happens_and_nothing_about_the_person(world: World) -> None:
    page = ask(f"/u/{world.sent.optout}").body.decode()
    assert '<html lang="en">' in page
    assert "Fernweh &amp; &lt;Söhne&gt;" in page
    assert '<form method="post">' in page
    assert "<script" not in page
    assert "background:#ffd400;color:#111827" in page
    for personal in ("ada", "Ada", "example.com", str(world.shopper.id)):
        assert personal not in page


def test_one_click_ends_the_channel_before_it_answers(world: World) -> None:
    answer = ask(f"/u/{world.sent.optout}", method="POST", body=b"List-Unsubscribe=One-Click")
    assert (answer.status, answer.body) == (200, b"Unsubscribed.\n")
    assert not {"Set-Cookie", "Location"} & answer.headers.keys()
    assert world.consents == [("email", "withdrawn")]
    assert world.waiting == 0
    assert [kind for kind, _ in events_of(world.connection, world.sent)] == ["unsubscribed"]


def test_one_click_may_come_as_multipart(world: World) -> None:
    answer = ask(
        f"/u/{world.sent.optout}", method="POST", body=MULTIPART, content_type="multipart/form-data; boundary=x"
    )
    assert answer.body == b"Unsubscribed.\n"
    assert world.consents == [("email", "withdrawn")]


def test_a_second_click_is_harmless(world: World, clock: MovableClock) -> None:
    for _ in range(2):
        answer = ask(f"/u/{world.sent.optout}", method="POST", body=b"List-Unsubscribe=One-Click")
        assert answer.status == 200
        clock.advance(timedelta(milliseconds=100))
    assert world.consents == [("email", "withdrawn")]
    assert [kind for kind, _ in events_of(world.connection, world.sent)] == ["unsubscribed"]


def test_the_page_s_form_says_how_many_messages_it_stopped(world: World) -> None:
    answer = ask(f"/u/{world.sent.optout}", method="POST", body=b"scope=channel")
    page = answer.body.decode()
    assert answer.status == 200
    assert "Ended: Reminders by e-mail." in page
    assert "now cancelled: 1" in page
    assert world.waiting == 0


def test_everything_ends_every_channel(world: World) -> None:
    page = ask(f"/u/{world.sent.optout}", method="POST", body=b"scope=everything").body.decode()
    assert "Ended: Everything" in page
    assert world.consents == [("email", "withdrawn")]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"scope=" + b"x" * 100_000, b"\xff\xfe", b"&" * 4_000])
def test_whatever_the_body_a_post_means_no(world: World, body: bytes) -> None:
    assert ask(f"/u/{world.sent.optout}", method="POST", body=body).status == 200
    assert world.consents == [("email", "withdrawn")]


def test_the_page_speaks_the_language_of_the_message(world: World) -> None:
    world.connection.execute(
        'UPDATE sends SET context = \'{"locale": "de-AT"}\' WHERE bucket = %s AND id = %s',
        [world.sent.bucket, world.sent.id],
    )
    page = ask(f"/u/{world.sent.optout}", language="fr").body.decode()
    assert '<html lang="de">' in page
    assert "Abbestellen" in page


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_token_changes_nothing_and_gets_one_answer(world: World, method: str) -> None:
    before = world.state
    wrong = [
        world.sent.link,
        world.sent.optout[:-1],
        make_token(world.sent.bucket, world.sent.id, b"x" * 16, Purpose.OPTOUT),
        make_token(world.sent.bucket, world.shopper.id, SEED, Purpose.OPTOUT),
        "",
    ]
    answers = [ask(f"/u/{token}", method=method, body=b"List-Unsubscribe=One-Click") for token in wrong]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].status == 404
    assert world.state == before


def test_the_way_out_never_closes(world: World, clock: MovableClock) -> None:
    clock.advance(LINK_LIFE * 10)
    assert ask(f"/u/{world.sent.optout}", method="POST").status == 200
    assert world.consents == [("email", "withdrawn")]


def test_other_methods_are_not_taken(world: World) -> None:
    assert ask(f"/u/{world.sent.optout}", method="PUT").status == 405
