"""Do imported consents stand with where they come from, and does what was suppressed stay so? (C-12)"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.context import Context
from rekindle.engine.forget import erase_address
from rekindle.engine.import_consents import Imported, import_consents
from rekindle.engine.opt_out import opt_out_address
from rekindle.engine.wordings import keep_wording
from rekindle.lib.clock import MovableClock
from rekindle.policy.consent_file import ImportedConsent, read_consent_file
from rekindle.store.database import Connection, connect
from rekindle.terms.consent import Wording
from rekindle.terms.send import Channel

from .delivery import World, make_world

HEAD = "channel,address,given_at,version,wording,confirmed\n"


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def world(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, fresh_dsn, context, clock, spread)


def bring(world: World, *lines: str, source: str = "old shop") -> Imported:
    read = read_consent_file([HEAD, *(line + "\n" for line in lines)], country="AT", now=world.clock.now())
    rows = [row for row in read if isinstance(row, ImportedConsent)]
    assert len(rows) == len(lines)
    return import_consents(world.connection, world.context, world.shop, rows, source=source)


def read(world: World, query: str) -> list[Any]:
    return world.connection.execute(query, {"shop": world.shop.id}).fetchall()  # type: ignore[arg-type]


def test_a_consent_stands_with_its_source_and_is_written_once(world: World) -> None:
    lines = [f"email,shopper-{n}@example.com,2025-06-0{n % 9 + 1},,Yes.,yes" for n in range(12)]
    assert bring(world, *lines) == Imported(12, 0, 0)
    assert bring(world, *lines) == Imported(0, 12, 0)
    rows = read(world, "SELECT DISTINCT kind, wording, source FROM consents WHERE shop_id = %(shop)s")
    assert rows == [("express", "Yes.", "import: old shop")]
    rows = read(
        world,
        "SELECT count(DISTINCT id), bool_and(consent = 'express' AND consent_confirmed) FROM contact_points"
        " WHERE shop_id = %(shop)s",
    )
    assert rows == [(12, True)]
    assert read(world, "SELECT 1 FROM outbox WHERE shop_id = %(shop)s") == []


@pytest.mark.parametrize(
    ("country", "reason"), [("AT", "CONSENT_UNPROVABLE"), ("US", "CONSENT_UNPROVABLE"), ("", None)]
)
def test_without_a_text_it_is_kept_and_denied(world: World, country: str, reason: str | None) -> None:
    ada = world.person("ada", country=country or "AT", consent=None)
    text = "" if reason else "Yes."
    assert bring(world, f"email,{ada.to},2025-06-01,,{text},").unprovable == (1 if reason else 0)
    world.deliver(ada)
    assert world.events(ada.send_id) == [("skipped", reason) if reason else ("handed_over", None)]
    assert read(world, "SELECT count(*) FROM consents WHERE shop_id = %(shop)s") == [(1,)]


def test_a_kept_version_proves_it_only_if_it_was_shown_then(world: World) -> None:
    since = world.clock.now() - timedelta(days=100)
    wording = Wording("email", "en", "v1", "I want reminders.", True, since)
    keep_wording(world.connection, world.context, world.shop, wording, by="ada")
    old, new = (since - timedelta(days=1)).isoformat(), (since + timedelta(days=1)).isoformat()
    bring(world, f"email,old@example.com,{old},v1,,", f"email,new@example.com,{new},v1,,")
    rows = read(world, "SELECT at, wording FROM consents WHERE shop_id = %(shop)s ORDER BY at")
    assert [wording for _, wording in rows] == ["", "I want reminders."]


@pytest.mark.parametrize("how", ["unsubscribed", "erased", "suppressed before anybody gave it"])
def test_what_is_suppressed_stays_suppressed(world: World, how: str) -> None:
    ada = world.person("ada")
    past = world.clock.now() - timedelta(days=300)
    world.connection.execute("UPDATE contact_points SET consent_at = %s", [past - timedelta(days=1)])
    address = "stranger@example.com" if how.startswith("suppressed") else ada.to
    if how == "erased":
        erase_address(world.connection, world.context, world.shop, channel=Channel.EMAIL, address=address, source="x")
    else:
        opt_out_address(
            world.connection, world.context, world.shop, channel=Channel.EMAIL, address=address, source="page", at=past
        )
    before = read(world, "SELECT DISTINCT reason FROM suppressions WHERE shop_id = %(shop)s")
    given_at = (past + timedelta(days=10)).isoformat()
    bring(world, f"email,{address},{given_at},,Yes.,yes")
    assert read(world, "SELECT DISTINCT reason FROM suppressions WHERE shop_id = %(shop)s") == before
    assert before
    world.deliver(ada)
    if address == ada.to:
        ((kind, reason),) = world.events(ada.send_id)
        assert (kind, reason) in {("skipped", "SUPPRESSED"), ("skipped", "OPTED_OUT"), ("skipped", "ERASED")}


def test_nobody_is_asked_to_confirm_what_a_file_says(world: World) -> None:
    world.connection.execute("UPDATE shops SET double_opt_in = 'always' WHERE id = %s", [world.shop.id])
    bring(world, f"email,ada@example.com,{world.clock.now().isoformat()},,Yes.,")
    assert read(world, "SELECT 1 FROM outbox WHERE shop_id = %(shop)s") == []
