"""Do the books show what is configured, and does one broken entry leave the rest readable?"""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Field
from tests.engine.scene import put_flow


def test_what_a_shop_has(connection: Connection, context: Context, clock: MovableClock) -> None:
    shop = create_shop(connection, context, slug="s", name="S")
    books = Books.load(connection)
    assert books.shop(shop.id) == shop
    assert books.shop(shop.id + 1) is None
    assert [flow.key for flow in books.flows_of(shop.id)] == ["cart-recovery"]
    assert books.idle_rules(shop, Stage.CART).idle_s == (1_800,)
    assert books.entry_fields(shop.id) == frozenset()
    assert books.template(shop.id, "nothing") is None
    assert books.template_content(connection, 987_654_321) is None
    assert books.accounts_of(shop.id, "email") == ()


def test_flows_come_by_priority_and_thresholds_from_all(
    connection: Connection, context: Context, clock: MovableClock
) -> None:
    shop = create_shop(connection, context, slug="s", name="S")
    test = {"type": "test", "field": "country", "op": "eq", "value": "DE"}
    put_flow(
        connection,
        shop,
        activated_at=clock.now(),
        key="rich",
        priority=9,
        entry=test,
        trigger={"kinds": ["cart"], "idle_s": 600},
    )
    books = Books.load(connection)
    assert [flow.key for flow in books.flows_of(shop.id)] == ["rich", "cart-recovery"]
    assert books.idle_rules(shop, Stage.CART).idle_s == (600, 1_800)
    assert books.idle_rules(shop, Stage.CHECKOUT).idle_s == (900,)
    assert books.entry_fields(shop.id) == {Field.COUNTRY}


def test_changes_show_after_a_refresh_only(
    connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [100.0]
    monkeypatch.setattr("rekindle.engine.books.time.monotonic", lambda: seconds[0])
    books = Books()
    books.refresh_if_stale(connection)
    shop = create_shop(connection, context, slug="s", name="S")
    seconds[0] += 2
    books.refresh_if_stale(connection)
    assert books.shop(shop.id) is None
    seconds[0] += 2
    books.refresh_if_stale(connection)
    assert books.shop(shop.id) == shop
    connection.execute("UPDATE shops SET cart_idle_s = 77")
    books.refresh(connection)
    changed = books.shop(shop.id)
    assert changed is not None
    assert books.idle_rules(changed, Stage.CART).idle_s == (77,)


def test_a_definition_of_another_release_stops_only_itself(
    connection: Connection, context: Context, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    shop = create_shop(connection, context, slug="s", name="S")
    put_flow(connection, shop, activated_at=clock.now() - timedelta(days=1), key="future")
    connection.execute(
        """UPDATE flow_versions SET definition = '{"trigger": {"kinds": ["moon"]}, "steps": []}' WHERE flow_id = (SELECT id FROM flows WHERE key = 'future')"""
    )
    with caplog.at_level(logging.ERROR):
        books = Books.load(connection)
    assert [flow.key for flow in books.flows_of(shop.id)] == ["cart-recovery"]
    assert caplog.messages == ["flow_unreadable"]


def test_a_template_version_is_read_once(connection: Connection, context: Context) -> None:
    shop = create_shop(connection, context, slug="s", name="S")
    books = Books.load(connection)
    template = books.template(shop.id, "cart-reminder-1")
    assert template is not None
    first = books.template_content(connection, template.version_id)
    connection.execute("DELETE FROM template_versions")
    assert books.template_content(connection, template.version_id) is first
