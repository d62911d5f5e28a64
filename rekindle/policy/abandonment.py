"""Is this cart abandoned? Asked when a cart's idle timer has rung.

``engine.abandon`` asks for each cart it has locked. A timer is lazy: activity does not move it, so the usual answer is
"still active, look again later". All times come out of the cart's last activity and never out of the moment at which
the question was asked; a worker that slept for three days finds the same abandonment times as one that did not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from rekindle.terms.cart import CartState, Stage
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class IdleRules:
    """Silences of one shop for one stage, in seconds.

    ``idle_s``: ascending and distinct. At the first one the cart counts as abandoned; at each one the flows with that
    threshold look at it. ``lost_s``: when the cart is given up.
    """

    idle_s: tuple[int, ...]
    lost_s: int

    @property
    def first_s(self) -> int:
        return self.idle_s[0]


class TimedCart(NamedTuple):
    """What the question looks at. ``elsewhere_at``: last activity of the cart that a browse visit led to, if any."""

    state: CartState
    stage: Stage
    created_at: datetime
    touched_at: datetime
    check_at: datetime
    is_empty: bool
    elsewhere_at: datetime | None = None


class Finding(NamedTuple):
    """The answer. ``state``: the cart's state from now on; ``check_s``: seconds after the last activity at which the
    timer rings next (None: never again).

    ``from_s`` and ``until_s`` bound the thresholds that this look has passed (both included): flows whose threshold
    lies between them may take the cart now. Flows below ``from_s`` had their look earlier. Both 0 when none may.
    """

    state: CartState
    reason: Reason
    check_s: int | None
    from_s: int = 0
    until_s: int = 0


def idle_rules(shop: ShopSettings, stage: Stage, flow_idle_s: Iterable[int | None]) -> IdleRules:
    """The silences that matter for a cart of this stage: the shop's own, and those of the flows that handle it.

    ``flow_idle_s``: one entry per active flow of this stage; None means the shop's threshold. A flow's own threshold
    takes the place of the shop's for that flow.

    >>> shop = ShopSettings(id=1, slug="s", name="S", cart_idle_s=1800)
    >>> idle_rules(shop, Stage.CART, [None, 600, 7200]).idle_s
    (600, 1800, 7200)
    """
    own = shop.idle_s(stage)
    lost_s = shop.lost_after_days * _DAY_S
    wanted = {own} | {own if idle is None else idle for idle in flow_idle_s}
    return IdleRules(tuple(sorted(idle for idle in wanted if idle < lost_s)) or (min(wanted),), lost_s)


def abandonment(cart: TimedCart, rules: IdleRules, now: datetime) -> Finding:
    """Decide what became of a cart whose timer rang.

    The order: closed already, empty, went on elsewhere, still active (also when a clock ran backwards), lost,
    abandoned.

    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    >>> cart = TimedCart(CartState.OPEN, Stage.CART, at, at, at, False)
    >>> rules = IdleRules((1800,), 30 * 86_400)
    >>> abandonment(cart, rules, at + timedelta(minutes=29)).reason.value
    'STILL_ACTIVE'
    >>> abandonment(cart, rules, at + timedelta(minutes=30)).reason.value
    'ABANDONED'
    >>> abandonment(cart, rules, at + timedelta(days=30)).state.value
    'lost'
    """
    if cart.state is not CartState.OPEN and cart.state is not CartState.ABANDONED:
        return Finding(cart.state, Reason.CART_CLOSED, None)
    if cart.is_empty:
        return Finding(CartState.EMPTIED, Reason.CART_EMPTY, None)
    if cart.stage is Stage.BROWSE and cart.elsewhere_at is not None and cart.elsewhere_at >= cart.created_at:
        return Finding(CartState.EMPTIED, Reason.MOVED_TO_CART, None)
    idle_s = _seconds(now - cart.touched_at)
    if idle_s < rules.idle_s[0] and cart.state is CartState.OPEN:
        return Finding(CartState.OPEN, Reason.STILL_ACTIVE, rules.idle_s[0])
    if idle_s >= rules.lost_s:
        return Finding(CartState.LOST, Reason.LOST, None)
    looked_s = _seconds(cart.check_at - cart.touched_at) if cart.state is CartState.ABANDONED else 0
    return Finding(CartState.ABANDONED, Reason.ABANDONED, _next_look(rules, idle_s), looked_s, idle_s)


def _next_look(rules: IdleRules, idle_s: int) -> int:
    for threshold in rules.idle_s:
        if threshold > idle_s:
            return threshold
    return rules.lost_s


def _seconds(span: timedelta) -> int:
    """Whole seconds, rounded down: a threshold is reached when it is complete."""
    return span.days * _DAY_S + span.seconds
