"""Is an address that must confirm asked once, without any offer, and written to only after it said yes?"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.engine.double_opt_in import Receipt, confirm, open_confirm_link
from rekindle.engine.forget import erase_address
from rekindle.engine.opt_out import opt_out_address
from rekindle.engine.wordings import keep_wording
from rekindle.lib.clock import MovableClock
from rekindle.policy.confirmation import ASK_AGAIN, LIFE, MOST_PER_NETWORK, MOST_UNANSWERED
from rekindle.providers.base import Letter
from rekindle.store.database import Connection, connect
from rekindle.store.shops import load_shop
from rekindle.terms.consent import ConsentMarks, Wording
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.send import Channel

from ..event_factory import added, event, identified, item, ordered, tell
from .delivery import World, make_world

YES = ConsentGiven(channel="email", granted=True, wording="Buy at http://evil.example now!", network="203.0.113.0/24")
HOURS = timedelta(hours=1)


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def world(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, fresh_dsn, context, clock, spread, holdout_rate=0)


def told(world: World, *events: ShopEvent) -> None:
    tell(world.connection, world.context, world.shop, *events)


def agreed(world: World, said: ConsentGiven = YES, *, country: str = "DE", **fields: Any) -> ShopEvent:
    facts = {"country": country, **fields.pop("facts", {})}
    return identified(at=world.clock.now(), consents=(said,), facts=facts, **fields)


def deliver(world: World) -> list[EmailMessage]:
    """Everything that is due goes out; the letters that were handed over by it."""
    before = len(world.provider.started)
    rows = world.connection.execute("SELECT DISTINCT bucket FROM outbox WHERE send_at <= %s", [world.clock.now()])
    buckets = [row[0] for row in rows.fetchall()]

    async def work(worker: Any) -> None:
        for bucket in buckets:
            await worker.deliver_batch(bucket)

    world.with_worker(work)
    letters = [one for one in world.provider.started[before:] if isinstance(one, Letter)]
    return [email.message_from_bytes(one.content, policy=email.policy.default) for one in letters]  # type: ignore[misc]


def token_of(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    assert body is not None
    found = re.search(r"/k/([\w-]+)", body.get_content())
    assert found is not None
    return found[1]


def press(world: World, token: str) -> bool:
    send = open_confirm_link(world.connection, token, now=world.clock.now())
    return send is not None and confirm(
        world.connection, world.context, world.shop, send, Receipt("link", "198.51.100.0/24", "Firefox")
    )


def read(world: World, query: str) -> list[Any]:
    return world.connection.execute(query, {"shop": world.shop.id}).fetchall()  # type: ignore[arg-type]


def reasons(world: World) -> list[str]:
    rule = "SELECT reason FROM decisions WHERE shop_id = %(shop)s AND question = 'may_send' ORDER BY at"
    return [row[0] for row in read(world, rule)]


def standing(world: World) -> tuple[Any, ...]:
    (row,) = read(
        world,
        "SELECT DISTINCT consent, consent_confirmed, consent_wording FROM contact_points"
        " WHERE shop_id = %(shop)s AND channel = 'email'",
    )
    return tuple(row)


def test_an_address_in_germany_is_asked_once_and_confirms_by_a_button(world: World) -> None:
    told(world, agreed(world), agreed(world))
    told(world, agreed(world))
    (letter,) = deliver(world)
    assert letter["To"] == "ada@example.com"
    assert letter["List-Unsubscribe"]
    for part in ("plain", "html"):
        body = letter.get_body((part,))
        assert body is not None
        text = body.get_content()
        assert "Fernweh may remind me by e-mail of what I left in my cart" in text
        assert "10115 Berlin" in text
        assert "evil" not in text, "what a stranger may have typed is in no message of ours"
    assert standing(world)[:2] == ("express", False)
    token = token_of(letter)
    assert press(world, token)
    world.clock.advance(timedelta(minutes=1))
    assert press(world, token), "a second look at it is harmless"
    assert standing(world) == ("express", True, "Yes, Fernweh may remind me by e-mail of what I left in my cart.")
    rows = read(world, "SELECT kind, source, evidence FROM consents WHERE shop_id = %(shop)s ORDER BY seq")
    assert [(kind, source) for kind, source, _ in rows] == [("express", "event"), ("express", "double opt-in")]
    evidence = rows[-1][2]
    assert evidence.pop("asked")
    assert evidence == {
        "method": "link", "network": "198.51.100.0/24", "browser": "Firefox", "is_confirmed": True, "mentions_cart": True,
    }  # fmt: skip
    told(world, agreed(world))
    assert deliver(world) == []
    assert reasons(world) == ["ALLOWED"]


def test_reminders_go_on_by_themselves_after_the_confirmation(world: World) -> None:
    ada = world.person("ada", country="DE", due=timedelta(minutes=-30))
    told(world, agreed(world, email=ada.to, visitor_key="a:9"))
    (letter,) = deliver(world)
    assert press(world, token_of(letter))
    world.clock.advance(HOURS)
    (reminder,) = deliver(world)
    body = reminder.get_body(("plain",))
    assert body is not None
    assert "/r/" in body.get_content()
    assert reasons(world) == ["ALLOWED", "ALLOWED"]


def test_where_the_law_asks_for_no_confirmation_the_shop_can(world: World) -> None:
    told(world, agreed(world, country="AT"))
    assert deliver(world) == []
    world.connection.execute("UPDATE shops SET double_opt_in = 'always' WHERE id = %s", [world.shop.id])
    changed = load_shop(world.connection, world.shop.id)
    assert changed is not None
    world.shop = changed
    told(world, agreed(world, country="AT"))
    assert len(deliver(world)) == 1
    bob = world.person("bob", country="AT")
    deliver(world)
    assert world.events(bob.send_id) == [("skipped", "DOUBLE_OPT_IN_MISSING")]


@pytest.mark.parametrize("why", ["the shop asks by itself", "the server says it confirmed", "nothing was shown"])
def test_who_is_not_asked(world: World, why: str) -> None:
    said, fields = YES, {}
    if why == "the shop asks by itself":
        world.connection.execute("UPDATE shops SET double_opt_in = 'never' WHERE id = %s", [world.shop.id])
        changed = load_shop(world.connection, world.shop.id)
        assert changed is not None
        world.shop = changed
    elif why == "nothing was shown":
        said = replace(YES, wording="")
    else:
        said, fields = replace(YES, marks=ConsentMarks(is_confirmed=True)), {"is_from_server": True}
    told(world, agreed(world, said, **fields))
    assert read(world, "SELECT 1 FROM outbox WHERE shop_id = %(shop)s") == []


def test_the_wording_that_the_shop_keeps_is_asked_for_and_proven(world: World) -> None:
    text = "Ja, Fernweh darf mir Erinnerungen schicken."
    wording = Wording("email", "de", "2026-03", text, False, world.clock.now() - HOURS)
    keep_wording(world.connection, world.context, world.shop, wording, by="ada")
    told(world, agreed(world, replace(YES, wording="", version="2026-03"), facts={"locale": "de"}))
    (letter,) = deliver(world)
    assert text in str(letter.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert press(world, token_of(letter))
    assert standing(world) == ("express", True, text)
    ((evidence,),) = read(world, "SELECT evidence FROM consents WHERE shop_id = %(shop)s AND source = 'double opt-in'")
    assert (evidence["version"], evidence["language"], evidence["is_kept"]) == ("2026-03", "de", True)


def test_a_victim_gets_one_message_however_often_somebody_types_its_address(world: World) -> None:
    """S-05: other visits, other networks, other wordings, days of it."""
    for number in range(40):
        told(
            world,
            agreed(
                world,
                replace(
                    YES, wording=f"v{number}", network=f"203.0.{number}.0/24", marks=ConsentMarks(mentions_cart=True)
                ),
                visitor_key=f"a:{number}",
            ),
        )
        world.clock.advance(3 * HOURS)
    assert len(deliver(world)) <= 1
    rows = read(world, "SELECT count(*) FROM sends WHERE shop_id = %(shop)s")
    assert rows == [(1,)]
    for _ in range(6):
        world.clock.advance(LIFE)
        told(world, agreed(world, replace(YES, wording=f"w{world.clock.now()}")))
    assert read(world, "SELECT count(*) FROM sends WHERE shop_id = %(shop)s") == [(MOST_UNANSWERED,)]


def test_one_network_has_only_a_few_addresses_asked(world: World) -> None:
    for number in range(3 * MOST_PER_NETWORK):
        told(world, agreed(world, email=f"victim-{number}@example.com", visitor_key=f"a:{number}"))
    assert read(world, "SELECT count(*) FROM sends WHERE shop_id = %(shop)s") == [(MOST_PER_NETWORK,)]
    world.clock.advance(HOURS)
    told(world, agreed(world, email="somebody@example.com", visitor_key="a:999"))
    assert read(world, "SELECT count(*) FROM sends WHERE shop_id = %(shop)s") == [(MOST_PER_NETWORK + 1,)]


@pytest.mark.parametrize("how", ["unsubscribed", "suppressed", "erased", "too late", "confirmed by the server"])
def test_a_question_that_lost_its_ground_never_goes_out(world: World, how: str) -> None:
    told(world, agreed(world))
    address, now = "ada@example.com", world.clock.now()
    if how == "unsubscribed":
        opt_out_address(
            world.connection, world.context, world.shop, channel=Channel.EMAIL, address=address, source="page", at=now
        )
    elif how == "suppressed":
        world.connection.execute(
            "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
            " SELECT bucket, shop_id, channel, address_hash, 'complaint', %s, '' FROM contact_points WHERE shop_id = %s",
            [now, world.shop.id],
        )
    elif how == "erased":
        erase_address(world.connection, world.context, world.shop, channel=Channel.EMAIL, address=address, source="x")
    elif how == "too late":
        world.clock.advance(timedelta(hours=24))
    else:
        world.clock.advance(timedelta(minutes=1))
        server = replace(YES, marks=ConsentMarks(is_confirmed=True))
        told(world, agreed(world, server, is_from_server=True))
    assert deliver(world) == []
    assert read(world, "SELECT count(*) FROM send_events WHERE kind = 'handed_over' AND shop_id = %(shop)s") == [(0,)]


def test_a_purchase_does_not_take_the_question_back(world: World) -> None:
    told(world, added(item(), cart_key="c", at=world.clock.now()), agreed(world))
    told(world, ordered(cart_key="c", at=world.clock.now(), email="ada@example.com"))
    assert len(deliver(world)) == 1


def test_a_link_that_is_not_good_any_more_confirms_nothing(world: World) -> None:
    told(world, agreed(world))
    (letter,) = deliver(world)
    token = token_of(letter)
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), token[:-2], "x" * 46, ""):
        assert open_confirm_link(world.connection, wrong, now=world.clock.now()) is None
    world.clock.advance(HOURS)
    told(world, event(EventKind.OPTED_OUT, at=world.clock.now(), email="ada@example.com"))
    assert not press(world, token), "a no that came later is final"
    assert standing(world)[0] == "withdrawn"
    told(world, agreed(world, email="bob@example.com", visitor_key="a:2"))
    (other,) = deliver(world)
    world.clock.advance(LIFE)
    assert not press(world, token_of(other)), "it has expired"


def test_who_ended_it_and_agrees_anew_is_asked_anew(world: World) -> None:
    told(world, agreed(world))
    assert press(world, token_of(deliver(world)[0]))
    world.clock.advance(HOURS)
    told(world, event(EventKind.OPTED_OUT, at=world.clock.now(), email="ada@example.com"))
    world.clock.advance(ASK_AGAIN)
    told(world, agreed(world))
    assert standing(world)[:2] == ("express", False)
    (letter,) = deliver(world)
    assert press(world, token_of(letter))
    assert standing(world)[:2] == ("express", True)
