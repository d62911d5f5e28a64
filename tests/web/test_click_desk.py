"""Links that wait for each other are answered as each alone would be, and every click is stored before the answer."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest

from rekindle.engine.clicks import LINK_LIFE
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.web.http import Answer, Request
from rekindle.web.public import door, follow
from rekindle.web.public.click_desk import ClickDesk
from rekindle.web.rate import RateLimit
from tests.engine.scene import put_cart, put_shopper, rows
from tests.factories import make_shop

from .sent import AGREED, Sent, events_of, put_send, use

AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"


@dataclass
class World:
    connection: Connection
    desk: ClickDesk
    clock: MovableClock
    sent: list[Sent]


@pytest.fixture
def world(
    connection: Connection, context: Context, clock: MovableClock, spread: int, monkeypatch: pytest.MonkeyPatch
) -> World:
    use(monkeypatch, connection, context)
    shop = make_shop(connection, spread=spread)
    sent = []
    for number in range(6):
        shopper = put_shopper(connection, context, shop, email=f"p{number}@example.com", preferences=AGREED)
        state = "converted" if number == 5 else "abandoned"
        told = "https://fernweh.example/checkout/5" if number == 4 else None
        cart = put_cart(connection, context, shop, shopper, key=f"cart-{number}", state=state, recover_url=told)
        placed = {"shopper": (shopper.bucket, shopper.id), "cart": (cart.bucket, cart.id), "at": clock.now()}
        sent.append(put_send(connection, shop, **placed, links=["https://fernweh.example/p1"]))  # type: ignore[arg-type]
    return World(connection, ClickDesk(lambda _bucket: nullcontext(connection), clock), clock, sent)


def request(path: str, *, method: str = "GET", agent: str = AGENT, remote: str = "192.0.2.1") -> Request:
    return Request(method=method, path=path, remote=remote, header=lambda name: agent if name == "user-agent" else "")


def at_once(desk: ClickDesk, asked: list[Request]) -> list[Answer]:
    async def go() -> list[Answer]:
        answers = [desk.take(one) for one in asked]
        return [await answer for answer in answers if answer is not None]

    return asyncio.run(go())


def test_each_gets_the_answer_that_it_would_get_alone(world: World) -> None:
    paths = [f"/r/{sent.link}" for sent in world.sent] + [f"/c/{world.sent[0].link}/{n}" for n in (0, 7)]
    paths += [f"/r/{world.sent[0].optout}", f"/r/{'A' * 46}"]
    together = at_once(world.desk, [request(path) for path in paths])
    handlers = [follow.recover if path.startswith("/r/") else follow.product for path in paths]
    alone = [handler(request(path)) for handler, path in zip(handlers, paths, strict=True)]
    assert [(one.status, one.headers) for one in together] == [(one.status, one.headers) for one in alone]
    assert [one.status for one in together] == [302] * 8 + [404, 404]
    assert together[4].headers["Location"].startswith("https://fernweh.example/checkout/5?")
    assert together[5].headers["Location"] == "https://fernweh.example"


def test_every_click_of_a_person_is_stored_once_a_second(world: World) -> None:
    asked = [request(f"/r/{sent.link}") for sent in world.sent] * 3
    asked.append(request(f"/c/{world.sent[0].link}/0"))
    asked.append(request(f"/r/{world.sent[1].link}", method="HEAD"))
    asked.append(request(f"/r/{world.sent[1].link}", agent="SomeBot/1.0"))
    at_once(world.desk, asked)
    links = sorted(str(detail["link"]) for _, detail in events_of(world.connection, world.sent[0]))
    assert links == ["product 0", "recover"]
    for sent in world.sent[1:]:
        assert [kind for kind, _ in events_of(world.connection, sent)] == ["clicked"]
    at_once(world.desk, [request(f"/r/{world.sent[1].link}"), request(f"/c/{world.sent[2].link}/0")])
    assert len(events_of(world.connection, world.sent[1])) == 1  # noted already; its neighbour is not lost by that
    assert len(events_of(world.connection, world.sent[2])) == 2
    world.clock.advance(timedelta(seconds=1))
    at_once(world.desk, [request(f"/r/{world.sent[1].link}")])
    assert len(events_of(world.connection, world.sent[1])) == 2


def test_an_old_link_leads_nowhere(world: World) -> None:
    world.clock.advance(LINK_LIFE + timedelta(days=1))
    (answer,) = at_once(world.desk, [request(f"/r/{world.sent[0].link}")])
    assert answer.status == 404
    assert rows(world.connection, "SELECT id FROM send_events") == []


def test_guessing_is_braked_here_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = RateLimit(door.WRONG_PER_S, monotonic=lambda: 0.0)
    monkeypatch.setattr(door, "_wrong", lambda: limit)
    remote = "203.0.113.9"
    at_once(world.desk, [request(f"/r/{'A' * 46}", remote=remote) for _ in range(2 * door.WRONG_PER_S)])
    assert door.is_braked("recover", request("/r/x", remote=remote))
    assert not door.is_braked("recover", request("/r/x", remote="203.0.113.10"))


@pytest.mark.parametrize(
    "path", ["/r/", "/r/x", "/c/", "/c/x/0", f"/c/{'A' * 46}", f"/c/{'A' * 46}/x", f"/r/{'!' * 46}"]
)
def test_what_is_no_link_is_left_to_the_other_way(world: World, path: str) -> None:
    assert at_once(world.desk, [request(path), request(f"/r/{world.sent[0].link}", method="POST")]) == []
    assert [one.status for one in at_once(world.desk, [request(f"/r/{world.sent[0].link}")])] == [302]


def test_without_the_database_everybody_is_asked_to_come_back(world: World) -> None:
    def away(_bucket: int) -> nullcontext[Connection]:
        raise psycopg.OperationalError

    desk = ClickDesk(away, world.clock)
    assert [one.status for one in at_once(desk, [request(f"/r/{world.sent[0].link}")] * 2)] == [503, 503]
