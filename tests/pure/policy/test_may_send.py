"""May this shopper get this message now? Every reason has a case; what is final stays final whatever else is true."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rekindle.policy.may_send import may_send
from rekindle.policy.regions import rules_of
from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentKind, ConsentState
from rekindle.terms.decision import Outcome
from rekindle.terms.limits import parse_limits
from rekindle.terms.preferences import Preferences, Topic
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm, Channel, EnrolmentState
from rekindle.terms.send_facts import (
    CartFacts,
    ContactFacts,
    EnrolmentFacts,
    PriorSend,
    RouteFacts,
    SendFacts,
    ShopperFacts,
)

from .send_facts import ABANDONED, CART, NOW, OTHER_CART, OTHER_RUN, PACK, RULES, RUN, allowed, prior

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def consent(kind: ConsentKind, wording: str = "") -> ConsentState:
    return ConsentState(kind=kind, at=NOW - 24 * HOUR, wording=wording)


def test_a_send_with_everything_in_order_is_allowed() -> None:
    verdict = may_send(allowed())
    assert (verdict.outcome, verdict.reason, verdict.evidence) == (
        Outcome.ALLOW,
        Reason.ALLOWED,
        {"basis": {"XX": "express"}, "pack": RULES[Channel.EMAIL].pack, "regions": ["XX"]},
    )


NO_CAPS = parse_limits({"per_24h": {"email": 50, "all": 50}, "per_7d": {"email": 50, "all": 50}})
NIGHT = datetime.fromisoformat("2026-03-02T22:00:00+00:00")


def left(since: timedelta, now: datetime = NOW) -> dict[str, object]:
    """A cart that was left so long ago."""
    return {"enrolment__abandoned_at": now - since, "cart__touched_at": now - since - HOUR}


DENIED = [
    ("order on the cart", {"cart__ordered": True}, Reason.PURCHASED),
    ("cart recovered", {"cart__state": CartState.RECOVERED}, Reason.PURCHASED),
    ("cart converted", {"cart__state": CartState.CONVERTED}, Reason.PURCHASED),
    ("order at the very abandonment", {"shopper__last_order_at": ABANDONED}, Reason.PURCHASED),
    ("order since", {"shopper__last_order_at": NOW}, Reason.PURCHASED),
    ("flow left by order", {"enrolment__exit_reason": "ORDERED"}, Reason.PURCHASED),
    ("cart open again", {"cart__state": CartState.OPEN}, Reason.CART_CLOSED),
    ("cart emptied", {"cart__state": CartState.EMPTIED}, Reason.CART_CLOSED),
    ("cart lost", {"cart__state": CartState.LOST}, Reason.CART_CLOSED),
    ("shopper came back", {"cart__touched_at": ABANDONED + SECOND}, Reason.CART_CLOSED),
    ("flow left", {"enrolment__state": EnrolmentState.EXITED}, Reason.CART_CLOSED),
    ("erased", {"shopper__erased_at": NOW}, Reason.ERASED),
    ("suppressed", {"suppressed": True}, Reason.SUPPRESSED),
    ("suppression unknown", {"suppressed": None}, Reason.SUPPRESSED),
    ("opted out of everything", {"shopper__opted_out_at": NOW}, Reason.OPTED_OUT),
    ("opted out here", {"contact__consent": consent(ConsentKind.WITHDRAWN)}, Reason.OPTED_OUT),
    ("no consent known", {"contact__consent": None}, Reason.NO_BASIS),
    ("double opt-in pending", {"contact__consent": consent(ConsentKind.PENDING, "v1")}, Reason.DOUBLE_OPT_IN_MISSING),
    ("consent without its wording", {"contact__consent": consent(ConsentKind.EXPRESS, "  ")}, Reason.CONSENT_UNPROVABLE),
    ("soft opt-in by SMS", {"channel": Channel.SMS, "contact__consent": consent(ConsentKind.SOFT_OPT_IN)}, Reason.NO_BASIS),
    ("no address", {"contact__has_address": False}, Reason.NO_ADDRESS),
    ("holdout", {"enrolment__arm": Arm.HOLDOUT}, Reason.HELD_OUT),
    ("no postal address", {"missing": ("postal_address",)}, Reason.CONTENT_MISSING),
    ("content unknown", {"missing": None}, Reason.CONTENT_MISSING),
    ("third mail of a cart", {"history": tuple(prior(h, cart_id=CART) for h in (200, 220, 240))}, Reason.CART_CAP),
    ("a day's cap that opens when the cart is too old", {"history": (prior(1),), "max_cart_age_days": 1}, Reason.CAP_24H),
    ("a week's cap that opens when the cart is too old", {"history": tuple(prior(h) for h in (30, 60, 90)), "max_cart_age_days": 3}, Reason.CAP_7D),
    ("a channel that is capped at nothing", {"limits": parse_limits({"per_24h": {"email": 0}})}, Reason.CAP_24H),
    ("a shop that is capped at nothing", {"history": (prior(1),), "limits": parse_limits({"per_7d": {"all": 0}})}, Reason.CAP_7D),
    ("a later message of the run went out since", {"history": (replace(prior(0.01, cart_id=CART), planned_at=NOW),)}, Reason.CATCH_UP),
    ("an earlier message of the run went out since", {"history": (replace(prior(0.01, cart_id=CART), planned_at=NOW - HOUR),), "limits": NO_CAPS}, Reason.CATCH_UP),
    ("SMS 48 h after the cart was left", {"channel": Channel.SMS, **left(48 * HOUR)}, Reason.STALE),
    ("SMS that the night makes too old", {"channel": Channel.SMS, "now": NIGHT, "planned_at": NIGHT, **left(47 * HOUR, NIGHT)}, Reason.QUIET_HOURS),
    ("bought days before", {"shopper__last_order_at": NOW - 7 * 24 * HOUR + SECOND}, Reason.PURCHASE_COOL_OFF),
    ("left in the future", {"enrolment__abandoned_at": NOW + SECOND}, Reason.CLOCK_BACKWARDS),
    ("older than 14 days", {"enrolment__abandoned_at": NOW - 14 * 24 * HOUR - SECOND, "cart__touched_at": NOW - 15 * 24 * HOUR}, Reason.STALE),
    ("SMS without a known zone", {"channel": Channel.SMS, "shopper__zones": ()}, Reason.QUIET_HOURS),
    ("SMS with a zone that does not exist", {"channel": Channel.SMS, "shopper__zones": ("Mars/Base",)}, Reason.QUIET_HOURS),
    ("no policy pack", {"rules": None}, Reason.EVALUATION_FAILED),
    ("naive time", {"now": NOW.replace(tzinfo=None)}, Reason.EVALUATION_FAILED),
    ("garbage history", {"history": ("x",)}, Reason.EVALUATION_FAILED),
    ("garbage limits", {"limits": None}, Reason.EVALUATION_FAILED),
    ("cart not found", {"cart": None}, Reason.EVALUATION_FAILED),
    ("enrolment not found", {"enrolment": None}, Reason.EVALUATION_FAILED),
    ("shopper not found", {"shopper": None}, Reason.EVALUATION_FAILED),
    ("address not found", {"contact": None}, Reason.EVALUATION_FAILED),
    ("history not known", {"history": None}, Reason.EVALUATION_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), [case[1:] for case in DENIED], ids=[case[0] for case in DENIED])
def test_a_send_is_denied_with_its_reason(changes: dict[str, object], reason: Reason) -> None:
    facts = allowed(**changes)
    if facts.now.tzinfo and facts.enrolment and facts.enrolment.abandoned_at > NOW:
        facts = replace(facts, cart=replace(facts.cart, touched_at=NOW))  # type: ignore[type-var]
    verdict = may_send(facts)
    assert (verdict.outcome, verdict.reason, verdict.retry_at) == (Outcome.DENY, reason, None)


DEFERRED = [
    ("cart too young", {"enrolment__abandoned_at": NOW - 10 * MINUTE}, Reason.TOO_SOON, NOW + 20 * MINUTE),
    ("mail 24 h less a second ago", {"history": (prior(24 - 1 / 3600),)}, Reason.CAP_24H, NOW + SECOND),
    ("mail 20 hours ago: the default flow's second reminder", {"history": (prior(20),)}, Reason.CAP_24H, NOW + 4 * HOUR),
    ("two channels within a day", {"history": (prior(5, Channel.SMS), prior(7, Channel.PUSH))}, Reason.CAP_24H, NOW + 17 * HOUR),
    ("its own channel opens later than all together", {"history": (prior(2), prior(20, Channel.SMS))}, Reason.CAP_24H, NOW + 22 * HOUR),
    ("three mails within a week", {"history": tuple(prior(h) for h in (30, 60, 167.5))}, Reason.CAP_7D, NOW + HOUR / 2),
    ("four mails where three are allowed", {"history": tuple(prior(h) for h in (30, 60, 90, 100))}, Reason.CAP_7D, NOW + 78 * HOUR),
    ("five messages within a week", {"history": (*[prior(h) for h in (30, 60)], *[prior(h, Channel.PUSH) for h in (40, 70, 100)])}, Reason.CAP_7D, NOW + 68 * HOUR),
    ("a day's cap and a week's", {"history": tuple(prior(h) for h in (2, 60, 90))}, Reason.CAP_24H, NOW + 78 * HOUR),
    ("a message of the future counts as one of now", {"history": (prior(-2),)}, Reason.CAP_24H, NOW + 24 * HOUR),
    ("another channel 20 minutes ago", {"history": (prior(1 / 3, Channel.PUSH),)}, Reason.CHANNEL_GAP, NOW + 40 * MINUTE),
    ("young cart, and another channel just now", {"enrolment__abandoned_at": NOW - 10 * MINUTE, "history": (prior(0, Channel.PUSH),)}, Reason.CHANNEL_GAP, NOW + HOUR),
    ("shop paused", {"route__paused_until": NOW + 15 * MINUTE}, Reason.PAUSED, NOW + 15 * MINUTE),
    ("pause just over", {"route__paused_until": NOW - HOUR}, Reason.PAUSED, NOW + SECOND),
    ("no provider account", {"route__exists": False}, Reason.PAUSED, NOW + 15 * MINUTE),
    ("route unknown", {"route": None}, Reason.PAUSED, NOW + 15 * MINUTE),
    ("night in one of two zones", {"channel": Channel.SMS, "shopper__zones": ("Europe/Berlin", "America/New_York")}, Reason.QUIET_HOURS, NOW + 3 * HOUR),
    # SMS windows in Berlin are 10 to 18 o'clock, which is 9 to 17 UTC; NOW is 12
    ("cap until the evening, then night", {"channel": Channel.SMS, "history": (prior(18, Channel.SMS),)}, Reason.CAP_24H, NOW + 21 * HOUR),
    ("night, and a cap until noon", {"channel": Channel.SMS, "now": NIGHT, "planned_at": NIGHT, **left(HOUR, NIGHT), "history": (replace(prior(0, Channel.SMS), at=NIGHT - 10 * HOUR),)}, Reason.CAP_24H, NIGHT + 14 * HOUR),
    ("night, and a gap that ends in it", {"channel": Channel.SMS, "now": NIGHT, "planned_at": NIGHT, **left(HOUR, NIGHT), "history": (replace(prior(0), at=NIGHT - HOUR / 2),)}, Reason.CHANNEL_GAP, NIGHT + 11 * HOUR),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason", "retry_at"), [c[1:] for c in DEFERRED], ids=[c[0] for c in DEFERRED])
def test_a_send_is_deferred_until(changes: dict[str, object], reason: Reason, retry_at: datetime) -> None:
    verdict = may_send(allowed(**changes))
    assert (verdict.outcome, verdict.reason, verdict.retry_at) == (Outcome.DEFER, reason, retry_at)


@pytest.mark.parametrize(
    "changes",
    [
        {"history": (prior(24),)},
        {"history": tuple(prior(h) for h in (30, 60, 168))},
        {"history": (prior(1, Channel.PUSH),)},
        {"history": (replace(prior(30, cart_id=CART), at=NOW - 24 * HOUR),)},
        {"history": (replace(prior(30), at=NOW - SECOND),), "limits": NO_CAPS},
        {"history": (replace(prior(2, Channel.PUSH, CART), at=NOW - HOUR),), "planned_at": NOW - 3 * HOUR},
        {"channel": Channel.SMS, **left(48 * HOUR - SECOND)},
        {"shopper__last_order_at": NOW - 7 * 24 * HOUR},
        {"enrolment__abandoned_at": NOW - 30 * MINUTE, "cart__touched_at": NOW - HOUR},
        {"enrolment__abandoned_at": NOW - 14 * 24 * HOUR, "cart__touched_at": NOW - 15 * 24 * HOUR},
        {"contact__consent": consent(ConsentKind.SOFT_OPT_IN)},
        {"channel": Channel.SMS},
        {"enrolment__state": EnrolmentState.DONE},
    ],
)
def test_the_other_side_of_each_edge_is_allowed(changes: dict[str, object]) -> None:
    assert may_send(allowed(**changes)).allowed


def test_the_most_final_reason_is_the_one_that_is_stored() -> None:
    facts = allowed(cart__ordered=True, suppressed=True, shopper__opted_out_at=NOW, enrolment__arm=Arm.HOLDOUT)
    assert may_send(facts).reason is Reason.PURCHASED
    assert may_send(replace(facts, cart=replace(facts.cart, ordered=False))).reason is Reason.SUPPRESSED  # type: ignore[type-var]


def test_a_shop_may_relax_caps_with_limits_of_its_own() -> None:
    own = parse_limits({"per_24h": {"email": 9, "all": 9}, "min_cart_age_s": 5, "purchase_cool_off_s": 0})
    facts = allowed(history=(prior(1), prior(2)), enrolment__abandoned_at=NOW - 6 * SECOND, cart__touched_at=NOW - HOUR)
    assert may_send(facts).reason is Reason.CAP_24H
    assert may_send(replace(facts, limits=own)).allowed


@pytest.mark.parametrize("field", ["sender_name", "postal_address", "contact"])
def test_what_a_region_wants_of_the_sender_must_be_there(field: str) -> None:
    """C-09, ES-1, CA-2: each region's own list, all of them together."""
    facts = allowed(rules=rules_of(PACK, ["XX", "EU"], Channel.EMAIL), shopper__last_order_at=None)
    assert may_send(facts).allowed
    verdict = may_send(replace(facts, identity=facts.identity - {field}))
    assert (verdict.reason, verdict.evidence["missing"]) == (Reason.CONTENT_MISSING, [field])


def test_a_function_is_never_written_to() -> None:
    assert may_send(allowed(contact__is_role=True)).reason is Reason.ROLE_ADDRESS


WISHES = [
    (Preferences(off=(Topic.CART,)), Reason.TOPIC_OFF),
    (Preferences(off=(Topic.BROWSE,)), Reason.ALLOWED),
    (Preferences(declined=(CART,)), Reason.DECLINED),
    (Preferences(declined=(OTHER_CART,)), Reason.ALLOWED),
    (Preferences(paused_until=NOW + HOUR), Reason.SNOOZED),
    (Preferences(paused_until=NOW), Reason.ALLOWED),
    (Preferences(per_week=1), Reason.CAP_7D),
    (Preferences(per_week=9), Reason.ALLOWED),
    (Preferences(channel=Channel.SMS, locale="de"), Reason.ALLOWED),
]


@pytest.mark.parametrize(("wishes", "reason"), WISHES, ids=lambda one: str(one)[:40])
def test_what_the_shopper_chose_is_kept(wishes: Preferences, reason: Reason) -> None:
    facts = allowed(shopper__preferences=wishes, history=(prior(30),))
    verdict = may_send(facts)
    assert verdict.reason is reason
    if reason is Reason.SNOOZED:
        assert verdict.retry_at == NOW + HOUR
        assert may_send(replace(facts, now=NOW + HOUR)).allowed


def test_a_pause_that_outlasts_the_cart_ends_the_message() -> None:
    verdict = may_send(allowed(shopper__preferences=Preferences(paused_until=NOW + timedelta(days=30))))
    assert (verdict.reason, verdict.retry_at) == (Reason.SNOOZED, None)


# --- properties

instants = st.timedeltas(timedelta(days=-30), timedelta(days=20)).map(lambda since: NOW + since)
maybe_instants = st.none() | instants
channels = st.sampled_from(Channel)
consents = st.none() | st.builds(
    ConsentState, kind=st.sampled_from(ConsentKind), at=instants, wording=st.sampled_from(["", "v3"])
)
any_facts = st.builds(
    SendFacts,
    now=instants,
    channel=channels,
    cart_id=st.just(CART),
    max_cart_age_days=st.integers(0, 60),
    enrolment_id=st.just(RUN),
    planned_at=instants,
    rules=st.none() | st.sampled_from(list(RULES.values())),
    limits=st.sampled_from([parse_limits(None), parse_limits({"per_24h": {"email": 50, "all": 50}, "min_cart_age_s": 0, "purchase_cool_off_s": 0})]),
    cart=st.builds(CartFacts, state=st.sampled_from(CartState), touched_at=instants, ordered=st.booleans()),
    enrolment=st.builds(EnrolmentFacts, state=st.sampled_from(EnrolmentState), arm=st.sampled_from(Arm), abandoned_at=instants, exit_reason=st.sampled_from([None, "ORDERED"])),
    shopper=st.builds(ShopperFacts, last_order_at=maybe_instants, opted_out_at=maybe_instants, erased_at=maybe_instants, zones=st.sampled_from([(), ("Europe/Berlin",)])),
    contact=st.builds(ContactFacts, has_address=st.booleans(), consent=consents),
    suppressed=st.sampled_from([None, True, False]),
    history=st.lists(st.builds(PriorSend, channel=channels, cart_id=st.sampled_from([CART, OTHER_CART, UUID(int=3)]), enrolment_id=st.sampled_from([RUN, OTHER_RUN]), planned_at=instants, at=instants), max_size=6).map(tuple),
    missing=st.sampled_from([(), ("postal_address",)]),
    route=st.builds(RouteFacts, exists=st.booleans(), paused_until=maybe_instants),
)  # fmt: skip
#: Facts that are allowed or nearly so, so that a property has something to break.
near_facts = st.builds(
    lambda facts, keep: replace(allowed(), **{name: getattr(facts, name) for name in keep}),
    any_facts,
    st.sets(st.sampled_from([f for f in SendFacts.__struct_fields__ if f != "cart_id"]), max_size=3),
)


@given(any_facts | near_facts)
def test_a_shopper_who_opted_out_is_never_written_to(facts: SendFacts) -> None:
    assert facts.shopper is not None
    assert facts.contact is not None
    assert not may_send(replace(facts, shopper=replace(facts.shopper, opted_out_at=NOW))).allowed
    withdrawn = replace(facts.contact, consent=ConsentState(kind=ConsentKind.WITHDRAWN, at=NOW, wording="v3"))
    assert not may_send(replace(facts, contact=withdrawn)).allowed


@given(any_facts | near_facts)
def test_a_suppressed_erased_or_held_out_shopper_is_never_written_to(facts: SendFacts) -> None:
    assert facts.shopper is not None
    assert facts.enrolment is not None
    assert not may_send(replace(facts, suppressed=True)).allowed
    assert not may_send(replace(facts, shopper=replace(facts.shopper, erased_at=NOW))).allowed
    assert not may_send(replace(facts, enrolment=replace(facts.enrolment, arm=Arm.HOLDOUT))).allowed


@given(any_facts | near_facts, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_a_shopper_who_bought_since_is_never_written_to(facts: SendFacts, later: timedelta) -> None:
    assert facts.shopper is not None
    assert facts.enrolment is not None
    assert facts.cart is not None
    bought = replace(facts.shopper, last_order_at=facts.enrolment.abandoned_at + later)
    assert not may_send(replace(facts, shopper=bought)).allowed
    assert not may_send(replace(facts, cart=replace(facts.cart, ordered=True))).allowed


@given(any_facts | near_facts, st.sampled_from(["cart", "enrolment", "shopper", "contact", "suppressed", "history", "missing", "route"]))  # fmt: skip
def test_knowing_less_never_allows(facts: SendFacts, forgotten: str) -> None:
    assert not may_send(replace(facts, **{forgotten: None})).allowed  # type: ignore[arg-type]


@given(any_facts | near_facts, st.builds(PriorSend, channel=channels, cart_id=st.just(OTHER_CART), enrolment_id=st.just(OTHER_RUN), planned_at=instants, at=instants))  # fmt: skip
def test_one_more_message_in_the_past_never_allows(facts: SendFacts, more: PriorSend) -> None:
    if not may_send(facts).allowed:
        assert not may_send(replace(facts, history=(*(facts.history or ()), more))).allowed


@given(any_facts | near_facts)
def test_every_answer_says_why_and_evidence_is_json_without_an_address(facts: SendFacts) -> None:
    import msgspec

    verdict = may_send(facts)
    assert verdict.reason.sentence
    assert "@" not in msgspec.json.encode(dict(verdict.evidence)).decode()
    assert (verdict.outcome is Outcome.DEFER) == (verdict.retry_at is not None)
    if verdict.retry_at is not None:
        assert verdict.retry_at > facts.now
    assert verdict.allowed or verdict.reason is not Reason.ALLOWED


def test_unproven_express_consent_does_not_fall_back() -> None:
    assert may_send(allowed(contact__consent=consent(ConsentKind.EXPRESS))).reason is Reason.CONSENT_UNPROVABLE
