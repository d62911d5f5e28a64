"""What must be known before a send may go out? Facts in, nothing looked up; what is not known is None.

Every group of facts can be missing as a whole (its row was not found): ``may_send`` then says no. Addresses are not
among the facts: a decision needs to know that there is one, not which. Structs, because one is made for every send.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec

from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentState
from rekindle.terms.limits import HOUSE_LIMITS, SendLimits
from rekindle.terms.policy_pack import Rules
from rekindle.terms.preferences import NO_PREFERENCES, Preferences, Topic
from rekindle.terms.send import Arm, Channel, EnrolmentState, MessageKind


class CartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``touched_at`` is the shopper's latest activity, ``ordered`` whether an order names this cart."""

    state: CartState
    touched_at: datetime
    ordered: bool = False
    has_checkout: bool = False  #: a checkout was started
    topic: Topic = Topic.CART


class EnrolmentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``abandoned_at`` is the instant from which this run counts; ``exit_reason`` why it ended early, if it did."""

    state: EnrolmentState
    arm: Arm
    abandoned_at: datetime
    exit_reason: str | None = None


class ShopperFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``last_order_at`` and ``opted_out_at`` are None when that never happened."""

    last_order_at: datetime | None = None
    opted_out_at: datetime | None = None
    erased_at: datetime | None = None
    zones: tuple[str, ...] = ()  #: every plausible IANA time zone
    preferences: Preferences = NO_PREFERENCES


class ContactFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The address that the send is for."""

    has_address: bool
    is_role: bool = False  #: belongs to a function, not to a person (abuse@, noreply@)
    consent: ConsentState | None = None


class PriorSend(msgspec.Struct, frozen=True, kw_only=True):
    """One earlier message to the same shopper: taken by a provider, or perhaps taken (sending, uncertain).

    ``at``: when it went out; ``planned_at``: when it was due by the times of its flow.
    """

    channel: Channel
    cart_id: UUID
    enrolment_id: UUID
    planned_at: datetime
    at: datetime


class RouteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Is there a way out now? ``paused_until`` is set while the shop, the channel or every account pauses."""

    exists: bool
    paused_until: datetime | None = None
    why: str = ""


class SendFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one decision looks at. ``missing`` names what the content lacks (empty: nothing).

    ``planned_at``: when the message was due by the times of its flow; it may have waited since. ``limits``: the shop's,
    with the caps of ``rules`` laid over them (`policy.regions.tightened`).
    """

    now: datetime
    channel: Channel
    kind: MessageKind = MessageKind.REMINDER
    cart_id: UUID
    enrolment_id: UUID
    planned_at: datetime
    limits: SendLimits = HOUSE_LIMITS
    rules: Rules | None  #: what the law says in every region that is plausible
    holidays: frozenset[date] = frozenset()  #: local dates near now, of every region that is plausible
    max_cart_age_days: int
    cart: CartFacts | None
    enrolment: EnrolmentFacts | None
    shopper: ShopperFacts | None
    contact: ContactFacts | None
    suppressed: bool | None
    history: tuple[PriorSend, ...] | None
    missing: tuple[str, ...] | None
    identity: frozenset[str] = frozenset()  #: what the message says of its sender: fields of ChannelRules.identity
    route: RouteFacts | None
