"""Which flow takes this abandoned cart, if any?

Flows are asked in order of priority; the first one that does not refuse takes the cart. A refusal is stored with the
reason of the flow that stood first; the evidence names what each of the others said. A shopper is in one flow at a
time: a running one gives way to a more important one, and to no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from rekindle.policy.entry import Facts, first_failure, matches
from rekindle.policy.next_step import Route
from rekindle.terms.cart import Stage
from rekindle.terms.decision import Verdict, allow, deny
from rekindle.terms.flow import Flow
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveFlow:
    """A flow as it runs now: its active version, when it was switched on, and the definition made ready to run."""

    id: int
    version_id: int
    key: str
    priority: int
    activated_at: datetime
    flow: Flow
    route: Route

    def handles(self, stage: Stage) -> bool:
        return stage in self.flow.trigger.kinds

    def idle_s(self, shop: ShopSettings, stage: Stage) -> int:
        """Seconds of silence after which this flow looks at a cart of that stage."""
        own = self.flow.trigger.idle_s
        return shop.idle_s(stage) if own is None else own


class Entry(NamedTuple):
    """One earlier run of the shopper through a flow. Ids are text, compared only with each other.

    ``priority``: of its flow; None when that is not known, and then nothing comes before it.
    """

    flow_id: int
    cart_id: str
    abandoned_at: datetime
    entered_at: datetime
    is_running: bool
    id: str = ""
    priority: int | None = None


class Candidate(NamedTuple):
    """An abandoned cart that looks for a flow. ``touched_at``: the shopper's last activity at it.

    ``ordered_at``: the shopper's latest order anywhere in the shop. ``shopper_key`` is None for an unknown shopper.
    """

    cart_id: str
    stage: Stage
    touched_at: datetime
    shopper_id: str | None
    ordered_at: datetime | None = None
    is_erased: bool = False
    has_objected: bool = False


class Enrolling(NamedTuple):
    """The answer: a verdict, and when it is allowed the flow with the instant from which its waits count.

    ``outranked``: the shopper's runs through less important flows, which end when this one begins.
    """

    verdict: Verdict
    flow: ActiveFlow | None = None
    abandoned_at: datetime | None = None
    outranked: tuple[Entry, ...] = ()


def flows_between(
    flows: Iterable[ActiveFlow], shop: ShopSettings, stage: Stage, from_s: int, until_s: int
) -> tuple[ActiveFlow, ...]:
    """The flows of this stage whose threshold lies within the look's bounds (both included), most important first."""
    chosen = [f for f in flows if f.handles(stage) and from_s <= f.idle_s(shop, stage) <= until_s]
    return tuple(sorted(chosen, key=lambda f: (-f.priority, f.id)))


def enrolling(
    cart: Candidate,
    *,
    shop: ShopSettings,
    flows: Sequence[ActiveFlow],
    history: Sequence[Entry],
    facts: Facts,
    now: datetime,
) -> Enrolling:
    """Choose the flow for an abandoned cart.

    ``flows``: those that this look concerns, most important first; ``history``: the shopper's runs, read under the
    shopper's lock; ``facts``: what the entry filters of these flows ask for.
    """
    if not flows:
        return Enrolling(deny(Reason.NO_FLOW, stage=cart.stage.value))
    if cart.shopper_id is None:
        return Enrolling(deny(Reason.NO_SHOPPER))
    if cart.is_erased or cart.has_objected:
        return Enrolling(deny(Reason.ERASED if cart.is_erased else Reason.OBJECTED))
    if cart.ordered_at is not None and cart.ordered_at >= cart.touched_at:
        return Enrolling(deny(Reason.PURCHASED, ordered_at=cart.ordered_at.isoformat()))
    refusals: list[tuple[ActiveFlow, Verdict]] = []
    for flow in flows:
        abandoned_at = cart.touched_at + span(flow.idle_s(shop, cart.stage))
        refusal = _untimely(shop, flow, abandoned_at, now)
        if refusal is None and not matches(flow.flow.entry, facts):
            refusal = deny(Reason.ENTRY_FILTER, failed=first_failure(flow.flow.entry, facts))
        if refusal is None and history:
            refusal = _reentry(cart, flow, abandoned_at, history, now)
        if refusal is None:
            outranked = tuple(e for e in history if e.is_running) if history else ()
            verdict = _enrolled(flow.key)
            if outranked:
                verdict = allow(Reason.ENROLLED, flow=flow.key, outranked=[e.flow_id for e in outranked])
            return Enrolling(verdict, flow, abandoned_at, outranked)
        refusals.append((flow, refusal))
    return Enrolling(_joined(refusals))


@lru_cache(maxsize=1024)
def span(seconds: int) -> timedelta:
    """A length of time, made once: batches ask for the same few ten thousand times."""
    return timedelta(seconds=seconds)


@lru_cache(maxsize=1024)
def _enrolled(key: str) -> Verdict:
    return allow(Reason.ENROLLED, flow=key)


def _untimely(shop: ShopSettings, flow: ActiveFlow, abandoned_at: datetime, now: datetime) -> Verdict | None:
    """Switching a flow on never writes to old carts, and neither does an outage of weeks."""
    if abandoned_at < flow.activated_at:
        return deny(Reason.BEFORE_ACTIVATION, activated_at=flow.activated_at.isoformat())
    if now - abandoned_at > span(shop.max_cart_age_days * _DAY_S):
        return deny(Reason.TOO_OLD, max_cart_age_days=shop.max_cart_age_days)
    return None


def _reentry(
    cart: Candidate, flow: ActiveFlow, abandoned_at: datetime, history: Sequence[Entry], now: datetime
) -> Verdict | None:
    rules = flow.flow.reentry
    of_cart = [e for e in history if e.flow_id == flow.id and e.cart_id == cart.cart_id]
    if of_cart and not rules.again_after_return:
        return deny(Reason.ALREADY_ENROLLED, again_after_return=False)
    if any(e.abandoned_at == abandoned_at for e in of_cart):
        return deny(Reason.ALREADY_ENROLLED, abandoned_at=abandoned_at.isoformat())
    if any(e.is_running and (e.priority is None or e.priority >= flow.priority) for e in history):
        return deny(Reason.OTHER_FLOW_RUNNING)
    entered_at = max((e.entered_at for e in history if e.flow_id == flow.id), default=None)
    if entered_at is not None and now - entered_at < timedelta(seconds=rules.shopper_gap_s):
        return deny(Reason.REENTRY_TOO_SOON, entered_at=entered_at.isoformat(), shopper_gap_s=rules.shopper_gap_s)
    return None


def _joined(refusals: list[tuple[ActiveFlow, Verdict]]) -> Verdict:
    flow, verdict = refusals[0]
    others = {other.key: refusal.reason.value for other, refusal in refusals[1:]}
    return deny(verdict.reason, flow=flow.key, **verdict.evidence, **({"others": others} if others else {}))
