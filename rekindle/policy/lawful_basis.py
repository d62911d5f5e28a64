"""On what legal basis may this shopper be written to on this channel, in every plausible region?

The basis must hold in each region separately. A withdrawal is final everywhere, opt-out countries included, and a
consent that was given but cannot be used does not fall back to a weaker basis: whoever was asked, was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from rekindle.terms.consent import ConsentKind, ConsentState
from rekindle.terms.policy_pack import Basis, ChannelRules, Rules
from rekindle.terms.reasons import Reason


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What the shopper did before: None where that never happened."""

    last_order_at: datetime | None = None
    last_inquiry_at: datetime | None = None
    has_started_checkout: bool = False


class Refused(NamedTuple):
    """No basis: why, and in which region."""

    reason: Reason
    region: str


def lawful_basis(
    rules: Rules, consent: ConsentState | None, past: Past, now: datetime
) -> Mapping[str, Basis] | Refused:
    """The basis in each region, or why there is none. The first region in the order of codes names the refusal.

    Day counts are whole days since the event (CASL s. 10(10): within two years, within six months).
    """
    if consent is not None and consent.kind is ConsentKind.WITHDRAWN:
        return Refused(Reason.OPTED_OUT, rules.regions[0])
    if consent is not None and consent.kind is ConsentKind.PENDING:
        return Refused(Reason.DOUBLE_OPT_IN_MISSING, rules.regions[0])
    found: dict[str, Basis] = {}
    for region, one in rules.per_region:
        basis = _in_region(one, rules, consent, past, now)
        if isinstance(basis, Reason):
            return Refused(basis, region)
        found[region] = basis
    return found


def _in_region(
    one: ChannelRules, rules: Rules, consent: ConsentState | None, past: Past, now: datetime
) -> Basis | Reason:
    if consent is not None and consent.kind is ConsentKind.EXPRESS:
        return _express(one, rules, consent)
    if Basis.SOFT_OPT_IN in one.basis and _soft(one, consent, past):
        return Basis.SOFT_OPT_IN
    if Basis.IMPLIED_PURCHASE in one.basis and _within(past.last_order_at, one.implied.purchase_days, now):
        return Basis.IMPLIED_PURCHASE
    if Basis.IMPLIED_INQUIRY in one.basis and _within(past.last_inquiry_at, one.implied.inquiry_days, now):
        return Basis.IMPLIED_INQUIRY
    if Basis.OPT_OUT in one.basis:
        # anybody can type in anybody's address; whoever wants addresses confirmed wants this one confirmed, too
        return Reason.DOUBLE_OPT_IN_MISSING if rules.double_opt_in else Basis.OPT_OUT
    if Basis.IMPLIED_CUSTOMER in one.basis and _within(past.last_order_at, one.implied.purchase_days, now):
        return Basis.IMPLIED_CUSTOMER
    return Reason.NO_BASIS


def _express(one: ChannelRules, rules: Rules, consent: ConsentState) -> Basis | Reason:
    """Express consent must be demonstrable (GDPR art. 7(1)): without its wording it proves nothing."""
    if not consent.wording.strip():
        return Reason.CONSENT_UNPROVABLE
    if rules.double_opt_in and not consent.marks.is_confirmed:
        return Reason.DOUBLE_OPT_IN_MISSING
    if Basis.EXPRESS in one.basis:
        return Basis.EXPRESS
    if Basis.EXPRESS_WRITTEN_CART in one.basis:
        named = consent.marks.is_written and consent.marks.mentions_cart
        return Basis.EXPRESS_WRITTEN_CART if named else Reason.CART_NOT_IN_OPTIN_TEXT
    return Reason.NO_BASIS


def _soft(one: ChannelRules, consent: ConsentState | None, past: Past) -> bool:
    """The recorded soft opt-in says: own customer, similar products, opt-out offered when the address was collected."""
    if consent is None or consent.kind is not ConsentKind.SOFT_OPT_IN:
        return False
    if past.last_order_at is not None:
        return True
    asked = one.soft_opt_in
    return not asked.completed_purchase and asked.negotiation_counts and past.has_started_checkout


def _within(at: datetime | None, days: int, now: datetime) -> bool:
    return at is not None and days > 0 and now - at < timedelta(days=days + 1)
