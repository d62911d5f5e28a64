"""When is an address asked to confirm its consent, and may the question go out now?

The question itself needs no consent, so it must be nothing but a question: to somebody who just asked for it, never to
an address that is suppressed or said no, once, and soon. ``may_send`` hands messages of this kind over to here.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

from rekindle.policy.quiet_hours import quiet_hours
from rekindle.terms.consent import ConsentKind
from rekindle.terms.decision import Verdict, allow, defer, deny
from rekindle.terms.policy_pack import Rules
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_facts import ContactFacts, SendFacts, ShopperFacts

#: How long the link in the question works, and nobody is asked again meanwhile.
LIFE: Final = timedelta(days=7)
#: Whoever confirmed, ended it and agrees anew is asked again at the earliest after this time.
ASK_AGAIN: Final = timedelta(days=1)
#: After so many questions without an answer an address is left alone.
MOST_UNANSWERED: Final = 3
#: Questions per network (/24 or /48) and shop within `NETWORK_SPAN`: a family or an office, not a machine.
MOST_PER_NETWORK: Final = 10
NETWORK_SPAN: Final = timedelta(hours=1)
#: A question that could not go out within this time comes as a surprise, and stays away.
TOO_LATE: Final = timedelta(hours=24)
#: Until then it answers somebody who is there; later it is a message like any other, and waits for the window.
AT_ONCE: Final = timedelta(minutes=15)


class DoubleOptIn(StrEnum):
    """When Rekindle asks addresses of a shop to confirm."""

    LAW = "law"  #: where the policy pack asks for confirmed addresses
    ALWAYS = "always"
    NEVER = "never"  #: the shop asks by itself, and its server tells; what the law asks for stays the same


def must_ask(asks: DoubleOptIn, rules: Rules | None, channel: Channel) -> bool:
    """Whether an address that agreed on this channel has to be asked. Browsers and apps have confirmed themselves."""
    if asks is DoubleOptIn.NEVER or channel is Channel.PUSH:
        return False
    return asks is DoubleOptIn.ALWAYS or (rules is not None and rules.double_opt_in)


def may_confirm(facts: SendFacts, rules: Rules) -> Verdict:
    """The verdict about a question that waits. Raises nothing that ``may_send`` does not turn into a no."""
    shopper, contact = facts.shopper, facts.contact
    if shopper is None or contact is None:
        return deny(Reason.EVALUATION_FAILED, error="facts are missing")
    return _final(facts, shopper, contact) or _not_yet(facts, rules, shopper) or allow(basis=_basis(rules))


def _basis(rules: Rules) -> dict[str, str]:
    return dict.fromkeys(rules.regions, "asked_for_by_the_address")


def _final(facts: SendFacts, shopper: ShopperFacts, contact: ContactFacts) -> Verdict | None:
    consent = contact.consent
    if shopper.erased_at is not None:
        return deny(Reason.ERASED)
    if facts.suppressed is not False:  # not knowing counts as suppressed
        return deny(Reason.SUPPRESSED, known=facts.suppressed is not None)
    if shopper.opted_out_at is not None or (consent is not None and consent.kind is ConsentKind.WITHDRAWN):
        return deny(Reason.OPTED_OUT)
    if consent is None or consent.kind not in (ConsentKind.EXPRESS, ConsentKind.PENDING):
        return deny(Reason.NOTHING_TO_CONFIRM, consent=consent.kind.value if consent else None)
    if consent.marks.is_confirmed and consent.at >= facts.planned_at:
        return deny(Reason.NOTHING_TO_CONFIRM, confirmed_at=consent.at.isoformat())
    if not contact.has_address:
        return deny(Reason.NO_ADDRESS, channel=facts.channel.value)
    if facts.missing is None or facts.missing:
        return deny(Reason.CONTENT_MISSING, missing=list(facts.missing or ("unknown",)))
    if not timedelta(0) <= facts.now - facts.planned_at < TOO_LATE:
        return deny(Reason.STALE, asked_at=facts.planned_at.isoformat())
    return None


def _not_yet(facts: SendFacts, rules: Rules, shopper: ShopperFacts) -> Verdict | None:
    if facts.now - facts.planned_at >= AT_ONCE:
        quiet = quiet_hours(rules.windows, shopper.zones, facts.now, facts.holidays)
        if quiet is not None and (quiet.until is None or quiet.until - facts.planned_at >= TOO_LATE):
            return deny(Reason.QUIET_HOURS, why=quiet.why)
        if quiet is not None and quiet.until is not None:
            return defer(Reason.QUIET_HOURS, quiet.until, why=quiet.why)
    route = facts.route
    if route is None or not route.exists:
        return defer(Reason.PAUSED, facts.now + AT_ONCE, why=route.why if route else "unknown")
    if route.paused_until is not None:
        return defer(Reason.PAUSED, max(route.paused_until, facts.now + timedelta(seconds=1)), why=route.why)
    return None
