"""What does an order make of this cart? And what does it make of the shopper's other carts?

`engine/purchase.py` asks for every cart of the person; `engine/project.py` asks again for a cart whose order arrived
first. The answers depend on event times only, so that cart and order may arrive in any order.

- The order's own cart is closed: recovered when a send of it was handed over or its link used, converted otherwise.
- Another cart of the person is closed too when everything in it was bought (the same cart on a second device, or
  gathered before signing in). A cart with other things in it stays as it is: it is still left behind, and its value is
  still open. What runs for it ends all the same: nobody is written to after a purchase.
- What was put in after the order begins a new run of the same cart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rekindle.policy.cart_draft import BOUGHT, CartDraft, to_ms
from rekindle.policy.cart_lines import keep_newer, product_keys, retotal
from rekindle.terms.cart import STAGE_ORDER, CartState, Stage
from rekindle.terms.reasons import Reason

#: A cart emptied this shortly before the order was emptied by it: shops clear the cart when they take the order.
CLEARED_BY_ORDER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMark:
    """What a cart must know of an order. ``product_keys``: what was bought; empty when the shop did not say.
    ``cart_key``: the cart that the order names, if it names one."""

    order_key: str
    at: datetime
    product_keys: frozenset[str] = frozenset()
    cart_key: str | None = None


def is_of(draft: CartDraft, mark: OrderMark, *, is_named: bool) -> bool:
    """Whether this cart can be the one that the order was made from.

    ``is_named``: the order names the cart or its checkout; otherwise it was found through the person, and must have
    been alive when the order was made.
    """
    if draft.order_key == mark.order_key:
        return True
    if draft.is_browse or draft.created_at > mark.at or draft.state in BOUGHT:
        return False
    if is_named or draft.state in (CartState.OPEN, CartState.ABANDONED):
        return True
    if draft.state is CartState.EMPTIED and draft.closed_at is not None:
        return draft.closed_at >= mark.at - CLEARED_BY_ORDER
    return False


def holds_bought(draft: CartDraft, mark: OrderMark) -> bool:
    """Whether any product of the cart is among the bought ones; also when nobody said what was bought."""
    return not mark.product_keys or not mark.product_keys.isdisjoint(product_keys(draft.items))


def is_all_bought(draft: CartDraft, mark: OrderMark) -> bool:
    """Whether the order leaves nothing of this other cart of the person behind."""
    keys = product_keys(draft.items)
    return bool(keys) and keys <= mark.product_keys


def close(draft: CartDraft, mark: OrderMark, *, is_recovered: bool) -> bool:
    """End the run that the order was made from. False when the cart goes on, because newer things lie in it."""
    if draft.state in BOUGHT and draft.order_key == mark.order_key:
        if is_recovered and draft.state is CartState.CONVERTED:
            draft.state, draft.is_changed = CartState.RECOVERED, True
        return True
    if draft.state in BOUGHT or draft.created_at > mark.at:
        return False
    newer = [line for line in draft.items if line.get("changed_ms", 0) > to_ms(mark.at)]
    if newer and not _is_echo(draft, mark, newer_keys={line["product_key"] for line in newer}):
        _go_on(draft, mark)
        return False
    if draft.abandoned_at is not None and draft.abandoned_at > mark.at:
        draft.abandoned_at = None  # it was bought by then; the order only arrived later
    draft.touched_at = min(draft.touched_at, mark.at)
    draft.order_key = mark.order_key
    draft.end_with(CartState.RECOVERED if is_recovered else CartState.CONVERTED, mark.at, Reason.ORDERED)
    return True


def close_visit(draft: CartDraft, at: datetime, reason: Reason) -> None:
    """End a visit that only looked: it went on in a cart, or the shopper bought."""
    if draft.state in (CartState.OPEN, CartState.ABANDONED) and draft.touched_at <= at:
        draft.end_with(CartState.EMPTIED, at, reason)


def is_bought_late(draft: CartDraft, mark: OrderMark) -> bool:
    """Whether a cart that turns up after the order of its visitor is that order's, or was bought by it."""
    if mark.cart_key is None or mark.cart_key == draft.cart_key:
        return True
    return is_all_bought(draft, mark)


def latest(marks: Iterable[OrderMark]) -> OrderMark | None:
    return max(marks, key=lambda mark: mark.at, default=None)


def _go_on(draft: CartDraft, mark: OrderMark) -> None:
    """The order took the older lines; the rest is a new run that began with its oldest line."""
    at_ms = to_ms(mark.at)
    keep_newer(draft, at_ms)
    reached: dict[str, int] = {k: v for k, v in draft.facts.get("stage_at", {}).items() if v > at_ms}
    draft.facts["stage_at"] = reached
    draft.facts["since_ms"] = at_ms
    draft.stage = max((Stage(name) for name in reached), key=STAGE_ORDER.__getitem__, default=Stage.CART)
    first_ms = min(line.get("changed_ms", 0) for line in draft.items)
    draft.created_at = mark.at + timedelta(milliseconds=first_ms - at_ms)
    retotal(draft)
    draft.is_changed = True


def _is_echo(draft: CartDraft, mark: OrderMark, *, newer_keys: set[str]) -> bool:
    """A snapshot just after the order that repeats what was bought is the shop's delay, not a new cart."""
    if draft.snapshot_at is None or not mark.at < draft.snapshot_at <= mark.at + CLEARED_BY_ORDER:
        return False
    return newer_keys <= mark.product_keys
