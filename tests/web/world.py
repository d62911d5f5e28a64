"""What does a dashboard test start with? Two shops, people in every role, a past that counted itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from django.test import Client

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.shop import ShopSettings
from tests.databases import Copies
from tests.web.django_database import django_on
from tests.web.people import PASSWORD, make_person
from tests.web.seed import Seeded, seed_shop
from tests.web.shop_with_flow import Versions, open_shop

READ_ONLY = "-c default_transaction_read_only=on"


@dataclass
class World:
    """``shop`` has people in all roles (account = role@...), ``other`` has one owner of its own."""

    dsn: str
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


class Grounds:
    """Databases with a shop's past that tests read and never change; made when first asked for, by spread."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._made: dict[int, tuple[World, Seeded]] = {}

    def of(self, spread: int, context: Context, clock: MovableClock) -> tuple[World, Seeded]:
        if spread not in self._made:
            ground = _open(self._copies.take(), context, clock, spread)
            with django_on(ground.dsn, context):
                _let_people_in(ground)
            past = seed_shop(ground.connection, context, ground.shop, ground.flow, ground.versions)
            ground.connection.execute("SET default_transaction_read_only = on")
            self._made[spread] = ground, past
        return self._made[spread]

    def close(self) -> None:
        for ground, _ in self._made.values():
            ground.connection.close()
            self._copies.give_back(ground.dsn)


@pytest.fixture(scope="session")
def grounds(copies: Copies) -> Iterator[Grounds]:
    made = Grounds(copies)
    yield made
    made.close()


@pytest.fixture
def world(request: pytest.FixtureRequest, context: Context, clock: MovableClock) -> Iterator[World]:
    """``@pytest.mark.parametrize("world", [1, 1024], indirect=True)`` spreads the first shop over buckets.

    A test marked `only_reads` shares a past with others, on connections that cannot write to it (save that a browser
    which signs in leaves a trace); the others, and one of a marked module that is marked `writes`, get their own.
    """
    spread = getattr(request, "param", 1)
    if _only_reads(request):
        ground, _ = request.getfixturevalue("grounds").of(spread, context, clock)
        with django_on(ground.dsn, context, options="" if "sign_in" in request.fixturenames else READ_ONLY):
            yield replace(ground, context=context, clock=clock)
        return
    own = _open(request.getfixturevalue("fresh_dsn"), context, clock, spread)
    with django_on(own.dsn, context):
        _let_people_in(own)
        yield own
    own.connection.close()


@pytest.fixture
def seeded(request: pytest.FixtureRequest, world: World, context: Context, clock: MovableClock) -> Seeded:
    if _only_reads(request):
        past: Seeded = request.getfixturevalue("grounds").of(world.shop.spread, context, clock)[1]
        return past
    return seed_shop(world.connection, world.context, world.shop, world.flow, world.versions)


def _only_reads(request: pytest.FixtureRequest) -> bool:
    marks = {mark.name for mark in request.node.iter_markers()}
    return "seeded" in request.fixturenames and "only_reads" in marks and "writes" not in marks


def _open(dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    connection = connect(dsn)
    shop, flow, versions = open_shop(connection, context, clock, slug="fernweh", name="Fernweh Outdoor", spread=spread)
    other, _, _ = open_shop(connection, context, clock, slug="kaffee", name="Kaffee Kontor")
    return World(dsn, connection, context, clock, shop, other, flow, versions)


def _let_people_in(world: World) -> None:
    for role in ("owner", "marketer", "viewer"):
        make_person(f"{role}@fernweh.example", {world.shop.id: role})
    make_person("owner@kaffee.example", {world.other.id: "owner"})
    make_person("both@kaffee.example", {world.other.id: "owner", world.shop.id: "viewer"})
    make_person("nobody@else.example", {})
