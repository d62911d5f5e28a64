"""Where the law asks for consent, a followed link leads where it always led, and nobody learns who followed it."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from rekindle.engine.clicks import open_optout_link
from rekindle.engine.consents import fault_of_chain
from rekindle.engine.context import Context
from rekindle.engine.forget import erase
from rekindle.engine.places import Place
from rekindle.engine.prefer import Wanted, prefer
from rekindle.engine.replay import replay
from rekindle.engine.restore_gate import begin
from rekindle.lib.clock import MovableClock
from rekindle.lib.journal import Journal
from rekindle.store.database import Connection
from rekindle.terms.consent import Purpose
from rekindle.terms.event import ConsentGiven
from rekindle.terms.shop import ShopSettings
from rekindle.web.http import Request
from rekindle.web.public import follow
from rekindle.web.public.click_desk import ClickDesk
from rekindle.web.public.preferences import preferences
from rekindle.web.public.restore import restore
from tests.engine.scene import Placed, put_cart, put_shopper, rows
from tests.event_factory import identified, tell
from tests.factories import make_shop

from .sent import AGREED, Sent, events_of, put_send, use

REFUSED = '{"clicks": false}'
BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"

#: country of the shop, country and state of the shopper, preferences; whether it is noted who followed a link.
CASES = [
    ("AT", "AT", "", None, False),
    ("AT", "AT", "", REFUSED, False),
    ("AT", "AT", "", AGREED, True),
    ("US", "AT", "", None, False),
    ("AT", "US", "CA", None, False),  # the shop's own country asks for it
    ("US", "", "", None, True),
    ("", "", "", None, False),  # nobody knows where
    ("", "KP", "", None, False),
    ("US", "US", "CA", None, True),
    ("US", "US", "CA", REFUSED, False),  # a plain no counts everywhere
    ("CA", "CA", "", None, True),
    ("AU", "AU", "", None, True),
]


@dataclass
class World:
    connection: Connection
    context: Context
    shop: ShopSettings
    shopper: Placed
    sent: Sent
    desk: ClickDesk

    def follow_all(self) -> list[int]:
        """Every way in which a link of the message is followed: together with others, alone, and the shop's page."""
        ask = [f"/r/{self.sent.link}", f"/c/{self.sent.link}/0"]
        together = asyncio.run(self._together(ask))
        alone = [follow.recover(_request(ask[0])).status, follow.product(_request(ask[1])).status]
        return [*together, *alone, restore(_request(f"/v1/carts/{self.sent.link}")).status]

    async def _together(self, paths: list[str]) -> list[int]:
        answers = [self.desk.take(_request(path)) for path in paths]
        return [(await answer).status for answer in answers if answer is not None]

    @property
    def noted(self) -> list[str]:
        return sorted(kind for kind, _ in events_of(self.connection, self.sent))

    @property
    def ledger(self) -> list[tuple[str, str, str]]:
        query = "SELECT kind, wording, source FROM consents WHERE channel = 'track_clicks' ORDER BY seq"
        return [(row["kind"], row["wording"], row["source"]) for row in rows(self.connection, query)]


def _request(path: str) -> Request:
    return Request(method="GET", path=path, header=lambda name: BROWSER if name == "user-agent" else "")


def make_world(connection: Connection, context: Context, shop: ShopSettings, **shopper: object) -> World:
    placed = put_shopper(connection, context, shop, **shopper)  # type: ignore[arg-type]
    cart = put_cart(connection, context, shop, placed, key=f"cart-{shop.id}")
    sent = put_send(
        connection, shop, shopper=(placed.bucket, placed.id), cart=(cart.bucket, cart.id), at=context.clock.now(),
        links=["https://fernweh.example/p1"],
    )  # fmt: skip
    return World(connection, context, shop, placed, sent, ClickDesk(lambda _: nullcontext(connection), context.clock))


@pytest.fixture
def world(connection: Connection, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch) -> World:
    use(monkeypatch, connection, context)
    return make_world(connection, context, make_shop(connection, spread=spread))


def test_who_followed_a_link_is_noted_only_where_it_may_be(
    connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    found = []
    for shop_country, country, state, said, _ in CASES:
        shop = make_shop(connection, country=shop_country)
        world = make_world(connection, context, shop, country=country, region=state, preferences=said)
        assert world.follow_all() == [302, 302, 302, 302, 200]
        assert world.noted in ([], ["clicked", "clicked", "restored"])
        found.append((shop_country, country, state, said, bool(world.noted)))
    assert found == CASES


def test_nobody_is_asked_where_no_consent_is_needed(
    connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    for country, is_asked in (("US", False), ("DE", True)):
        world = make_world(connection, context, make_shop(connection, country=country), country=country, region="")
        page = preferences(_request(f"/p/{world.sent.optout}"))
        assert (page.status, b'name="clicks"' in page.body) == (200, is_asked)


def test_the_country_of_a_number_counts_too(
    connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    own = {"regions": {"US": {"sms": {"tracking": {"open": "consent", "click": "allow"}}}}}
    shop = make_shop(connection, country="US", own_rules=Jsonb(own))
    world = make_world(connection, context, shop, country="US", region="CA")
    connection.execute("UPDATE sends SET channel = 'sms'")
    connection.execute("UPDATE contact_points SET channel = 'sms', address = '+436641234567'")
    assert follow.recover(_request(f"/r/{world.sent.link}")).status == 302
    assert world.noted == []
    connection.execute("UPDATE contact_points SET address = '+12125550123'")
    follow.recover(_request(f"/r/{world.sent.link}"))
    assert world.noted == ["clicked"]


def say(world: World, granted: bool, clock: MovableClock, *, minutes: int = 0, wording: str = "") -> None:
    said = ConsentGiven(channel=Purpose.TRACK_CLICKS, granted=granted, wording=wording)
    at = clock.now() + timedelta(minutes=minutes)
    told = identified(email="ada@example.com", at=at, consents=(said,), shop_id=world.shop.id)
    tell(world.connection, world.context, world.shop, told)


def test_a_yes_begins_it_and_a_later_no_ends_it_for_old_messages_too(world: World, clock: MovableClock) -> None:
    world.follow_all()
    assert world.noted == []
    say(world, True, clock, wording="Yes, note my clicks.")
    world.follow_all()
    assert world.noted == ["clicked", "clicked", "restored"]
    say(world, False, clock, minutes=1)
    say(world, True, clock, minutes=-5)  # told late, said before
    clock.advance(timedelta(minutes=2))
    assert world.follow_all() == [302, 302, 302, 302, 200]
    assert len(world.noted) == 3
    assert ("express", "Yes, note my clicks.", "event") in world.ledger
    assert ("withdrawn", "", "event") in world.ledger
    state = rows(world.connection, "SELECT consent FROM contact_points WHERE channel = 'email'")
    assert [row["consent"] for row in state] == ["express"], "to be written to is another matter"
    digest = world.context.address_hash(world.shop.id, "email", "ada@example.com")
    purpose = Purpose.TRACK_CLICKS
    assert fault_of_chain(world.connection, world.context, world.shop, purpose, digest) is None


def test_nothing_is_noted_of_somebody_erased(world: World, clock: MovableClock) -> None:
    say(world, True, clock)
    place = Place(world.shopper.bucket, world.shopper.id)
    erase(world.connection, world.context, world.shop, bucket=place.bucket, shopper_id=place.id, source="operator")
    before = world.noted
    asyncio.run(world._together([f"/r/{world.sent.link}"]))
    assert world.noted == before


def test_a_no_survives_a_restored_backup(world: World, clock: MovableClock, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", world.context.hash_key)
    watched = replace(world.context, journal=journal)
    say(world, True, clock)
    backup = rows(world.connection, "SELECT preferences FROM shoppers WHERE id = %s", world.shopper.id)[0]
    clock.advance(timedelta(minutes=1))
    send = open_optout_link(world.connection, world.sent.optout)
    assert send is not None
    prefer(world.connection, watched, world.shop, send, Wanted(clicks=False))
    assert world.ledger[-1][0] == "withdrawn"
    world.connection.execute("DELETE FROM consents WHERE kind = 'withdrawn'")
    world.connection.execute(
        "UPDATE shoppers SET preferences = %s::jsonb WHERE id = %s",
        [json.dumps(backup["preferences"]), world.shopper.id],
    )
    begin(world.connection, watched)
    assert replay(world.connection, watched, journal).by_kind == {"opted_out": 1}
    world.follow_all()
    assert world.noted == []
    assert world.ledger[-1] == ("withdrawn", "", "restore")
