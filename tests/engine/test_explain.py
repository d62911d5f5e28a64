"""Does `rekindle explain` tell a cart's story with every reason, and nobody's address?"""

from __future__ import annotations

import argparse
from datetime import timedelta

import pytest
from django.test import override_settings

from rekindle.commands.explain import configure, run
from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.onboard import create_shop
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import natural_id, timed_id
from rekindle.lib.operator_error import OperatorError
from rekindle.store.database import Connection, connect
from rekindle.terms.reasons import Reason
from tests.engine.scene import busy_buckets, insert, one, put_cart, put_shopper


def explain(dsn: str, *words: str) -> None:
    parser = argparse.ArgumentParser()
    configure(parser)
    with override_settings(DATABASE_URL=dsn):
        assert run(parser.parse_args(words)) == 0


def lived(connection: Connection, context: Context, clock: MovableClock, spread: int) -> None:
    """A cart that was left, written about once, and whose message was handed over and clicked; one of nobody."""
    shop = create_shop(connection, context, slug="fernweh", name="Fernweh", spread=spread, holdout_rate=0)
    put_cart(connection, context, shop, put_shopper(connection, context, shop), key="cart-7")
    put_cart(connection, context, shop, key="nobody's")
    clock.advance(timedelta(hours=5))
    books = Books.load(connection)
    for verb in (abandon, advance):
        for bucket in busy_buckets(connection):
            verb(connection, context, books, bucket)
    send = one(connection, "SELECT * FROM sends")
    for kind, minutes in (("handed_over", 1), ("clicked", 9)):
        at = clock.now() + timedelta(minutes=minutes)
        event = {key: send[key] for key in ("bucket", "shop_id", "shopper_id")}
        event |= {"id": timed_id(at, kind.encode()), "send_id": send["id"], "kind": kind, "at": at, "detail": "{}"}
        insert(connection, "send_events", event)


@pytest.fixture
def dsn(fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> str:
    with connect(fresh_dsn) as connection:
        lived(connection, context, clock, spread)
    return fresh_dsn


def test_a_carts_story_in_order_with_reasons_and_without_addresses(
    dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(dsn, "cart-7")
    told = capsys.readouterr().out
    assert "abandoned, got as far as cart; 2 lines, 250.00 EUR" in told
    assert "a***@example.com: express" in told
    assert "ada@" not in told
    parts = [
        f"abandon: allow ENROLLED. {Reason.ENROLLED.sentence}",
        f"next_step step reminder-1: allow STEP_TAKEN. {Reason.STEP_TAKEN.sentence}",
        "step reminder-1 by email is scheduled",
        "step reminder-1 by email handed over",
        "step reminder-1 by email clicked",
    ]
    places = [told.find(part) for part in parts]
    assert -1 not in places, told
    lines = [line for line in told.splitlines() if line.startswith("2026-")]
    assert lines == sorted(lines, key=lambda line: line[:23])


def test_a_refusal_is_explained(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    explain(dsn, "nobody's", "--shop", "fernweh")
    told = capsys.readouterr().out
    assert "nobody is known for this cart" in told
    assert f"deny NO_SHOPPER. {Reason.NO_SHOPPER.sentence}" in told


def test_a_cart_is_found_by_our_id_too(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    with connect(dsn) as connection:
        shop_id = one(connection, "SELECT id FROM shops")["id"]
    explain(dsn, str(natural_id("cart", int(str(shop_id)), "cart-7")))
    assert "Cart cart-7 (" in capsys.readouterr().out


def test_what_is_not_there_is_said_plainly(dsn: str, context: Context) -> None:
    with pytest.raises(OperatorError, match="has no cart nothing"):
        explain(dsn, "nothing")
    with pytest.raises(OperatorError, match="no shop elsewhere"):
        explain(dsn, "cart-7", "--shop", "elsewhere")
    with connect(dsn) as connection:
        create_shop(connection, context, slug="second", name="Second")
    with pytest.raises(OperatorError, match="--shop"):
        explain(dsn, "cart-7")
