"""The four words, told from what is stored: each wrong that is made behind the engine's back is counted."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from rekindle.engine.batch import PACE
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.settle import Settler
from rekindle.lib.clock import MovableClock
from rekindle.providers.base import Uncertain
from rekindle.store.certainty import Certainty, certainty_of
from rekindle.store.database import Connection, connect

from .delivery import World, make_world


@pytest.fixture(scope="module")
def shared_dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    name = f"rekindle_certainty_{secrets.token_hex(6)}"
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
    yield psycopg.conninfo.make_conninfo(admin_dsn, dbname=name)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def link(shared_dsn: str) -> Iterator[Connection]:
    with connect(shared_dsn) as connection:
        yield connection


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, shared_dsn, context, clock, spread)


def told(world: World) -> Certainty:
    return certainty_of(world.connection, world.shop, world.clock.now() - timedelta(days=7))


def test_a_shop_to_which_nothing_wrong_happened(world: World) -> None:
    ada, eve = world.person("ada"), world.person("eve")
    world.set("shoppers", eve.shopper_id, last_order_at=world.clock.now(), order_count=1)
    world.deliver(ada, eve)
    bob = world.person("bob")
    assert told(world) == Certainty(sends=3, lost=0, duplicated=0, unexpected=0, recovered=0, uncertain=0)
    assert told(world).holds
    assert world.state(bob) == "scheduled"


def test_a_doubt_is_uncertain_and_then_recovered(world: World) -> None:
    ada = world.person("ada")
    world.provider.answer(Uncertain("lost"), arrived=True)
    world.deliver(ada)
    assert told(world) == Certainty(sends=1, lost=0, duplicated=0, unexpected=0, recovered=0, uncertain=1)
    world.clock.advance(PACE.settle_time)

    async def settle(worker: Deliverer) -> None:
        await Settler(world.context, worker.routes).settle(await worker.line.get(), [ada.bucket])

    world.with_worker(settle)
    assert told(world) == Certainty(sends=1, lost=0, duplicated=0, unexpected=0, recovered=1, uncertain=0)


def test_each_wrong_is_counted(world: World) -> None:
    ada, bob = world.person("ada"), world.person("bob")
    world.deliver(ada, bob)
    eve = world.person("eve")
    world.connection.execute("DELETE FROM outbox WHERE id = %s", [eve.send_id])
    world.connection.execute(
        "INSERT INTO send_events (bucket, id, shop_id, send_id, kind, at, provider_key, detail)"
        " SELECT bucket, %s, shop_id, send_id, kind, at, 'another name', detail FROM send_events WHERE send_id = %s",
        [UUID(int=ada.send_id.int ^ 1), ada.send_id],
    )
    world.connection.execute("DELETE FROM sends WHERE id = %s", [bob.send_id])
    found = told(world)
    assert (found.lost, found.duplicated, found.unexpected) == (1, 1, 1)
    assert not found.holds
