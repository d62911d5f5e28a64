"""Did anything happen since the decision that stops this send? Asked under the shopper's lock, just before the call.

The decision was made on facts read moments ago. What is final here ends the send with its reason; what merely changed
(another message on its way, a consent) sends it back to be decided anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from rekindle.terms.consent import ConsentKind
from rekindle.terms.reasons import Reason
from rekindle.terms.send import EnrolmentState


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision saw. ``is_about_cart``: a purchase, or the end of the flow, makes the message pointless."""

    is_about_cart: bool = True
    abandoned_at: datetime
    order_count: int
    last_order_at: datetime | None
    consent: str | None


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What the locked rows say; None where a row is gone. ``others``: another message went out or is going out."""

    order_count: int | None
    last_order_at: datetime | None
    opted_out_at: datetime | None
    erased_at: datetime | None
    enrolment_state: str | None
    exit_reason: str | None
    consent: str | None
    suppressed: bool | None
    others: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """``reason`` ends the send; without one it is decided anew, because ``why``."""

    reason: Reason | None
    why: str


def stopped_since(before: Before, now: Now) -> Stop | None:
    """None when the call may start."""
    if not before.is_about_cart:
        return _gone(now) or (Stop(None, "the consent changed") if now.consent != before.consent else None)
    return _ended(before, now) or _changed(before, now)


def _ended(before: Before, now: Now) -> Stop | None:
    exited = now.enrolment_state not in (EnrolmentState.WAITING, EnrolmentState.DONE)
    ordered_since = now.last_order_at is not None and now.last_order_at >= before.abandoned_at
    # an order that arrived since the facts were read counts whenever it was made: shops report orders late
    arrived = now.order_count is not None and now.order_count != before.order_count
    if ordered_since or arrived or (exited and now.exit_reason == Reason.ORDERED):
        return Stop(Reason.PURCHASED, "ordered before the call")
    if now.order_count is None or now.erased_at is not None:
        return _gone(now)
    if exited:
        return Stop(Reason.CART_CLOSED, "the flow was left before the call")
    return _gone(now)


def _gone(now: Now) -> Stop | None:
    if now.order_count is None or now.erased_at is not None:
        return Stop(Reason.ERASED, "erased before the call")
    if now.suppressed is not False:
        return Stop(Reason.SUPPRESSED, "suppressed before the call")
    if now.opted_out_at is not None or now.consent == ConsentKind.WITHDRAWN:
        return Stop(Reason.OPTED_OUT, "opted out before the call")
    return None


def _changed(before: Before, now: Now) -> Stop | None:
    if now.last_order_at != before.last_order_at:
        return Stop(None, "an order changed")
    if now.consent != before.consent:
        return Stop(None, "the consent changed")
    if now.others:
        return Stop(None, "another message to the shopper is going out")
    return None
