"""Does the pack say what the law and the house say, and is anything that cannot be read refused?"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from rekindle.policy.pack.read import PackError, read_pack
from rekindle.terms.limits import HOUSE_LIMITS
from rekindle.terms.policy_pack import Basis, ChannelRules, PolicyPack, Tracked, Window
from rekindle.terms.send import Channel

TEXT = files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def pack() -> PolicyPack:
    return read_pack(TEXT)


def test_the_default_pack_is_read_and_every_region_has_every_channel(pack: PolicyPack) -> None:
    assert {"ZZ", "EU", "DE", "GB", "CA", "US", "US-UNKNOWN", "AU"} <= set(pack.regions)
    assert len(pack.regions) == 23
    for code, region in pack.regions.items():
        assert region.sms.window is not None, code
        assert region.sms.trigger_max_age_hours == 48, code
        assert region.sms.max_per_cart == 1, code
        assert Basis.EXPRESS in region.push.basis, code


def test_its_caps_are_those_that_hold_without_a_pack(pack: PolicyPack) -> None:
    assert pack.house_caps == HOUSE_LIMITS
    assert pack.regions["ZZ"].sms.window == Window(mon_fri=(10, 18), sat=(10, 17), sun=())


@pytest.mark.parametrize(
    ("code", "basis", "double", "per_cart"),
    [
        ("ZZ", {Basis.EXPRESS}, True, 1),
        ("EU", {Basis.EXPRESS, Basis.SOFT_OPT_IN}, False, 2),
        ("DE", {Basis.EXPRESS}, True, 1),
        ("PL", {Basis.EXPRESS}, False, 2),
        ("GB", {Basis.EXPRESS, Basis.SOFT_OPT_IN}, False, 2),
        ("CA", {Basis.EXPRESS, Basis.IMPLIED_PURCHASE, Basis.IMPLIED_INQUIRY}, False, 2),
        ("US", {Basis.EXPRESS, Basis.OPT_OUT}, False, 3),
        ("US-TX", {Basis.EXPRESS, Basis.OPT_OUT}, False, 3),
        ("AU", {Basis.EXPRESS, Basis.IMPLIED_CUSTOMER}, False, 2),
    ],
)
def test_what_email_needs(pack: PolicyPack, code: str, basis: set[Basis], double: bool, per_cart: int) -> None:
    rules = pack.regions[code].email
    assert (set(rules.basis), rules.double_opt_in, rules.max_per_cart) == (basis, double, per_cart)


def test_a_child_keeps_what_it_does_not_name(pack: PolicyPack) -> None:
    german, english = pack.regions["DE"], pack.regions["GB"]
    assert german.email.identity == ("sender_name", "contact", "postal_address")
    assert german.email.tracking.open is Tracked.CONSENT
    assert german.sms.window == pack.regions["EU"].sms.window
    assert german.privacy is not None
    assert german.privacy.answer_days == 30
    assert english.email.soft_opt_in.negotiation_counts
    assert not english.email.soft_opt_in.completed_purchase


def _is_inside(inner: Window, outer: Window) -> bool:
    for name in ("mon_fri", "sat", "sun", "holidays"):
        own, parent = getattr(inner, name), getattr(outer, name)
        if own and not (parent and parent[0] <= own[0] and own[1] <= parent[1]):
            return False
    return True


def test_inheritance_only_tightens_with_one_exception(pack: PolicyPack) -> None:
    children = {code: "US" for code in pack.regions if code.startswith("US-")}
    children |= dict.fromkeys(["DE", "FR", "IT", "ES", "PL", "GB"], "EU")
    wider = []
    for code, parent in children.items():
        for channel in Channel:
            own, above = pack.regions[code].of(channel), pack.regions[parent].of(channel)
            assert own.max_per_cart <= above.max_per_cart, code
            assert own.double_opt_in or not above.double_opt_in, code
            assert set(own.basis) <= set(above.basis), code
            if own.window is not None and above.window is not None and not _is_inside(own.window, above.window):
                wider.append(code)
    assert wider == ["FR"]  # what its carriers accept


def test_an_unknown_state_is_the_intersection_of_all(pack: PolicyPack) -> None:
    unknown = pack.regions["US-UNKNOWN"].sms.window
    assert unknown is not None
    for code, region in pack.regions.items():
        if code.startswith("US"):
            assert region.sms.window is not None
            assert _is_inside(unknown, region.sms.window), code


def test_the_digest_changes_with_the_content_and_only_then(pack: PolicyPack) -> None:
    assert read_pack(TEXT + "\n# a remark\n").digest == pack.digest
    assert read_pack(TEXT, {"regions": {"DE": {"email": {"max_per_cart": 0}}}}).digest != pack.digest


def test_an_overlay_reaches_the_children(pack: PolicyPack) -> None:
    own = read_pack(TEXT, {"regions": {"EU": {"sms": {"window": {"sat": []}}}}, "house_caps": {"channel_gap_s": 7200}})
    assert own.regions["DE"].sms.window == Window(mon_fri=(9, 20), sat=(), sun=())
    assert own.house_caps.channel_gap_s == 7200
    assert own.house_caps.per_cart == pack.house_caps.per_cart


def test_a_review_is_due_after_its_days(pack: PolicyPack) -> None:
    last = pack.meta.reviewed + timedelta(days=pack.meta.review_due_days)
    assert not pack.is_review_due(last)
    assert pack.is_review_due(last + timedelta(days=1))
    assert pack.meta.watch[0].date == date(2027, 1, 31)


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("a misspelt rule", {"regions": {"DE": {"email": {"max_per_crat": 1}}}}, "regions.DE: .*max_per_crat"),
    ("a basis nobody knows", {"regions": {"DE": {"email": {"basis": ["hope"]}}}}, "regions.DE: .*hope"),
    ("no basis", {"regions": {"DE": {"email": {"basis": []}}}}, "regions.DE.email: at least one basis"),
    ("a parent that is none", {"regions": {"DE": {"inherits": "XX"}}}, "inherits from 'XX'"),
    ("its own parent", {"regions": {"EU": {"inherits": "EU"}}}, "inherits from itself"),
    ("a circle", {"regions": {"EU": {"inherits": "DE"}}}, "inherits from itself"),
    ("a region without channels", {"regions": {"XY": {}}}, "regions.XY"),
    ("a region that is no table", {"regions": {"XY": 7}}, "regions.XY"),
    ("an unknown table", {"hopes": {}}, "unknown tables: hopes"),
    ("a negative cap", {"regions": {"DE": {"sms": {"max_per_cart": -1}}}}, "caps are 0 to 100"),
    ("hours of yesterday", {"regions": {"DE": {"sms": {"window": {"sat": [18, 10]}}}}}, "two hours"),
    ("three hours", {"regions": {"DE": {"sms": {"window": {"sat": [9, 10, 11]}}}}}, "two hours"),
    ("a minute that no search meets", {"regions": {"DE": {"sms": {"window": {"sat": [9.01, 10]}}}}}, "five minutes"),
    ("an age of nothing", {"regions": {"DE": {"sms": {"trigger_max_age_hours": 0}}}}, "trigger_max_age_hours"),
    ("hours in words", {"regions": {"DE": {"sms": {"window": {"sat": "10-18"}}}}}, "regions.DE"),
    ("a cap in words", {"house_caps": {"per_cart": {"email": "three"}}}, "house_caps"),
]


@pytest.mark.parametrize(("overlay", "says"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_cannot_be_understood_is_refused_as_a_whole(overlay: dict[str, Any], says: str) -> None:
    with pytest.raises(PackError, match=says):
        read_pack(TEXT, overlay)


@pytest.mark.parametrize("text", ["", "not toml [", "meta = 3", "[meta]\nid = 'x'", "x" * 1_000_001, "[regions.ZZ]"])
def test_text_that_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(PackError):
        read_pack(text)


def test_rules_default_to_the_strict_side() -> None:
    bare = ChannelRules(basis=(Basis.EXPRESS,))
    assert (bare.max_per_cart, bare.tracking.open, bare.tracking.click) == (1, Tracked.CONSENT, Tracked.CONSENT)
