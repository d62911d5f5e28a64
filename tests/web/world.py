"""What does a dashboard test start with? Two shops, people in every role, a past that counted itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import Client

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, Database, connect
from rekindle.terms.shop import ShopSettings
from tests.web.django_database import django_on
from tests.web.people import PASSWORD, make_person
from tests.web.seed import Seeded, seed_shop
from tests.web.shop_with_flow import Versions, open_shop


@dataclass
class World:
    """``shop`` has people in all roles (account = role@...), ``other`` has one owner of its own."""

    dsn: str
    database: Database
    connection: Connection
    context: Context
    clock: MovableClock
    shop: ShopSettings
    other: ShopSettings
    flow: tuple[int, int]
    versions: Versions

    def as_(self, account: str) -> Client:
        """A browser in which this person is signed in."""
        client = Client(HTTP_HOST="127.0.0.1")
        assert client.login(username=account, password=PASSWORD)
        return client

    def path(self, rest: str = "", shop: ShopSettings | None = None) -> str:
        return f"/shops/{(shop or self.shop).slug}/{rest}"


@pytest.fixture
def world(request: pytest.FixtureRequest, fresh_dsn: str, context: Context, clock: MovableClock) -> Iterator[World]:
    """``@pytest.mark.parametrize("world", [1, 1024], indirect=True)`` spreads the first shop over buckets."""
    connection = connect(fresh_dsn)
    spread = getattr(request, "param", 1)
    shop, flow, versions = open_shop(connection, context, clock, slug="fernweh", name="Fernweh Outdoor", spread=spread)
    other, _, _ = open_shop(connection, context, clock, slug="kaffee", name="Kaffee Kontor")
    with django_on(fresh_dsn, context) as database:
        for role in ("owner", "marketer", "viewer"):
            make_person(f"{role}@fernweh.example", {shop.id: role})
        make_person("owner@kaffee.example", {other.id: "owner"})
        make_person("both@kaffee.example", {other.id: "owner", shop.id: "viewer"})
        make_person("nobody@else.example", {})
        yield World(fresh_dsn, database, connection, context, clock, shop, other, flow, versions)
    connection.close()


@pytest.fixture
def seeded(world: World) -> Seeded:
    return seed_shop(world.connection, world.context, world.shop, world.flow, world.versions)
