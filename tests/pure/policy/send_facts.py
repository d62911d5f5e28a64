"""Facts of a send that is allowed; each test names only what differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from uuid import UUID

from msgspec.structs import replace

from rekindle.policy.pack.read import read_pack
from rekindle.policy.regions import rules_of
from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentKind, ConsentState
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

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
ABANDONED = NOW - timedelta(hours=2)
CART, OTHER_CART = UUID(int=1), UUID(int=2)
RUN, OTHER_RUN = UUID(int=11), UUID(int=12)
#: The rules of a made-up region: a basis is needed, and caps are the house's.
SOMEWHERE = {
    "email": {"basis": ["express", "soft_opt_in"], "soft_opt_in": {"completed_purchase": False, "negotiation_counts": True}, "max_per_cart": 9},
    "sms": {"basis": ["express"], "max_per_cart": 9, "trigger_max_age_hours": 48, "window": {"mon_fri": [10, 18], "sat": [10, 17], "sun": []}},
    "push": {"basis": ["express"], "max_per_cart": 9},
}  # fmt: skip
PACK = read_pack(
    files("rekindle.policy.pack").joinpath("default.toml").read_text("utf-8"), {"regions": {"XX": SOMEWHERE}}
)
RULES = {channel: rules_of(PACK, ["XX"], channel) for channel in Channel}
EXPRESS = ConsentState(kind=ConsentKind.EXPRESS, at=NOW - timedelta(days=9), wording="newsletter v3", source="form")


def allowed(**changes: object) -> SendFacts:
    """Facts under which the answer is yes; ``changes`` replace whole groups or single facts of them."""
    channel = changes.get("channel", Channel.EMAIL)
    assert isinstance(channel, Channel)
    facts = SendFacts(
        now=NOW,
        channel=channel,
        cart_id=CART,
        enrolment_id=RUN,
        planned_at=NOW - timedelta(minutes=1),
        rules=RULES[channel],
        max_cart_age_days=14,
        cart=CartFacts(state=CartState.ABANDONED, touched_at=ABANDONED - timedelta(minutes=30), has_checkout=True),
        enrolment=EnrolmentFacts(state=EnrolmentState.WAITING, arm=Arm.TREATED, abandoned_at=ABANDONED),
        shopper=ShopperFacts(zones=("Europe/Berlin",)),
        contact=ContactFacts(has_address=True, consent=EXPRESS),
        suppressed=False,
        history=(),
        missing=(),
        identity=frozenset({"sender_name", "postal_address", "contact"}),
        route=RouteFacts(exists=True),
    )
    for name, value in changes.items():
        group, _, field = name.partition("__")
        new = replace(getattr(facts, group), **{field: value}) if field else value
        facts = replace(facts, **{group: new})  # type: ignore[arg-type]
    return facts


def prior(hours_ago: float, channel: Channel = Channel.EMAIL, cart_id: UUID = OTHER_CART) -> PriorSend:
    """A message that went out on time, of another run unless the cart is the same."""
    at = NOW - timedelta(hours=hours_ago)
    run = RUN if cart_id == CART else OTHER_RUN
    return PriorSend(channel=channel, cart_id=cart_id, enrolment_id=run, planned_at=at, at=at)
