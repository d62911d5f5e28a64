"""May this shopper get this message on this channel now?

The only place where that is decided. ``engine/deliver.py`` asks once for each claimed send, with facts read after the
claim; nothing else may skip a send for these reasons. Checks run from the most final to the most passing, so that the
stored reason is the one that waiting cannot cure. Unknown is a no, and so is a failure to decide.
"""

from __future__ import annotations

from datetime import timedelta

from rekindle.lib.clock import require_aware
from rekindle.policy.basis import basis
from rekindle.policy.frequency_cap import frequency_cap
from rekindle.policy.quiet_hours import quiet_hours, windows_of
from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentKind
from rekindle.terms.decision import Verdict, allow, defer, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm, EnrolmentState
from rekindle.terms.send_facts import CartFacts, ContactFacts, EnrolmentFacts, SendFacts, ShopperFacts

#: Without a route or an end of the pause, how long to wait before asking again.
ASK_AGAIN = timedelta(minutes=15)
_BOUGHT = frozenset({CartState.RECOVERED, CartState.CONVERTED})


def may_send(facts: SendFacts) -> Verdict:
    """The verdict, with its reason and evidence. Never raises: what cannot be evaluated is denied."""
    try:
        require_aware(facts.now)
        return _decide(facts)
    except Exception as error:  # fail closed: whatever is wrong with the facts, nothing goes out
        return deny(Reason.EVALUATION_FAILED, error=type(error).__name__)


def _decide(facts: SendFacts) -> Verdict:
    cart, enrolment, shopper, contact = facts.cart, facts.enrolment, facts.shopper, facts.contact
    if cart is None or enrolment is None or shopper is None or contact is None or facts.history is None:
        return deny(Reason.EVALUATION_FAILED, error="facts are missing")
    return (
        _final(facts, cart, enrolment, shopper)
        or _lawful(facts, shopper, contact)
        or _worth_it(facts, enrolment)
        or frequency_cap(facts.history, facts.channel, facts.cart_id, facts.now, facts.limits)
        or _timely(facts, enrolment, shopper)
        or _possible_now(facts, shopper)
        or allow(basis=basis(contact.consent, facts.channel))
    )


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


def _lawful(facts: SendFacts, shopper: ShopperFacts, contact: ContactFacts) -> Verdict | None:
    if facts.suppressed is not False:  # not knowing counts as suppressed
        return deny(Reason.SUPPRESSED, known=facts.suppressed is not None)
    if shopper.opted_out_at is not None:
        return deny(Reason.OPTED_OUT, at=shopper.opted_out_at.isoformat())
    if contact.consent is not None and contact.consent.kind is ConsentKind.WITHDRAWN:
        return deny(Reason.OPTED_OUT, at=contact.consent.at.isoformat())
    if basis(contact.consent, facts.channel) is None:
        kind = contact.consent.kind.value if contact.consent else None
        return deny(Reason.NO_BASIS, consent=kind, channel=facts.channel.value)
    if not contact.has_address:
        return deny(Reason.NO_ADDRESS, channel=facts.channel.value)
    return None


def _worth_it(facts: SendFacts, enrolment: EnrolmentFacts) -> Verdict | None:
    if enrolment.arm is not Arm.TREATED:
        return deny(Reason.HELD_OUT)
    if facts.missing is None or facts.missing:
        return deny(Reason.CONTENT_MISSING, missing=list(facts.missing or ("unknown",)))
    return None


def _timely(facts: SendFacts, enrolment: EnrolmentFacts, shopper: ShopperFacts) -> Verdict | None:
    now, limits = facts.now, facts.limits
    cool_off = timedelta(seconds=limits.purchase_cool_off_s)
    if shopper.last_order_at is not None and now - shopper.last_order_at < cool_off:
        return deny(Reason.PURCHASE_COOL_OFF, ordered_at=shopper.last_order_at.isoformat())
    age = now - enrolment.abandoned_at
    if age < timedelta(0):
        return deny(Reason.CLOCK_BACKWARDS, abandoned_at=enrolment.abandoned_at.isoformat())
    if age < timedelta(seconds=limits.min_cart_age_s):
        ready_at = enrolment.abandoned_at + timedelta(seconds=limits.min_cart_age_s)
        return defer(Reason.TOO_SOON, ready_at, age_s=age.total_seconds(), minimum_s=limits.min_cart_age_s)
    if age > timedelta(days=facts.max_cart_age_days):
        return deny(Reason.STALE, age_s=age.total_seconds(), max_days=facts.max_cart_age_days)
    return None


def _possible_now(facts: SendFacts, shopper: ShopperFacts) -> Verdict | None:
    quiet = quiet_hours(windows_of(facts.channel), shopper.zones, facts.now)
    if quiet is not None:
        zones = list(shopper.zones)
        if quiet.until is None:
            return deny(Reason.QUIET_HOURS, why=quiet.why, zones=zones)
        return defer(Reason.QUIET_HOURS, quiet.until, why=quiet.why, zones=zones)
    route = facts.route
    if route is None or not route.exists:
        return defer(Reason.PAUSED, facts.now + ASK_AGAIN, why=route.why if route else "unknown")
    if route.paused_until is not None:
        return defer(Reason.PAUSED, max(route.paused_until, facts.now + timedelta(seconds=1)), why=route.why)
    return None
