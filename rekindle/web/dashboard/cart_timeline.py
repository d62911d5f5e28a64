"""What happened to a cart, one after the other? Events, runs, sends and the order merged into one list of moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from rekindle.store.dashboard.cart import CartPage, EnrolmentLine, EventLine, OrderPage
from rekindle.store.dashboard.sends import OutboxLine, SendFact, SendLine
from rekindle.terms.event import EventKind
from rekindle.terms.send import Arm, EnrolmentState, SendEventKind, SendState


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One entry. ``look``: "", good, bad or accent; ``reason`` is a stored reason that explains it."""

    at: datetime
    icon: str
    title: str
    detail: str = ""
    look: str = ""
    reason: str = ""
    is_ahead: bool = False


_EVENTS: Final = {
    EventKind.PAGE_VIEWED: ("eye", "Looked at a page"),
    EventKind.PRODUCT_VIEWED: ("eye", "Looked at a product"),
    EventKind.PRODUCT_ADDED: ("plus", "Put something in"),
    EventKind.PRODUCT_REMOVED: ("trash", "Took something out"),
    EventKind.CART_VIEWED: ("shopping-cart", "Looked at the cart"),
    EventKind.CART_UPDATED: ("shopping-cart", "The cart changed"),
    EventKind.CHECKOUT_STARTED: ("credit-card", "Began to check out"),
    EventKind.CHECKOUT_STEP: ("credit-card", "Went on in the checkout"),
    EventKind.PAYMENT_ENTERED: ("credit-card", "Entered a payment"),
    EventKind.PAYMENT_FAILED: ("alert-triangle", "The payment failed"),
    EventKind.COUPON_TRIED: ("tag", "Tried a coupon"),
    EventKind.ORDER_COMPLETED: ("receipt", "The shop told us of the order"),
    EventKind.ORDER_UPDATED: ("receipt", "The order changed"),
    EventKind.ORDER_REFUNDED: ("receipt-refund", "The order was refunded"),
    EventKind.ORDER_CANCELLED: ("receipt-refund", "The order was cancelled"),
    EventKind.IDENTIFIED: ("user", "Somebody became known"),
    EventKind.ALIASED: ("user", "Two keys became one person"),
    EventKind.OPTED_OUT: ("ban", "Opted out"),
    EventKind.OPTED_IN: ("circle-check", "Agreed to messages"),
    EventKind.ERASURE_REQUESTED: ("trash", "Asked for erasure"),
}
_FACTS: Final = {
    SendEventKind.HANDED_OVER: ("mail-forward", "Sent", "good"),
    SendEventKind.DELIVERED: ("mail-check", "Delivered", "good"),
    SendEventKind.DEFERRED: ("clock", "The provider waits", ""),
    SendEventKind.BOUNCED: ("mail-x", "Bounced", "bad"),
    SendEventKind.FAILED: ("circle-x", "Failed", "bad"),
    SendEventKind.DROPPED: ("circle-x", "Given up by the provider", "bad"),
    SendEventKind.SKIPPED: ("mail-off", "Not sent", ""),
    SendEventKind.UNCERTAIN: ("help-circle", "Uncertain whether it went out", "bad"),
    SendEventKind.RESENT: ("refresh", "Sent again", "good"),
    SendEventKind.OPENED: ("mail-opened", "Opened", ""),
    SendEventKind.CLICKED: ("click", "Followed a link", "accent"),
    SendEventKind.RESTORED: ("arrow-back-up", "Took the cart back through the link", "accent"),
    SendEventKind.COMPLAINED: ("flag", "Complained about it", "bad"),
    SendEventKind.UNSUBSCRIBED: ("ban", "Unsubscribed", "bad"),
    SendEventKind.REPLIED: ("message", "Replied", "accent"),
}
_EVENT_KINDS: Final = {kind.value: kind for kind in EventKind}
_FACT_KINDS: Final = {kind.value: kind for kind in SendEventKind}


def timeline(
    cart: CartPage,
    *,
    events: Sequence[EventLine],
    runs: Sequence[EnrolmentLine],
    sends: Sequence[SendLine],
    facts: Mapping[UUID, Sequence[SendFact]],
    outbox: Mapping[UUID, OutboxLine],
    order: OrderPage | None,
    flow_names: Mapping[int, str],
) -> list[Moment]:
    """All moments, oldest first; what is still ahead stands last."""
    moments = [
        *_of_events(events),
        *_of_cart(cart),
        *_of_runs(runs, flow_names),
        *_of_sends(sends, facts, outbox),
        *_of_order(order),
    ]
    return sorted(moments, key=lambda moment: (moment.is_ahead, moment.at))


def _of_events(events: Sequence[EventLine]) -> Iterator[Moment]:
    for event in events:
        kind = _EVENT_KINDS.get(event.kind)
        icon, title = _EVENTS.get(kind, ("circle-dashed", event.name)) if kind else ("circle-dashed", event.name)
        yield Moment(at=event.at, icon=icon, title=title, detail=_own_name(event, title))


def _of_cart(cart: CartPage) -> Iterator[Moment]:
    if cart.abandoned_at is not None:
        yield Moment(at=cart.abandoned_at, icon="hourglass", title="Left behind", reason="ABANDONED")


def _own_name(event: EventLine, title: str) -> str:
    """The shop's name for it, where that says more than the kind: a page without a name is called "page"."""
    return "" if event.name in (title, "page", "screen") else event.name


def _of_runs(runs: Sequence[EnrolmentLine], flow_names: Mapping[int, str]) -> Iterator[Moment]:
    for run in runs:
        name = flow_names.get(run.flow_id, "a flow")
        held = run.arm == Arm.HOLDOUT.value
        yield Moment(
            at=run.entered_at,
            icon="flask" if held else "route",
            title=f"Entered {name}",
            detail="Held out: gets no message, so that the lift can be measured." if held else "",
        )
        if run.ended_at is not None:
            exited = run.state == EnrolmentState.EXITED.value
            yield Moment(
                at=run.ended_at,
                icon="logout" if exited else "flag",
                title=f"Left {name}" if exited else f"Went through {name}",
                reason=run.exit_reason or "",
            )
        if run.due_at is not None and run.state == EnrolmentState.WAITING.value:
            yield Moment(
                at=run.due_at, icon="clock", title=f"Next: {_step(run.step)}", detail=f"in {name}", is_ahead=True
            )


def _of_sends(
    sends: Sequence[SendLine], facts: Mapping[UUID, Sequence[SendFact]], outbox: Mapping[UUID, OutboxLine]
) -> Iterator[Moment]:
    for send in sends:
        message = f"{_step(send.step)} by {send.channel}"
        for fact in facts.get(send.id, ()):
            kind = _FACT_KINDS.get(fact.kind)
            if kind is not None:
                icon, title, look = _FACTS[kind]
                yield Moment(
                    at=fact.at, icon=icon, title=title, look=look, detail=f"Message {message}", reason=fact.reason or ""
                )
        row = outbox.get(send.id)
        if row is not None and row.state != SendState.UNCERTAIN.value:
            yield Moment(at=row.send_at, icon="send", title=f"Next: message {message}", detail=row.state, is_ahead=True)


def _of_order(order: OrderPage | None) -> Iterator[Moment]:
    if order is not None:
        counted = "counted as recovered: a link was followed before" if order.send_id else "without a click before it"
        yield Moment(
            at=order.ordered_at, icon="receipt", look="good", title=f"Ordered ({order.order_key})", detail=counted
        )


def _step(step: str | None) -> str:
    return (step or "step").replace("-", " ").replace("_", " ")
