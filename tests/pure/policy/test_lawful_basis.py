"""On what basis, in which regions? The table of regions, the edges of the clocks, and that more never relaxes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rekindle.policy.lawful_basis import Past, Refused, lawful_basis
from rekindle.policy.pack.read import read_pack
from rekindle.policy.quiet_hours import is_open
from rekindle.policy.regions import EEA, entries_of, entry_of, rules_of, tightened
from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.limits import HOUSE_LIMITS, parse_limits
from rekindle.terms.policy_pack import Basis, Rules
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel

PACK = read_pack(files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8"))
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING, BOUGHT = Past(), Past(last_order_at=NOW - 100 * DAY)
STARTED = Past(has_started_checkout=True)


def agreed(kind: ConsentKind = ConsentKind.EXPRESS, wording: str = "v3", **marks: bool) -> ConsentState:
    return ConsentState(kind=kind, at=NOW - 9 * DAY, wording=wording, marks=ConsentMarks(**marks))


EXPRESS = agreed()
CONFIRMED = agreed(is_confirmed=True)
FOR_CARTS = agreed(is_confirmed=True, is_written=True, mentions_cart=True)
SOFT = agreed(ConsentKind.SOFT_OPT_IN)


def outcome(entries: Iterable[str], channel: Channel, consent: ConsentState | None, past: Past = NOTHING) -> object:
    """The basis when there is one region, all of them as a set when there are more, or the reason of the refusal."""
    found = lawful_basis(rules_of(PACK, entries, channel), consent, past, NOW)
    if isinstance(found, Refused):
        return found.reason
    values = set(found.values())
    return values.pop() if len(values) == 1 else values


def test_who_wants_addresses_confirmed_writes_to_none_that_was_only_typed_in() -> None:
    """S-05: where no consent is needed, too; a customer's basis is another one."""
    asking = {name: replace(rules_of(PACK, [name], Channel.EMAIL), double_opt_in=True) for name in ("US", "CA")}
    assert lawful_basis(asking["US"], None, NOTHING, NOW) == Refused(Reason.DOUBLE_OPT_IN_MISSING, "US")
    assert lawful_basis(asking["US"], EXPRESS, NOTHING, NOW) == Refused(Reason.DOUBLE_OPT_IN_MISSING, "US")
    assert lawful_basis(asking["US"], CONFIRMED, NOTHING, NOW) == {"US": Basis.EXPRESS}
    assert lawful_basis(asking["CA"], None, BOUGHT, NOW) == {"CA": Basis.IMPLIED_PURCHASE}


E, S, P = Channel.EMAIL, Channel.SMS, Channel.PUSH
CASES = [
    (["US"], E, None, NOTHING, Basis.OPT_OUT),
    (["US"], E, EXPRESS, NOTHING, Basis.EXPRESS),
    (["US"], E, agreed(ConsentKind.WITHDRAWN), NOTHING, Reason.OPTED_OUT),
    (["US"], E, agreed(ConsentKind.PENDING), NOTHING, Reason.DOUBLE_OPT_IN_MISSING),
    (["DE"], E, None, BOUGHT, Reason.NO_BASIS),
    (["DE"], E, SOFT, BOUGHT, Reason.NO_BASIS),
    (["DE"], E, EXPRESS, NOTHING, Reason.DOUBLE_OPT_IN_MISSING),
    (["DE"], E, CONFIRMED, NOTHING, Basis.EXPRESS),
    (["DE"], E, agreed(wording=" ", is_confirmed=True), NOTHING, Reason.CONSENT_UNPROVABLE),
    (["FR"], E, SOFT, BOUGHT, Basis.SOFT_OPT_IN),
    (["FR"], E, SOFT, STARTED, Reason.NO_BASIS),
    (["ES"], E, SOFT, STARTED, Reason.NO_BASIS),
    (["PL"], E, SOFT, BOUGHT, Reason.NO_BASIS),
    (["GB"], E, SOFT, STARTED, Basis.SOFT_OPT_IN),
    (["GB"], E, SOFT, NOTHING, Reason.NO_BASIS),
    (["GB"], S, SOFT, BOUGHT, Reason.NO_BASIS),
    (["EU"], S, EXPRESS, NOTHING, Basis.EXPRESS),
    (["ZZ"], E, EXPRESS, NOTHING, Reason.DOUBLE_OPT_IN_MISSING),
    (["ZZ"], E, CONFIRMED, NOTHING, Basis.EXPRESS),
    (["ZZ"], S, CONFIRMED, NOTHING, Reason.CART_NOT_IN_OPTIN_TEXT),
    (["US"], S, CONFIRMED, NOTHING, Reason.CART_NOT_IN_OPTIN_TEXT),
    (["US"], S, agreed(is_confirmed=True, is_written=True), NOTHING, Reason.CART_NOT_IN_OPTIN_TEXT),
    (["US"], S, agreed(is_written=True, mentions_cart=True), NOTHING, Reason.DOUBLE_OPT_IN_MISSING),
    (["US"], S, FOR_CARTS, NOTHING, Basis.EXPRESS_WRITTEN_CART),
    (["US"], S, None, BOUGHT, Reason.NO_BASIS),
    (["US"], P, None, BOUGHT, Reason.NO_BASIS),
    (["US"], P, EXPRESS, NOTHING, Basis.EXPRESS),
    (["CA"], E, None, Past(last_order_at=NOW - 730 * DAY), Basis.IMPLIED_PURCHASE),
    (["CA"], E, None, Past(last_order_at=NOW - 731 * DAY), Reason.NO_BASIS),
    (["CA"], E, None, Past(last_inquiry_at=NOW - 182 * DAY), Basis.IMPLIED_INQUIRY),
    (["CA"], E, None, Past(last_inquiry_at=NOW - 184 * DAY), Reason.NO_BASIS),
    (["CA"], E, None, STARTED, Reason.NO_BASIS),  # a cart is not an inquiry
    (["CA"], E, agreed(wording=""), BOUGHT, Reason.CONSENT_UNPROVABLE),  # does not fall back to the purchase
    (["AU"], E, None, BOUGHT, Basis.IMPLIED_CUSTOMER),
    (["AU"], E, None, Past(last_order_at=NOW - 800 * DAY), Reason.NO_BASIS),
    # several regions: each must be content
    (["DE", "US"], E, None, NOTHING, Reason.NO_BASIS),
    (["DE", "US"], E, EXPRESS, NOTHING, Reason.DOUBLE_OPT_IN_MISSING),
    (["DE", "US"], E, CONFIRMED, NOTHING, Basis.EXPRESS),
    (["CA", "US"], E, None, BOUGHT, {Basis.IMPLIED_PURCHASE, Basis.OPT_OUT}),
    (["EU", "US"], S, CONFIRMED, NOTHING, Reason.CART_NOT_IN_OPTIN_TEXT),
]


@pytest.mark.parametrize(("entries", "channel", "consent", "past", "expected"), CASES)
def test_the_basis(
    entries: list[str], channel: Channel, consent: ConsentState | None, past: Past, expected: object
) -> None:
    assert outcome(entries, channel, consent, past) == expected


@pytest.mark.parametrize(
    ("country", "state", "entry"),
    [
        ("DE", "", "DE"), ("de", "", "DE"), (" at ", "", "EU"), ("NO", "", "EU"), ("EL", "", "EU"), ("UK", "", "GB"),
        ("US", "", "US-UNKNOWN"), ("US", "TX", "US-TX"), ("US", "us-tx", "US-TX"), ("US", "CA", "US"), ("US", "PR", "US-UNKNOWN"),
        ("US", "Texas", "US-UNKNOWN"), ("CH", "", "ZZ"), ("EU", "", "ZZ"), ("US-TX", "", "ZZ"), ("ZZ", "", "ZZ"), ("", "", "ZZ"), ("Atlantis", "", "ZZ"),
    ],
)  # fmt: skip
def test_a_country_resolves_to_an_entry(country: str, state: str, entry: str) -> None:
    assert entry_of(PACK.regions, country, state) == entry


def test_all_evidence_counts_and_none_is_the_unknown_region() -> None:
    assert entries_of(PACK.regions, [("US", "CA"), ("DE", ""), ("", ""), ("AT", "")]) == ("DE", "EU", "US")
    assert entries_of(PACK.regions, []) == ("ZZ",)
    assert len(EEA) == 30


def test_requirements_of_regions_add_up() -> None:
    rules = rules_of(PACK, ["US", "DE"], Channel.EMAIL)
    assert rules.max_per_cart == 1
    assert rules.double_opt_in
    assert rules.identity == ("contact", "postal_address", "sender_name")
    assert rules.open_needs_consent
    assert rules.click_needs_consent
    texts = rules_of(PACK, ["US", "DE", "FR"], Channel.SMS)
    assert len(texts.windows) == 3
    assert texts.max_age == timedelta(hours=48)
    assert texts.max_per_24h == 1
    assert rules.max_age is None
    assert rules.pack.startswith("rekindle-default 1 ")


def test_the_law_lowers_a_shops_caps_and_never_raises_them() -> None:
    rules = rules_of(PACK, ["DE", "US"], Channel.EMAIL)
    assert tightened(HOUSE_LIMITS, rules, Channel.EMAIL).per_cart == replace(HOUSE_LIMITS.per_cart, email=1)
    none = parse_limits({"per_cart": {"email": 0}, "per_24h": {"sms": 9}})
    assert tightened(none, rules, Channel.EMAIL).per_cart.email == 0
    assert tightened(none, rules_of(PACK, ["US"], Channel.SMS), Channel.SMS).per_24h.sms == 1
    assert tightened(none, rules_of(PACK, ["EU"], Channel.SMS), Channel.SMS).per_24h.sms == 9


# --- adding a region never relaxes (C-02)

entries = st.sets(st.sampled_from(sorted(PACK.regions)), min_size=1, max_size=4)
pasts = st.builds(
    Past,
    last_order_at=st.none() | st.integers(0, 900).map(lambda days: NOW - days * DAY),
    last_inquiry_at=st.none() | st.integers(0, 300).map(lambda days: NOW - days * DAY),
    has_started_checkout=st.booleans(),
)
consents = st.none() | st.builds(
    ConsentState,
    kind=st.sampled_from(ConsentKind),
    at=st.just(NOW),
    wording=st.sampled_from(["", "v3"]),
    marks=st.builds(ConsentMarks, st.booleans(), st.booleans(), st.booleans()),
)


@settings(max_examples=300)
@given(
    entries, st.sampled_from(sorted(PACK.regions)), st.sampled_from(Channel), consents, pasts, st.integers(0, 10_080)
)
def test_one_region_more_never_relaxes(
    some: set[str], more: str, channel: Channel, consent: ConsentState | None, past: Past, minute: int
) -> None:
    before, after = rules_of(PACK, some, channel), rules_of(PACK, some | {more}, channel)
    if isinstance(lawful_basis(before, consent, past, NOW), Refused):
        assert isinstance(lawful_basis(after, consent, past, NOW), Refused)
    assert _is_no_looser(after, before)
    local = NOW + timedelta(minutes=minute)
    if not all(is_open(window, local) for window in before.windows):
        assert not all(is_open(window, local) for window in after.windows)


def _is_no_looser(after: Rules, before: Rules) -> bool:
    days = (after.max_per_24h if after.max_per_24h is not None else 99, before.max_per_24h or 99)
    return (
        after.max_per_cart <= before.max_per_cart
        and days[0] <= days[1]
        and (before.max_age is None or (after.max_age is not None and after.max_age <= before.max_age))
        and set(after.identity) >= set(before.identity)
        and after.double_opt_in >= before.double_opt_in
        and after.open_needs_consent >= before.open_needs_consent
        and after.click_needs_consent >= before.click_needs_consent
        and set(after.per_region) >= set(before.per_region)
    )
