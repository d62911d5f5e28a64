"""Do the policy pack's rules hold where sends are decided: by the shopper's country, the consent's marks, the caps?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rekindle.engine.context import Context
from rekindle.engine.law import Laws, default_pack, laws
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.limits import parse_limits
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

from .delivery import World, make_world

SHOP = ShopSettings(id=1, slug="s", name="S", country="AT")


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def world(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, fresh_dsn, context, clock, spread)


def mark(world: World, name: str) -> None:
    world.connection.execute(f"UPDATE contact_points SET {name} = true WHERE shop_id = %s", [world.shop.id])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("country", "region", "consent", "expected"),
    [
        ("AT", "", "express", "handed_over"),
        ("FR", "", "express", "handed_over"),
        ("FR", "", "soft_opt_in", "NO_BASIS"),  # has not bought yet
        ("DE", "", "express", "DOUBLE_OPT_IN_MISSING"),
        ("US", "TX", "express", "handed_over"),
        ("US", "TX", None, "NO_BASIS"),  # the shop is in the EU, whose rules hold as well
        ("CH", "", "express", "DOUBLE_OPT_IN_MISSING"),  # a region without an entry
        ("", "", "express", "handed_over"),  # the shop's country says enough
    ],
)
def test_the_shoppers_country_decides_together_with_the_shops(
    world: World, country: str, region: str, consent: str | None, expected: str
) -> None:
    ada = world.person("ada", country=country, region=region, consent=consent)
    world.deliver(ada)
    ((kind, reason),) = world.events(ada.send_id)
    assert (reason or kind) == expected


def test_in_an_opt_out_country_no_consent_is_asked_for_and_a_no_is_final(world: World) -> None:
    world.connection.execute("UPDATE shops SET country = 'US' WHERE id = %s", [world.shop.id])
    ada = world.person("ada", country="US", consent=None)
    bob = world.person("bob", country="US", consent="withdrawn")
    world.deliver(ada, bob)
    assert world.events(ada.send_id) == [("handed_over", None)]
    assert world.events(bob.send_id) == [("skipped", "OPTED_OUT")]


def test_a_confirmed_address_may_be_written_to_in_germany_once_a_cart(world: World) -> None:
    ada = world.person("ada", country="DE")
    mark(world, "consent_confirmed")
    world.deliver(ada)
    assert world.events(ada.send_id) == [("handed_over", None)]
    row = world.connection.execute("SELECT evidence FROM decisions WHERE send_id = %s", [ada.send_id]).fetchone()
    assert row is not None
    assert row[0]["basis"] == {"DE": "express", "EU": "express"}
    assert row[0]["regions"] == ["DE", "EU"]


def test_a_shop_of_nowhere_has_the_strictest_rules(world: World) -> None:
    world.connection.execute("UPDATE shops SET country = '' WHERE id = %s", [world.shop.id])
    ada = world.person("ada", country="")
    world.deliver(ada)
    assert world.events(ada.send_id) == [("skipped", "DOUBLE_OPT_IN_MISSING")]


def test_without_a_pack_nothing_is_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rekindle.engine.facts.laws", lambda: Laws(None))
    ada = world.person("ada")
    world.deliver(ada)
    assert world.events(ada.send_id) == [("skipped", "EVALUATION_FAILED")]


def test_rules_are_worked_out_once_and_follow_the_number_of_a_text() -> None:
    known = Laws(default_pack())
    law = known.of(SHOP, Channel.SMS, country="AT", state="")
    assert known.of(SHOP, Channel.SMS, country="AT", state="") is law
    assert law.rules is not None
    assert law.rules.regions == ("EU",)
    abroad = known.of(SHOP, Channel.SMS, country="AT", state="", phone="+12125550123")
    assert abroad.rules is not None
    assert abroad.rules.regions == ("EU", "US-UNKNOWN")


def test_a_shop_may_ask_for_less_than_the_law_allows_and_not_for_more() -> None:
    generous = replace(SHOP, limits={"per_cart": {"email": 50}, "per_24h": {"email": 50}})
    assert laws().of(generous, Channel.EMAIL, country="AT", state="").limits.per_cart.email == 2
    strict = replace(SHOP, limits={"per_cart": {"email": 0}})
    assert laws().of(strict, Channel.EMAIL, country="AT", state="").limits == parse_limits(strict.limits)
