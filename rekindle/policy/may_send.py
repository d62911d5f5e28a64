"""May this shopper get this message on this channel now?

The only place where that is decided. ``engine/deliver.py`` asks once for each claimed send, with facts read after the
claim; nothing else may skip a send for these reasons. Checks run from the most final to the most passing, so that the
stored reason is the one that waiting cannot cure. What only has to wait (a cap that opens again, a night) is put off
to the instant at which nothing is in its way any more, unless the message would be too old by then. Unknown is a no,
and so is a failure to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from rekindle.lib.clock import require_aware
from rekindle.policy.confirmation import may_confirm
from rekindle.policy.frequency_cap import Wait, cart_cap, rolling_caps, wished
from rekindle.policy.lawful_basis import Past, Refused, lawful_basis
from rekindle.policy.quiet_hours import quiet_hours
from rekindle.policy.validity import USEFUL
from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentKind
from rekindle.terms.decision import Verdict, allow, defer, deny
from rekindle.terms.policy_pack import Basis, Rules
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm, Channel, EnrolmentState, MessageKind
from rekindle.terms.send_facts import CartFacts, ContactFacts, EnrolmentFacts, PriorSend, SendFacts, ShopperFacts

#: Without a route or an end of the pause, how long to wait before asking again.
ASK_AGAIN = timedelta(minutes=15)
_BOUGHT = frozenset({CartState.RECOVERED, CartState.CONVERTED})


def may_send(facts: SendFacts) -> Verdict:
    """The verdict, with its reason and evidence. Never raises: what cannot be evaluated is denied."""
    try:
        require_aware(facts.now)
        if facts.rules is None:
            return deny(Reason.EVALUATION_FAILED, error="no policy pack")
        decide = may_confirm if facts.kind is MessageKind.CONFIRMATION else _decide
        return _with_law(decide(facts, facts.rules), facts.rules)
    except Exception as error:  # fail closed: whatever is wrong with the facts, nothing goes out
        return deny(Reason.EVALUATION_FAILED, error=type(error).__name__)


def _with_law(verdict: Verdict, rules: Rules) -> Verdict:
    """Which pack was asked, and which of its regions: part of every stored decision."""
    evidence = {**verdict.evidence, "pack": rules.pack, "regions": list(rules.regions)}
    return Verdict(outcome=verdict.outcome, reason=verdict.reason, retry_at=verdict.retry_at, evidence=evidence)


def _decide(facts: SendFacts, rules: Rules) -> Verdict:
    cart, enrolment, shopper, contact = facts.cart, facts.enrolment, facts.shopper, facts.contact
    if cart is None or enrolment is None or shopper is None or contact is None or facts.history is None:
        return deny(Reason.EVALUATION_FAILED, error="facts are missing")
    ground = lawful_basis(rules, contact.consent, _past(cart, shopper), facts.now)
    return (
        _final(facts, cart, enrolment, shopper)
        or _reachable(facts, shopper, contact)
        or _unwanted(facts, cart, shopper)
        or (_no_ground(facts, ground) if isinstance(ground, Refused) else None)
        or _no_address(facts, contact)
        or _worth_it(facts, rules, enrolment)
        or cart_cap(facts.history, facts.channel, facts.cart_id, facts.limits)
        or _too_late(facts, rules, enrolment, shopper)
        or _overtaken(facts, facts.history)
        or _not_yet(facts, rules, enrolment, shopper, facts.history)
        or _no_way_out(facts)
        or _allowed(facts, rules, shopper, {} if isinstance(ground, Refused) else ground)
    )


def _allowed(facts: SendFacts, rules: Rules, shopper: ShopperFacts, ground: Mapping[str, Basis]) -> Verdict:
    """With what an audit needs to reckon it again: the basis in each region and, where there are hours, what they hang
    on."""
    basis = {region: one.value for region, one in ground.items()}
    if not rules.windows:
        return allow(basis=basis)
    return allow(basis=basis, zones=list(shopper.zones), holidays=sorted(day.isoformat() for day in facts.holidays))


def _final(facts: SendFacts, cart: CartFacts, enrolment: EnrolmentFacts, shopper: ShopperFacts) -> Verdict | None:
    ordered_at = shopper.last_order_at
    if cart.ordered or cart.state in _BOUGHT or enrolment.exit_reason == Reason.ORDERED:
        return deny(Reason.PURCHASED, cart=cart.state.value)
    if ordered_at is not None and ordered_at >= enrolment.abandoned_at:
        return deny(Reason.PURCHASED, ordered_at=ordered_at.isoformat())
    returned = cart.touched_at > enrolment.abandoned_at
    if cart.state is not CartState.ABANDONED or returned or enrolment.state is EnrolmentState.EXITED:
        return deny(Reason.CART_CLOSED, cart=cart.state.value, exit=enrolment.exit_reason, returned=returned)
    if shopper.erased_at is not None:
        return deny(Reason.ERASED)
    return None


def _past(cart: CartFacts, shopper: ShopperFacts) -> Past:
    return Past(last_order_at=shopper.last_order_at, has_started_checkout=cart.has_checkout)


def _reachable(facts: SendFacts, shopper: ShopperFacts, contact: ContactFacts) -> Verdict | None:
    if facts.suppressed is not False:  # not knowing counts as suppressed
        return deny(Reason.SUPPRESSED, known=facts.suppressed is not None)
    if shopper.opted_out_at is not None:
        return deny(Reason.OPTED_OUT, at=shopper.opted_out_at.isoformat())
    if contact.consent is not None and contact.consent.kind is ConsentKind.WITHDRAWN:
        return deny(Reason.OPTED_OUT, at=contact.consent.at.isoformat())
    return None


def _unwanted(facts: SendFacts, cart: CartFacts, shopper: ShopperFacts) -> Verdict | None:
    """What the shopper chose not to hear of."""
    if cart.topic in shopper.preferences.off:
        return deny(Reason.TOPIC_OFF, topic=cart.topic.value)
    return deny(Reason.DECLINED) if facts.cart_id in shopper.preferences.declined else None


def _no_ground(facts: SendFacts, refused: Refused) -> Verdict:
    consent = facts.contact.consent if facts.contact else None
    kind = consent.kind.value if consent else None
    return deny(refused.reason, consent=kind, channel=facts.channel.value, region=refused.region)


def _no_address(facts: SendFacts, contact: ContactFacts) -> Verdict | None:
    if contact.is_role:
        return deny(Reason.ROLE_ADDRESS)
    return None if contact.has_address else deny(Reason.NO_ADDRESS, channel=facts.channel.value)


def _worth_it(facts: SendFacts, rules: Rules, enrolment: EnrolmentFacts) -> Verdict | None:
    if enrolment.arm is not Arm.TREATED:
        return deny(Reason.HELD_OUT)
    lacking = ["unknown"] if facts.missing is None else list(facts.missing)
    lacking += [field for field in rules.identity if field not in facts.identity and field not in lacking]
    return deny(Reason.CONTENT_MISSING, missing=lacking) if lacking else None


def _too_late(facts: SendFacts, rules: Rules, enrolment: EnrolmentFacts, shopper: ShopperFacts) -> Verdict | None:
    now = facts.now
    cool_off = timedelta(seconds=facts.limits.purchase_cool_off_s)
    if shopper.last_order_at is not None and now - shopper.last_order_at < cool_off:
        return deny(Reason.PURCHASE_COOL_OFF, ordered_at=shopper.last_order_at.isoformat())
    age = now - enrolment.abandoned_at
    if age < timedelta(0):
        return deny(Reason.CLOCK_BACKWARDS, abandoned_at=enrolment.abandoned_at.isoformat())
    if _is_stale(facts, rules, enrolment, now):
        return deny(Reason.STALE, age_s=age.total_seconds(), max_days=facts.max_cart_age_days)
    return None


def _is_stale(facts: SendFacts, rules: Rules, enrolment: EnrolmentFacts, at: datetime) -> bool:
    age = at - enrolment.abandoned_at
    if rules.max_age is not None and age >= rules.max_age:
        return True
    return age > timedelta(days=facts.max_cart_age_days) or (facts.channel is Channel.SMS and age >= USEFUL)


def _overtaken(facts: SendFacts, history: tuple[PriorSend, ...]) -> Verdict | None:
    """Another message of the same run went out since this one was due: both had waited for the same thing.

    The shopper has just been written to; two reminders one right after the other are what catching up must not do.
    """
    for prior in history:
        same_run = prior.enrolment_id == facts.enrolment_id and prior.channel is facts.channel
        if same_run and prior.planned_at != facts.planned_at and min(prior.at, facts.now) >= facts.planned_at:
            return deny(Reason.CATCH_UP, planned_at=facts.planned_at.isoformat(), other_at=prior.at.isoformat())
    return None


def _not_yet(
    facts: SendFacts,
    rules: Rules,
    enrolment: EnrolmentFacts,
    shopper: ShopperFacts,
    history: tuple[PriorSend, ...],
) -> Verdict | None:
    """Everything that waiting cures, at once: put off to the instant from which on none of it is in the way."""
    limits = wished(facts.limits, shopper.preferences)
    waits = rolling_caps(history, facts.channel, facts.now, limits) + _too_soon(facts, enrolment)
    until = shopper.preferences.paused_until
    if until is not None and until > facts.now:
        waits.append(Wait(Reason.SNOOZED, until, {}))
    never = next((wait for wait in waits if wait.until is None), None)
    if never is not None:
        return deny(never.reason, **never.evidence)
    ready_at = max([facts.now, *(wait.until for wait in waits if wait.until is not None)])
    quiet = quiet_hours(rules.windows, shopper.zones, ready_at, facts.holidays)
    if quiet is not None:
        evidence = {"why": quiet.why, "zones": list(shopper.zones)}
        if quiet.until is None:
            return deny(Reason.QUIET_HOURS, **evidence)
        waits.append(Wait(Reason.QUIET_HOURS, quiet.until, evidence))
        ready_at = quiet.until
    if not waits:
        return None
    also = {"also": [wait.reason.value for wait in waits[1:]]} if waits[1:] else {}
    if _is_stale(facts, rules, enrolment, ready_at):
        return deny(waits[0].reason, **waits[0].evidence, **also, possible_at=ready_at.isoformat())
    return defer(waits[0].reason, ready_at, **waits[0].evidence, **also)


def _too_soon(facts: SendFacts, enrolment: EnrolmentFacts) -> list[Wait]:
    age, minimum_s = facts.now - enrolment.abandoned_at, facts.limits.min_cart_age_s
    if age >= timedelta(seconds=minimum_s):
        return []
    ready_at = enrolment.abandoned_at + timedelta(seconds=minimum_s)
    return [Wait(Reason.TOO_SOON, ready_at, {"age_s": age.total_seconds(), "minimum_s": minimum_s})]


def _no_way_out(facts: SendFacts) -> Verdict | None:
    route = facts.route
    if route is None or not route.exists:
        return defer(Reason.PAUSED, facts.now + ASK_AGAIN, why=route.why if route else "unknown")
    if route.paused_until is not None:
        return defer(Reason.PAUSED, max(route.paused_until, facts.now + timedelta(seconds=1)), why=route.why)
    return None
