"""From a click in a shop to a message in the browser of somebody whose address nobody knows."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.make_provider import Maker
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.event import ConsentGiven, DeviceTold, EventKind
from rekindle.terms.shop import ShopSettings
from tests.event_factory import added, event, identified, ordered, tell
from tests.providers.push_kit import VAPID_KEY, rules_for

from .delivery import LOOPBACK, World
from .push_service import PushService, push_service
from .scene import busy_buckets

YES = ConsentGiven(channel="push", granted=True, wording="Remind me in this browser.")


@pytest.fixture
def dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    name = f"rekindle_push_{secrets.token_hex(6)}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield psycopg.conninfo.make_conninfo(admin_dsn, dbname=name)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as made:
        yield made


class Shop:
    """A new shop with its default flow and an account for web push."""

    def __init__(self, connection: Connection, dsn: str, context: Context, clock: MovableClock, spread: int) -> None:
        self.connection, self.context, self.clock = connection, context, clock
        self.settings: ShopSettings = create_shop(
            connection, context, slug="fernweh", name="Fernweh", holdout_rate=0.0, spread=spread, country="AT",
            url="https://fernweh.example", sender_email="hello@fernweh.example", postal_address="Bergstrasse 7, Muenchen",
        )  # fmt: skip
        self.world = World(connection, dsn, context, clock, self.settings, 0, 0)

    def open_for(self, service: PushService) -> None:
        self.world.http = replace(LOOPBACK, rules=rules_for(service.url))
        self.world.maker = Maker(self.clock, self.world.http)
        self.world.add_api_account("web_push", "", subject="mailto:a@fernweh.example", vapid_private_key=VAPID_KEY)

    def later(self, span: timedelta) -> int:
        """Time goes by, and the worker works; returns how many messages were handed over."""
        self.clock.advance(span)
        books = Books.load(self.connection)
        for bucket in busy_buckets(self.connection):
            abandon(self.connection, self.context, books, bucket)
        for bucket in busy_buckets(self.connection):
            advance(self.connection, self.context, books, bucket)
        buckets = [row[0] for row in self.connection.execute("SELECT DISTINCT bucket FROM outbox").fetchall()]

        async def work(worker: object) -> int:
            return sum([(await worker.deliver_batch(bucket)).handed_over for bucket in buckets])  # type: ignore[attr-defined]

        return self.world.with_worker(work)


@pytest.fixture
def shop(dsn: str, context: Context, clock: MovableClock, spread: int) -> Iterator[Shop]:
    with connect(dsn) as connection:
        yield Shop(connection, dsn, context, clock, spread)


def subscribe(shop: Shop, service: PushService) -> None:
    shop.open_for(service)
    endpoint, browser = service.browser("laptop")
    device = browser.device(endpoint)
    told = DeviceTold(address=endpoint, public_key=device.public_key, auth=device.auth)
    now = shop.clock.now()
    tell(
        shop.connection,
        shop.context,
        shop.settings,
        added(at=now, cart_key="c-1"),
        event(EventKind.IDENTIFIED, at=now, device=told, consents=(YES,)),
    )


def test_a_browser_without_an_address_is_reminded_of_its_cart(shop: Shop, service: PushService) -> None:
    subscribe(shop, service)
    assert shop.later(timedelta(hours=1)) == 0
    assert shop.later(timedelta(hours=4)) == 1
    ((shown,),) = (service.shown["/laptop"],)
    assert shown["body"].startswith("Mug")
    assert shop.connection.execute("SELECT channel FROM sends").fetchall() == [("push",)]


def test_an_order_ends_it(shop: Shop, service: PushService) -> None:
    subscribe(shop, service)
    shop.later(timedelta(hours=1))
    tell(shop.connection, shop.context, shop.settings, ordered(at=shop.clock.now(), cart_key="c-1"))
    assert shop.later(timedelta(hours=4)) == 0
    assert service.shown == {}


def test_with_an_address_the_letter_comes_first(shop: Shop, service: PushService) -> None:
    subscribe(shop, service)
    mail = ConsentGiven(channel="email", granted=True, wording="Write to me.")
    tell(shop.connection, shop.context, shop.settings, identified(at=shop.clock.now(), consents=(mail,)))
    shop.later(timedelta(hours=1))
    shop.later(timedelta(hours=4))
    assert shop.connection.execute("SELECT channel FROM sends").fetchall() == [("email",)]
    assert service.shown == {}
