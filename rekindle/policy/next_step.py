"""What does the flow do now? One pure step of an enrolment: wait until, create sends, exit, or done.

``engine.advance`` asks under the enrolment's lock, once for each due enrolment. An order always ends the run; that is
not configurable. After an outage only the oldest due message goes out: later ones that are due as well are skipped
with the reason CATCH_UP, so that a shopper never gets three reminders at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from rekindle.lib.clock import require_aware
from rekindle.policy.entry import Facts, fields_of, matches
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.flow import Branch, Exit, Field, Flow, Message, Step, Wait
from rekindle.terms.reasons import Reason
from rekindle.terms.send import EnrolmentState

_ENDINGS = {
    CartState.RECOVERED: Reason.ORDERED,
    CartState.CONVERTED: Reason.ORDERED,
    CartState.EMPTIED: Reason.EMPTIED,
    CartState.LOST: Reason.LOST,
    CartState.OPEN: Reason.RETURNED,
}


class Stop(NamedTuple):
    """A step with its way on. ``then`` and ``otherwise`` are set for branches: where each side begins."""

    step: Step
    following: str | None
    then: str | None = None
    otherwise: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A flow made ready to be walked: its stops by id, where it begins, and which facts its branches ask for.

    ``first_wait_s``: seconds after the abandonment at which the first step is due.
    """

    stops: Mapping[str, Stop]
    first: str
    first_wait_s: int
    branch_fields: frozenset[Field]
    message_numbers: Mapping[str, int]  #: 1-based place of each message in the definition


def route_of(flow: Flow) -> Route:
    """Make a definition ready to run; done once per flow version."""
    stops: dict[str, Stop] = {}
    for step, following in flow.walk():
        if isinstance(step, Branch):
            then = step.then[0].id if step.then else following
            otherwise = step.otherwise[0].id if step.otherwise else following
            stops[step.id] = Stop(step, following, then, otherwise)
        else:
            stops[step.id] = Stop(step, following)
    first = flow.steps[0]
    fields: frozenset[Field] = frozenset().union(
        *(fields_of(stop.step.when) for stop in stops.values() if isinstance(stop.step, Branch))
    )
    messages = [step.id for step, _ in flow.walk() if isinstance(step, Message)]
    first_wait_s = first.delay_s if isinstance(first, Wait) else 0
    return Route(stops, first.id, first_wait_s, fields, {key: n for n, key in enumerate(messages, start=1)})


class Due(NamedTuple):
    """A message to create now. ``planned_at``: when it was due by the flow's own times."""

    step: Message
    planned_at: datetime


class Move(NamedTuple):
    """What the enrolment does. ``state`` and ``reason`` say how it goes on.

    waiting: at ``step`` until ``due_at``; done and exited: ``step`` and ``due_at`` are None. ``step_at``: when the
    latest step was taken, from which waits "since previous" count. ``branches``: branch id -> "then" | "otherwise".
    """

    state: EnrolmentState
    reason: Reason
    step: str | None
    due_at: datetime | None
    step_at: datetime
    sends: tuple[Due, ...] = ()
    skipped: tuple[Due, ...] = ()
    branches: Mapping[str, str] = {}


def ending(
    cart_state: CartState | None,
    stage: Stage,
    *,
    touched_at: datetime | None,
    ordered_at: datetime | None,
    is_erased: bool,
) -> Reason | None:
    """Why an enrolment must end before its next step; None when it goes on.

    ``cart_state`` None: the cart is gone. ``ordered_at``: the shopper's latest order, from whatever cart.

    >>> ending(CartState.ABANDONED, Stage.CART, touched_at=None, ordered_at=None, is_erased=False) is None
    True
    >>> ending(CartState.CONVERTED, Stage.CART, touched_at=None, ordered_at=None, is_erased=False).value
    'ORDERED'
    """
    if ordered_at is not None and touched_at is not None and ordered_at >= touched_at:
        return Reason.ORDERED
    if is_erased:
        return Reason.ERASED
    if cart_state is None:
        return Reason.CART_CLOSED
    if cart_state is CartState.EMPTIED and stage is Stage.BROWSE:
        return Reason.MOVED_TO_CART
    return _ENDINGS.get(cart_state)


def next_step(
    route: Route, step: str | None, *, abandoned_at: datetime, step_at: datetime, now: datetime, facts: Facts
) -> Move:
    """Walk from ``step`` until the flow has to wait or ends. ``facts``: what the route's branches ask for.

    A step id that the route does not know, or None, ends the run: there is nothing left to do.
    """
    walk = _Walk(abandoned_at=abandoned_at, step_at=step_at, now=now)
    current = step
    while current is not None and current in route.stops:
        stop = route.stops[current]
        if isinstance(stop.step, Wait):
            due_at = walk.due(stop.step)
            if due_at > now:
                return walk.move(EnrolmentState.WAITING, Reason.STEP_TAKEN, current, due_at)
            walk.pass_wait(stop.step, due_at)
            current = stop.following
        elif isinstance(stop.step, Message):
            walk.meet(stop.step)
            current = stop.following
        elif isinstance(stop.step, Exit):
            return walk.move(EnrolmentState.EXITED, Reason.EXIT_STEP, None, None)
        else:
            holds = matches(stop.step.when, facts)
            walk.branches[current] = "then" if holds else "otherwise"
            current = stop.then if holds else stop.otherwise
    return walk.move(EnrolmentState.DONE, Reason.FLOW_DONE, None, None)


class _Walk:
    """The state of one walk: how far the flow's own time has come, and what was met on the way."""

    def __init__(self, *, abandoned_at: datetime, step_at: datetime, now: datetime) -> None:
        self.abandoned_at = require_aware(abandoned_at)  # in UTC: on local times 24 hours are 23 on one day a year
        self.step_at, self.now = require_aware(step_at), require_aware(now)
        self.planned_at = max(self.abandoned_at, self.step_at)
        self.sends: list[Due] = []
        self.skipped: list[Due] = []
        self.branches: dict[str, str] = {}

    def due(self, wait: Wait) -> datetime:
        base = self.abandoned_at if wait.since == "abandonment" else self.step_at
        return base + timedelta(seconds=wait.delay_s)

    def pass_wait(self, wait: Wait, due_at: datetime) -> None:
        if wait.delay_s == 0:
            return  # two messages around it belong to one instant
        self.planned_at = max(self.planned_at, due_at)
        self.step_at = max(self.step_at, due_at)

    def meet(self, message: Message) -> None:
        """Messages planned for the same instant belong together; a later one was due during an outage."""
        due = Due(message, self.planned_at)
        if self.sends and self.planned_at > self.sends[0].planned_at:
            self.skipped.append(due)
            return
        self.sends.append(due)
        self.step_at = self.now

    def move(self, state: EnrolmentState, reason: Reason, step: str | None, due_at: datetime | None) -> Move:
        return Move(
            state, reason, step, due_at, self.step_at, tuple(self.sends), tuple(self.skipped), dict(self.branches)
        )
