"""May this shopper be written to now, and if not, when? The very decision of a send, asked without one.

It changes nothing and promises nothing: when the message is due, `deliver` asks again with the facts of that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from rekindle.engine.facts import identity_of
from rekindle.engine.law import Law, laws
from rekindle.policy.may_send import may_send
from rekindle.policy.rule_behind import Ground, rules_behind
from rekindle.terms.cart import CartState
from rekindle.terms.consent import ConsentState
from rekindle.terms.decision import Verdict
from rekindle.terms.policy_pack import Rules
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
from rekindle.terms.shop import ShopSettings

#: Deferrals that are followed: each one names another thing to wait for, and there are six kinds.
_MOST_LOOKS: Final = 8
_THIS_CART, _OTHER_CART = UUID(int=1), UUID(int=2)
_THIS_RUN, _OTHER_RUN = UUID(int=3), UUID(int=4)


class Look(NamedTuple):
    """What would be decided at an instant, and the rules behind it."""

    at: datetime
    verdict: Verdict
    grounds: tuple[Ground, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``looks``: now, and then at each instant to which it would be put off; the last one is a yes or a no."""

    channel: Channel
    rules: Rules | None
    looks: tuple[Look, ...]

    @property
    def now(self) -> Verdict:
        return self.looks[0].verdict

    @property
    def end(self) -> Look:
        return self.looks[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """A shopper who is only thought of. ``sent``: (channel, how long ago, about this cart) of earlier messages."""

    country: str = ""
    state: str = ""
    zones: tuple[str, ...] = ()
    consent: ConsentState | None = None
    bought_ago: timedelta | None = None
    has_started_checkout: bool = False
    left_ago: timedelta = timedelta(hours=4)
    sent: Sequence[tuple[Channel, timedelta, bool]] = ()


def suppose(shop: ShopSettings, one: Supposed, now: datetime) -> list[Forecast]:
    """What would hold for such a shopper on each channel. Raises LimitsError for a shop's limits that mean nothing."""
    left_at = now - one.left_ago
    history = tuple(
        PriorSend(
            channel=channel,
            cart_id=_THIS_CART if about_it else _OTHER_CART,
            enrolment_id=_OTHER_RUN,
            planned_at=now - ago,
            at=now - ago,
        )
        for channel, ago, about_it in one.sent
    )
    shopper = ShopperFacts(last_order_at=now - one.bought_ago if one.bought_ago is not None else None, zones=one.zones)
    made = []
    for channel in Channel:
        law = laws().of(shop, channel, country=one.country, state=one.state)
        facts = SendFacts(
            now=now,
            channel=channel,
            cart_id=_THIS_CART,
            enrolment_id=_THIS_RUN,
            planned_at=now,
            limits=law.limits,
            rules=law.rules,
            max_cart_age_days=shop.max_cart_age_days,
            cart=CartFacts(state=CartState.ABANDONED, touched_at=left_at, has_checkout=one.has_started_checkout),
            enrolment=EnrolmentFacts(state=EnrolmentState.WAITING, arm=Arm.TREATED, abandoned_at=left_at),
            shopper=shopper,
            contact=ContactFacts(has_address=True, consent=one.consent),
            suppressed=False,
            history=history,
            missing=(),
            identity=identity_of(shop),
            route=RouteFacts(exists=True),
        )
        made.append(forecast(facts, law))
    return made


def forecast(facts: SendFacts, law: Law) -> Forecast:
    """Follow one decision through its deferrals. ``facts`` must be those of ``law``."""
    looks: list[Look] = []
    at = facts.now
    while len(looks) < _MOST_LOOKS:
        verdict = may_send(replace(facts, now=at, planned_at=at, holidays=law.holidays(at)))
        looks.append(Look(at, verdict, rules_behind(verdict, law.rules)))
        if verdict.retry_at is None or verdict.retry_at <= at:
            break
        at = verdict.retry_at
    return Forecast(channel=facts.channel, rules=law.rules, looks=tuple(looks))
