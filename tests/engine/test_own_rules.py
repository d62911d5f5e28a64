"""Do a shop's own rules hold for its sends, with a history; and is what is looser let in by its ceremony only?"""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg
import pytest

from rekindle.engine.context import Context
from rekindle.engine.own_rules import OwnRulesError, Person, change_own_rules, propose
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.store.own_rules import rule_changes
from rekindle.store.shop_changes import update_shop
from rekindle.store.shops import load_shop
from rekindle.terms.role import Role
from rekindle.terms.send import Channel

from .delivery import World, make_world

OWNER, MARKETER = Person(1, "ada", Role.OWNER), Person(2, "bob", Role.MARKETER)
REASON = "Counsel of 3 March: our opt-in names it."


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    return make_world(link, shared_dsn, context, clock, spread)


def held(world: World) -> object:
    shop = load_shop(world.connection, world.shop.id)
    assert shop is not None
    return shop.own_rules


def test_a_shops_own_rules_decide_its_sends(world: World) -> None:
    stricter = propose(None, region="EU", channel=Channel.EMAIL, rules={"double_opt_in": True, "max_per_cart": 2})
    assert stricter.own_rules == {"regions": {"EU": {"email": {"double_opt_in": True}}}}  # two is what the pack says
    assert not stricter.loosens
    change_own_rules(world.connection, world.shop.id, stricter, by=MARKETER, reason="", now=world.clock.now())
    ada = world.person("ada")
    world.deliver(ada)
    assert world.decisions(ada) == [("deny", "DOUBLE_OPT_IN_MISSING")]


def test_looser_needs_an_owner_and_a_reason(world: World) -> None:
    looser = propose(None, region="EU", channel=Channel.EMAIL, rules={"max_per_cart": 3})
    assert looser.loosens
    now = world.clock.now()
    for by, reason, said in (
        (MARKETER, REASON, "only an owner"),
        (OWNER, "because", "a reason of at least 20"),
        (OWNER, " " * 30, "a reason of at least 20"),
        (OWNER, "x" * 3_000, "at most 2000"),
        (Person(3, "eve", Role.VIEWER), REASON, "does not change rules"),
    ):
        with pytest.raises(OwnRulesError, match=said):
            change_own_rules(world.connection, world.shop.id, looser, by=by, reason=reason, now=now)
    assert held(world) is None
    change_own_rules(world.connection, world.shop.id, looser, by=OWNER, reason=REASON, now=now)
    assert held(world) == looser.own_rules
    (line,) = rule_changes(world.connection, world.shop.id, 9)
    assert (line.person_name, line.role, line.loosens, line.reason) == ("ada", "owner", True, REASON)
    assert {change["region"] for change in line.changes} >= {"EU", "FR"}


def test_back_to_the_pack_needs_no_ceremony_and_a_granted_rule_stays(world: World) -> None:
    now = world.clock.now()
    looser = propose(None, region="EU", channel=Channel.EMAIL, rules={"max_per_cart": 3})
    change_own_rules(world.connection, world.shop.id, looser, by=OWNER, reason=REASON, now=now)
    more = propose(looser.own_rules, region="DE", channel=Channel.SMS, rules={"trigger_max_age_hours": 24})
    assert not more.loosens
    change_own_rules(world.connection, world.shop.id, more, by=MARKETER, reason="", now=now)
    back = propose(more.own_rules, region="EU", channel=Channel.EMAIL, rules={})
    assert {(change.before, change.after, change.loosens) for change in back.changes} == {("3", "2", False)}
    change_own_rules(world.connection, world.shop.id, back, by=MARKETER, reason="", now=now)
    assert held(world) == {"regions": {"DE": {"sms": {"trigger_max_age_hours": 24}}}}


def test_two_people_do_not_change_over_each_other(world: World) -> None:
    now = world.clock.now()
    one = propose(None, region="EU", channel=Channel.EMAIL, rules={"max_per_cart": 1})
    other = propose(None, region="FR", channel=Channel.EMAIL, rules={"max_per_cart": 0})
    change_own_rules(world.connection, world.shop.id, one, by=OWNER, reason="", now=now)
    with pytest.raises(OwnRulesError, match="somebody else"):
        change_own_rules(world.connection, world.shop.id, other, by=OWNER, reason="", now=now)


def test_the_history_only_grows_and_the_settings_form_is_no_way_round(world: World) -> None:
    one = propose(None, region="EU", channel=Channel.EMAIL, rules={"max_per_cart": 1})
    change_own_rules(world.connection, world.shop.id, one, by=OWNER, reason="", now=world.clock.now())
    for statement in ("UPDATE rule_changes SET reason = 'x'", "DELETE FROM rule_changes"):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"), world.connection.transaction():
            world.connection.execute(statement)
    with pytest.raises(KeyError, match="own_rules"):
        update_shop(world.connection, world.shop.id, {"own_rules": {}})


def test_rules_that_mean_nothing_send_nothing(world: World) -> None:
    """What a newer release or a hand wrote and this one cannot read."""
    world.connection.execute(
        "UPDATE shops SET own_rules = %s WHERE id = %s", ['{"regions": {"EU": {"email": {"magic": 1}}}}', world.shop.id]
    )
    ada = world.person("ada")
    world.deliver(ada)
    assert world.decisions(ada) == [("deny", "EVALUATION_FAILED")]
    assert replace(world.shop, own_rules={}).own_rules == {}


@pytest.mark.parametrize(
    ("region", "rules", "said"),
    [
        ("XX", {"max_per_cart": 1}, "no region XX"),
        ("EU", {"magic": 1}, "magic"),
        ("EU", {"max_per_cart": "many"}, "max_per_cart"),
        ("EU", {"basis": []}, "at least one basis"),
        ("EU", {"window": {"mon_fri": [20, 9], "sat": [], "sun": [], "holidays": []}}, "the earlier one first"),
        ("US-FL", {}, None),
    ],
)
def test_what_cannot_be_a_rule(region: str, rules: dict[str, object], said: str | None) -> None:
    if said is None:
        assert propose(None, region=region, channel=Channel.SMS, rules=rules).changes == ()
        return
    with pytest.raises(OwnRulesError, match=re.escape(said)):
        propose(None, region=region, channel=Channel.EMAIL, rules=rules)
