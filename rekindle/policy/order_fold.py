"""What is known of an order after this event, whatever order its events arrive in?

Completion, updates, refunds and cancellation of one order may overtake each other and repeat. The newest statement of
the totals wins, each refund counts once, a cancellation stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from rekindle.policy.cart_draft import Line, line_of
from rekindle.terms.cart import MAX_ITEMS
from rekindle.terms.event import EventKind, ShopEvent

#: Kinds that say that somebody bought. An update of an order that was never completed counts: its completion was lost.
PURCHASES = frozenset({EventKind.ORDER_COMPLETED, EventKind.ORDER_UPDATED})
_MAX_REFUNDS = 200


class OrderState(StrEnum):
    PLACED = "placed"
    REFUNDED = "refunded"  #: nothing is left of its total
    CANCELLED = "cancelled"


@dataclass(slots=True, kw_only=True)
class OrderDraft:
    """An order while events are folded into it; the columns of its row.

    The facts: ``told_at`` when the totals were told, ``completed`` whether a completion was, ``purchased`` whether
    anything that counts as one, ``refunds`` cents by event, ``refunded_so_far`` as an update told it, ``cart_key``,
    ``full_refund``, ``cancelled``.
    """

    bucket: int
    id: UUID
    shop_id: int
    order_key: str
    ordered_at: datetime
    received_at: datetime
    currency: str
    state: str = OrderState.PLACED.value
    total_cents: int = 0
    refunded_cents: int = 0
    cart_bucket: int | None = None
    cart_id: UUID | None = None
    shopper_bucket: int | None = None
    shopper_id: UUID | None = None
    matched_by: str = ""
    coupons: list[str] = field(default_factory=list)
    items: list[Line] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def net_cents(self) -> int:
        """What the shop keeps of it."""
        if self.state == OrderState.CANCELLED:
            return 0
        return max(self.total_cents - self.refunded_cents, 0)

    @property
    def is_purchase(self) -> bool:
        return bool(self.facts.get("purchased"))

    @property
    def counts(self) -> bool:
        """Whether it is one of the shopper's orders: bought and not cancelled."""
        return self.is_purchase and self.state != OrderState.CANCELLED


def begin(bucket: int, order_id: UUID, event: ShopEvent) -> OrderDraft:
    """An order of which this is the first event."""
    assert event.order is not None
    return OrderDraft(
        bucket=bucket,
        id=order_id,
        shop_id=event.shop_id,
        order_key=event.order.order_key,
        ordered_at=event.at,
        received_at=event.received_at,
        currency=event.order.currency,
    )


def apply_order_event(draft: OrderDraft, event: ShopEvent, event_key: str) -> None:
    """Fold one event in; the same event (``event_key``: what its id is written as) twice changes nothing."""
    assert event.order is not None
    facts = draft.facts
    _date(draft, event)
    draft.received_at = min(draft.received_at, event.received_at)
    if event.cart_key is not None:
        facts.setdefault("cart_key", event.cart_key)
    if event.kind in PURCHASES:
        facts["purchased"] = True
        _tell(draft, event)
        if event.order.refunded_cents:
            facts["refunded_so_far"] = max(facts.get("refunded_so_far", 0), event.order.refunded_cents)
    elif event.kind is EventKind.ORDER_REFUNDED:
        _refund(draft, event, event_key)
    elif event.kind is EventKind.ORDER_CANCELLED:
        facts["cancelled"] = True
        if "told_at" not in facts:
            draft.total_cents = max(draft.total_cents, event.order.total_cents)
    _judge(draft)


def _date(draft: OrderDraft, event: ShopEvent) -> None:
    """When it was made: its completion says so, the earliest of several; until then the earliest event does."""
    if event.kind is EventKind.ORDER_COMPLETED:
        is_first = not draft.facts.get("completed")
        draft.ordered_at = event.at if is_first else min(draft.ordered_at, event.at)
        draft.facts["completed"] = True
    elif not draft.facts.get("completed"):
        draft.ordered_at = min(draft.ordered_at, event.at)


def _tell(draft: OrderDraft, event: ShopEvent) -> None:
    assert event.order is not None
    told_at = draft.facts.get("told_at")
    is_newest = told_at is None or event.at >= datetime.fromisoformat(told_at)
    if is_newest:
        draft.facts["told_at"] = event.at.isoformat()
        draft.total_cents, draft.currency = event.order.total_cents, event.order.currency
    if event.order.coupons and (is_newest or not draft.coupons):
        draft.coupons = list(event.order.coupons)
    if event.items and (is_newest or not draft.items):
        draft.items = [line_of(item, 0) for item in event.items[:MAX_ITEMS]]


def _refund(draft: OrderDraft, event: ShopEvent, event_key: str) -> None:
    assert event.order is not None
    if event.order.refunded_cents <= 0 or event.facts.get("full_refund"):
        draft.facts["full_refund"] = True
        return
    refunds: dict[str, int] = draft.facts.setdefault("refunds", {})
    if len(refunds) < _MAX_REFUNDS:
        refunds[event_key] = event.order.refunded_cents


def _judge(draft: OrderDraft) -> None:
    facts = draft.facts
    refunded = max(sum(facts.get("refunds", {}).values()), facts.get("refunded_so_far", 0))
    if facts.get("full_refund"):
        refunded = max(refunded, draft.total_cents)
    if "told_at" in facts:
        refunded = min(refunded, draft.total_cents)
    draft.refunded_cents = refunded
    if facts.get("cancelled"):
        draft.state = OrderState.CANCELLED.value
    elif refunded and refunded >= draft.total_cents and "told_at" in facts:
        draft.state = OrderState.REFUNDED.value
    else:
        draft.state = OrderState.PLACED.value
