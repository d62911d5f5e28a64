"""The sandbox sends nothing, says everything, and is never on by accident."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from rekindle.engine.context import Context
from rekindle.engine.make_provider import Maker
from rekindle.engine.sandbox import SandboxError, switch_off, switch_on
from rekindle.lib.clock import MovableClock
from rekindle.providers.sandbox import ANSWERS, KIND, Sandbox
from rekindle.store.alerts import open_alerts
from rekindle.store.database import Connection, connect
from tests.due_sends import add_account

from .delivery import World, make_world


@pytest.fixture(scope="module")
def shared_dsn(admin_dsn: str, template_database: str) -> Iterator[str]:
    name = f"rekindle_sandbox_{secrets.token_hex(6)}"
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
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    return made


def allow(world: World) -> None:
    world.providers[KIND] = Maker(world.clock, sandbox=True)(KIND, {}, b"")  # type: ignore[assignment]


def test_without_the_installations_word_it_takes_nothing_and_alerts(world: World) -> None:
    account = add_account(world.connection, world.shop, kind=KIND)
    world.use_maker(Maker(world.clock))
    ada = world.person("ada")
    assert world.deliver(ada).again == 1
    assert world.state(ada) == "scheduled"
    assert [(alert.kind, alert.subject_id) for alert in open_alerts(world.connection, world.shop.id)] == [
        ("account_refused", account)
    ]


def test_a_real_account_always_comes_before_it(world: World) -> None:
    allow(world)
    add_account(world.connection, world.shop, kind=KIND, position=0)
    add_account(world.connection, world.shop, kind="fake", position=9)
    ada = world.person("ada")
    world.deliver(ada)
    assert [letter.recipient for letter in world.provider.started] == ["ada@shopper.example"]


def test_it_does_not_even_stand_in_for_a_real_account_that_pauses(world: World) -> None:
    allow(world)
    add_account(world.connection, world.shop, kind=KIND, position=1)
    real = add_account(world.connection, world.shop, kind="fake", position=0)
    world.connection.execute(
        "UPDATE provider_accounts SET paused_until = %s, pause_kind = 'operator' WHERE id = %s",
        [world.clock.now().replace(year=2027), real],
    )
    ada = world.person("ada")
    world.deliver(ada)
    assert world.state(ada) == "scheduled"


def test_what_it_takes_says_so(world: World) -> None:
    allow(world)
    assert switch_on(world.connection, world.shop) == ["email", "sms"]
    ada = world.person("ada")
    assert world.deliver(ada).handed_over == 1
    key = world.connection.execute("SELECT provider_key FROM send_events WHERE send_id = %s", [ada.send_id]).fetchone()
    assert key == (f"sandbox-{ada.bucket}-{ada.send_id}",)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("bounce", "bounced"),
        ("optout", "failed"),
        ("refused", "failed"),
        ("later", "scheduled"),
        ("failing", "scheduled"),
        ("busy", "scheduled"),
        ("revoked", "scheduled"),
        ("lost", "uncertain"),
    ],
)
def test_every_trouble_can_be_tried(world: World, name: str, state: str) -> None:
    allow(world)
    switch_on(world.connection, world.shop)
    ada = world.person("ada", address=f"{name}+{secrets.token_hex(3)}@shopper.example")
    world.deliver(ada)
    assert world.state(ada) == state
    assert name in ANSWERS


def test_it_is_not_switched_on_beside_a_real_account_and_off_again(world: World) -> None:
    real = add_account(world.connection, world.shop, kind="smtp", channel="sms")
    with pytest.raises(SandboxError, match="sms"):
        switch_on(world.connection, world.shop)
    assert world.connection.execute("SELECT count(*) FROM provider_accounts").fetchone() == (1,)
    world.connection.execute("DELETE FROM provider_accounts WHERE id = %s", [real])
    switch_on(world.connection, world.shop)
    assert switch_off(world.connection, world.shop) == 2
    assert switch_off(world.connection, world.shop) == 0
    switch_on(world.connection, world.shop)
    assert world.connection.execute("SELECT count(*) FROM provider_accounts WHERE enabled").fetchone() == (2,)


def test_the_context_says_whether_there_is_one(context: Context) -> None:
    assert context.sandbox is False
    assert isinstance(Maker(context.clock, sandbox=replace(context, sandbox=True).sandbox)(KIND, {}, b""), Sandbox)
