"""What does a policy pack say? The shape of the law as data: regions, channels, bases, windows, caps.

A pack is read by ``policy.pack``; what is not named here is refused there, so that a misspelt rule is never silently
absent. Every struct is one table of the file. Unknown stays the strictest: defaults are what denies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from rekindle.terms.limits import SendLimits
from rekindle.terms.send import Channel

#: Code of the entry for a region that is unknown or has no entry.
UNKNOWN_REGION = "ZZ"


class Basis(StrEnum):
    """On what ground a message may be sent. A region lists those it accepts, per channel; any one of them is enough."""

    EXPRESS = "express"  #: asked and agreed, with the wording kept
    EXPRESS_WRITTEN_CART = "express_written_cart"  #: agreed in writing to a wording that names cart reminders
    SOFT_OPT_IN = "soft_opt_in"  #: own customer, similar products, opt-out offered (2002/58/EC art. 13(2))
    IMPLIED_PURCHASE = "implied_purchase"  #: bought within so many days (CASL s. 10(10)(a))
    IMPLIED_INQUIRY = "implied_inquiry"  #: asked within so many days (CASL s. 10(10)(e))
    IMPLIED_CUSTOMER = "implied_customer"  #: has bought before (Spam Act 2003, sch. 2)
    OPT_OUT = "opt_out"  #: no consent is asked for (15 USC 7704)


class Tracked(StrEnum):
    """May an open or a click be recorded per person?"""

    CONSENT = "consent"  #: only with that shopper's consent to it
    ALLOW = "allow"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Window(_Table, frozen=True):
    """Half-open local hours ``[start, end)`` in which messages may go out; 8.5 is 8:30; empty is closed all day."""

    mon_fri: tuple[float, ...]
    sat: tuple[float, ...]
    sun: tuple[float, ...]
    holidays: tuple[float, ...] = ()


class SoftOptIn(_Table, frozen=True):
    """What the soft opt-in asks beside the recorded facts. ``negotiation_counts``: a checkout that was started is
    enough where a completed purchase is not asked for."""

    completed_purchase: bool = True
    negotiation_counts: bool = False


class Implied(_Table, frozen=True):
    """How long an implied consent lasts, in days."""

    purchase_days: int = 0
    inquiry_days: int = 0


class Tracking(_Table, frozen=True):
    open: Tracked = Tracked.CONSENT
    click: Tracked = Tracked.CONSENT


class ChannelRules(_Table, frozen=True):
    """What one region says about one channel. ``src`` names where the numbers come from; ``house`` is our choice."""

    basis: tuple[Basis, ...]
    double_opt_in: bool = False
    soft_opt_in: SoftOptIn = SoftOptIn()
    implied: Implied = Implied()
    max_per_cart: int = 1
    max_per_24h: int | None = None
    legal_max_per_24h: int | None = None  #: what an override of the cap may not exceed
    trigger_max_age_hours: float | None = None
    window: Window | None = None
    identity: tuple[str, ...] = ()
    tracking: Tracking = Tracking()
    subject_prefix_if_unsolicited: str = ""
    optout_honour_hours: float | None = None
    unsub_link_days: int = 60
    src: str = "house"


class Privacy(_Table, frozen=True):
    """Legal terms of requests about personal data, in days. ``escalate_days`` is the house's own."""

    answer_days: int
    extension_days: int = 0
    complaint_acknowledge_days: int = 30
    escalate_days: int = 20
    acknowledge_business_days: int | None = None
    optout_business_days: int | None = None
    record_months: int | None = None
    src: str = "house"


class Region(_Table, frozen=True):
    """One region, its parents laid under it."""

    email: ChannelRules
    sms: ChannelRules
    push: ChannelRules
    privacy: Privacy | None = None

    def of(self, channel: Channel) -> ChannelRules:
        if channel is Channel.EMAIL:
            return self.email
        return self.sms if channel is Channel.SMS else self.push


class Watched(_Table, frozen=True):
    """A dated event in law that may change the pack."""

    what: str
    src: str
    date: date | None = None


class Meta(_Table, frozen=True):
    id: str
    version: int
    reviewed: date
    review_due_days: int
    disclaimer: str
    watch: tuple[Watched, ...] = ()


class PolicyPack(_Table, frozen=True):
    """A whole pack, inheritance resolved. ``digest``: SHA-256 of everything in it, as stored with each decision."""

    meta: Meta
    house_caps: SendLimits
    regions: Mapping[str, Region]
    digest: str

    def is_review_due(self, today: date) -> bool:
        """Whether the last review is older than the pack allows."""
        return (today - self.meta.reviewed).days > self.meta.review_due_days


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What several regions together say about one channel: caps and ages the least, requirements all of them.

    ``pack`` names the pack with its version and the head of its digest. ``max_age``: a message goes out before the cart
    was left for so long, or not at all; None where no region sets one.
    ``per_region`` keeps each region's own rules, because a legal basis must hold in every one of them.
    """

    pack: str
    regions: tuple[str, ...]
    per_region: tuple[tuple[str, ChannelRules], ...]
    max_per_cart: int
    max_per_24h: int | None
    max_age: timedelta | None
    windows: tuple[Window, ...]
    identity: tuple[str, ...]
    double_opt_in: bool
    open_needs_consent: bool
    click_needs_consent: bool
