"""What becomes of two carts that turn out to be one?

A shop that names its cart late (the first additions came without a cart id) tells of one cart under two names. The
named one takes over what the visitor's own cart held, as if it had had its name from the beginning.
"""

from __future__ import annotations

from rekindle.policy.cart_draft import CartDraft
from rekindle.policy.cart_fold import REFILL
from rekindle.terms.cart import MAX_VIEWS, STAGE_ORDER, CartState


def may_take_over(named: CartDraft, own: CartDraft) -> bool:
    """Whether the visitor's own cart is alive, and near enough in time to be the named one that begins."""
    if own.is_browse or own.state not in (CartState.OPEN, CartState.ABANDONED):
        return False
    return abs(own.touched_at - named.touched_at) <= REFILL


def take_over(named: CartDraft, own: CartDraft) -> None:
    """Give a cart that begins all that the visitor's own cart knows."""
    named.items, named.currency, named.total_cents = own.items, own.currency, own.total_cents
    named.snapshot_at = own.snapshot_at
    named.created_at = min(named.created_at, own.created_at)
    named.touched_at = max(named.touched_at, own.touched_at)
    if STAGE_ORDER[own.stage] > STAGE_ORDER[named.stage]:
        named.stage = own.stage
    named.facts = own.facts | {name: value for name, value in named.facts.items() if name not in own.facts}
    named.checkout_key, named.recover_url = own.checkout_key, own.recover_url
    named.visitor_key = own.visitor_key
    named.shopper_bucket, named.shopper_id = own.shopper_bucket, own.shopper_id
    look_back(named, own)


def look_back(cart: CartDraft, visit: CartDraft) -> None:
    """A cart remembers what was looked at before it began."""
    cart.views = [*cart.views, *(key for key in visit.views if key not in cart.views)][:MAX_VIEWS]
    seen = visit.facts.get("view_count", 0)
    if seen and "view_count" not in cart.facts:
        cart.facts["view_count"] = seen
