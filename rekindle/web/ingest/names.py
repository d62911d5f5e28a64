"""What does an event's name mean? Segment's e-commerce names, version 2 and 1, GA4's, and our own."""

from __future__ import annotations

from functools import lru_cache

from rekindle.terms.event import EventKind

_KINDS: dict[EventKind, tuple[str, ...]] = {
    EventKind.PRODUCT_VIEWED: ("product viewed", "viewed product", "view item"),
    EventKind.PRODUCT_ADDED: ("product added", "added product", "add to cart", "wishlist product added to cart"),
    EventKind.PRODUCT_REMOVED: ("product removed", "removed product", "remove from cart"),
    EventKind.CART_VIEWED: ("cart viewed", "viewed cart", "view cart"),
    EventKind.CART_UPDATED: ("cart updated", "updated cart", "cart synced", "ecommerce.cart updated"),
    EventKind.CHECKOUT_STARTED: ("checkout started", "started checkout", "begin checkout", "started order"),
    EventKind.CHECKOUT_STEP: (
        "checkout step viewed",
        "checkout step completed",
        "viewed checkout step",
        "completed checkout step",
        "add shipping info",
    ),
    EventKind.PAYMENT_ENTERED: ("payment info entered", "entered payment info", "add payment info"),
    EventKind.PAYMENT_FAILED: ("payment failed", "payment declined", "payment info declined"),
    EventKind.COUPON_TRIED: ("coupon entered", "coupon applied", "coupon denied", "coupon removed"),
    EventKind.ORDER_COMPLETED: ("order completed", "completed order", "order placed", "placed order", "purchase"),
    EventKind.ORDER_UPDATED: ("order updated", "updated order"),
    EventKind.ORDER_REFUNDED: ("order refunded", "refunded order", "refund"),
    EventKind.ORDER_CANCELLED: ("order cancelled", "order canceled", "cancelled order", "canceled order"),
    EventKind.OPTED_OUT: ("unsubscribed", "email unsubscribed", "sms unsubscribed", "push unsubscribed"),
    EventKind.OPTED_IN: ("subscribed", "email subscribed", "sms subscribed", "push subscribed"),
    EventKind.ERASURE_REQUESTED: ("user deleted", "erasure requested", "user erasure requested"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}

#: Kinds whose products are read; for the others they only stay in the payload.
WITH_ITEMS = frozenset(
    {
        EventKind.PRODUCT_VIEWED,
        EventKind.PRODUCT_ADDED,
        EventKind.PRODUCT_REMOVED,
        EventKind.CART_VIEWED,
        EventKind.CART_UPDATED,
        EventKind.CHECKOUT_STARTED,
        EventKind.ORDER_COMPLETED,
        EventKind.ORDER_UPDATED,
        EventKind.ORDER_REFUNDED,
        EventKind.ORDER_CANCELLED,
    }
)
ABOUT_ORDERS = frozenset(
    {EventKind.ORDER_COMPLETED, EventKind.ORDER_UPDATED, EventKind.ORDER_REFUNDED, EventKind.ORDER_CANCELLED}
)
#: Kinds in which an order id names the checkout that is going on: there is no order yet.
IN_CHECKOUT = frozenset(
    {EventKind.CHECKOUT_STARTED, EventKind.CHECKOUT_STEP, EventKind.PAYMENT_ENTERED, EventKind.PAYMENT_FAILED}
)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> EventKind:
    """The meaning of an event's name, whatever its case and separators; OTHER for one that is not known.

    >>> [str(kind_of(name)) for name in ("Order Completed", "add_to_cart", "Horse Fed")]
    ['order_completed', 'product_added', 'other']
    """
    return _KIND_OF.get(" ".join(name.lower().replace("_", " ").replace("-", " ").split()), EventKind.OTHER)


@lru_cache(maxsize=256)
def last_word(name: str) -> str:
    """What became of it: the last word of a name, in lower case ("Coupon Denied" -> "denied")."""
    words = name.lower().replace("_", " ").split()
    return words[-1] if words else ""
