"""Is every way to let more through than the pack seen, and none of the others?"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.own_rules import compare
from rekindle.policy.pack.read import PackError, read_pack
from rekindle.policy.regions import rules_of
from rekindle.terms.send import Channel

TEXT = files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8")
BASE = read_pack(TEXT)


def own(region: str, channel: str, **fields: Any) -> dict[str, Any]:
    return {"regions": {region: {channel: fields}}}


LOOSER = [
    own("DE", "email", basis=["express", "soft_opt_in"]),
    own("DE", "email", double_opt_in=False),
    own("DE", "email", max_per_cart=2),
    own("US", "sms", max_per_24h=3),
    own("EU", "sms", trigger_max_age_hours=72),
    own("EU", "sms", trigger_max_age_hours=None),
    own("FR", "sms", window={"sun": [12, 14]}),
    own("FR", "sms", window={"holidays": [12, 14]}),
    own("FR", "sms", window={"mon_fri": [8, 20]}),
    own("FR", "sms", window=None),
    own("EU", "email", identity=["sender_name"]),
    own("EU", "email", tracking={"click": "allow"}),
    own("ES", "email", soft_opt_in={"completed_purchase": False}),
    own("ES", "email", soft_opt_in={"negotiation_counts": True}),
    own("CA", "email", implied={"purchase_days": 731}),
    own("SG", "email", subject_prefix_if_unsolicited=""),
    own("US", "email", unsub_link_days=10),
    own("US", "email", optout_honour_hours=None),
]
TIGHTER = [
    own("EU", "email", basis=["express"]),
    own("EU", "email", double_opt_in=True),
    own("EU", "email", max_per_cart=0),
    own("EU", "email", max_per_24h=1),
    own("EU", "email", trigger_max_age_hours=24),
    own("EU", "email", window={"mon_fri": [9, 17], "sat": [], "sun": []}),
    own("FR", "sms", window={"mon_fri": [9, 20], "sat": []}),
    own("US", "email", identity=["contact", "postal_address", "sender_name"]),
    own("US", "email", tracking={"open": "consent"}),
    own("GB", "email", soft_opt_in={"completed_purchase": True, "negotiation_counts": False}),
    own("US", "email", src="our counsel, 2026"),
]


@pytest.mark.parametrize("overlay", LOOSER, ids=str)
def test_looser_is_seen(overlay: dict[str, Any]) -> None:
    assert any(change.loosens for change in compare(BASE, read_pack(TEXT, overlay)))


@pytest.mark.parametrize("overlay", TIGHTER, ids=str)
def test_tighter_needs_nothing(overlay: dict[str, Any]) -> None:
    changes = compare(BASE, read_pack(TEXT, overlay))
    assert changes
    assert not any(change.loosens for change in changes)


def test_a_parents_change_is_seen_in_its_children() -> None:
    changes = compare(BASE, read_pack(TEXT, own("EU", "email", max_per_cart=5)))
    assert {change.region for change in changes} == {"EU", "FR", "IT", "ES", "PL", "GB"}  # Germany has its own


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (own("US-FL", "sms", max_per_24h=4), "the law allows 3 at most"),
        (own("US-OK", "sms", max_per_24h=None), "the law allows 3 at most"),
        (own("US", "sms", max_per_24h=None), "the law allows 3 at most"),  # its children Florida and Oklahoma
        (own("XX", "email", basis=["express"]), "email|sms|push|missing|XX"),
        ({"meta": {"id": "mine"}}, "only regions"),
        ({"house_caps": {"channel_gap_s": 0}}, "only regions"),
        ({"regions": {"EU": {"privacy": {"answer_days": 90}}}}, "legal terms"),
    ],
)
def test_what_no_ceremony_allows(overlay: dict[str, Any], said: str) -> None:
    with pytest.raises(PackError, match=said):
        compare(BASE, read_pack(TEXT, overlay))


@given(
    st.sampled_from(LOOSER + TIGHTER),
    st.sampled_from(LOOSER + TIGHTER),
    st.sampled_from(sorted(BASE.regions)),
    st.sampled_from(Channel),
)
def test_whatever_is_not_marked_lets_nothing_more_through(
    one: dict[str, Any], other: dict[str, Any], region: str, channel: Channel
) -> None:
    """Of one field alone a reader can tell; of a whole pack the rules that come of it must say so."""
    for overlay in (one, other):
        pack = read_pack(TEXT, overlay)
        if any(change.loosens for change in compare(BASE, pack)):
            continue
        before, after = rules_of(BASE, [region], channel), rules_of(pack, [region], channel)
        assert after.max_per_cart <= before.max_per_cart
        assert after.double_opt_in >= before.double_opt_in
        assert set(after.identity) >= set(before.identity)
        assert after.click_needs_consent >= before.click_needs_consent
