"""What can a shop tell us? The one normal form that every source of events is translated into."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from rekindle.terms.cart import CartItem
from rekindle.terms.consent import NO_MARKS, ConsentMarks


class EventKind(StrEnum):
    """What an event means to the engine, whatever the source called it."""

    PRODUCT_VIEWED = "product_viewed"
    PRODUCT_ADDED = "product_added"
    PRODUCT_REMOVED = "product_removed"
    CART_VIEWED = "cart_viewed"
    CART_UPDATED = "cart_updated"  #: full state: what is not in it is not in the cart
    CHECKOUT_STARTED = "checkout_started"
    CHECKOUT_STEP = "checkout_step"
    PAYMENT_ENTERED = "payment_entered"
    PAYMENT_FAILED = "payment_failed"
    COUPON_TRIED = "coupon_tried"
    ORDER_COMPLETED = "order_completed"
    ORDER_UPDATED = "order_updated"
    ORDER_REFUNDED = "order_refunded"
    ORDER_CANCELLED = "order_cancelled"
    IDENTIFIED = "identified"
    ALIASED = "aliased"
    PAGE_VIEWED = "page_viewed"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    ERASURE_REQUESTED = "erasure_requested"
    OTHER = "other"  #: kept, counts as activity only


#: Applied in the transaction of the request, before the 2xx (promise 1).
BEFORE_THE_ANSWER = frozenset(
    {
        EventKind.ORDER_COMPLETED,
        EventKind.ORDER_UPDATED,
        EventKind.ORDER_REFUNDED,
        EventKind.ORDER_CANCELLED,
        EventKind.OPTED_OUT,
        EventKind.ERASURE_REQUESTED,
    }
)


class ConsentGiven(Struct, frozen=True, kw_only=True, gc=False):
    """What an event says about one channel: ``granted`` with the wording shown, or withdrawn.

    ``channel`` may also be the purpose ``track_clicks``. ``version`` and ``language`` name a wording that the shop has
    kept (``wording`` may then be empty). ``marks`` are told by who may tell them, ``claimed`` by somebody whose word is
    not enough. ``network`` and ``browser``: what is kept of where it came from. ``source``: of one that was given
    elsewhere and brought here in a file.
    """

    channel: str
    granted: bool
    wording: str = ""
    version: str = ""
    language: str = ""
    form: str = ""
    method: str = ""
    page: str = ""
    network: str = ""
    browser: str = ""
    source: str = ""
    marks: ConsentMarks = NO_MARKS
    claimed: ConsentMarks = NO_MARKS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTold:
    """A browser or an app that may show messages. ``address``: where its push service takes them, or an app's
    registration token; a browser also has a key to encrypt with (65 bytes) and a secret (16 bytes)."""

    address: str = dataclasses.field(repr=False)
    public_key: bytes = dataclasses.field(default=b"", repr=False)
    auth: bytes = dataclasses.field(default=b"", repr=False)


class OrderFacts(Struct, frozen=True, kw_only=True, gc=False):
    """An order as told by an event. Money in minor units of ``currency``; ``total_cents`` is what the shopper pays."""

    order_key: str
    currency: str
    total_cents: int
    refunded_cents: int = 0
    coupons: tuple[str, ...] = ()


class ShopEvent(Struct, frozen=True, gc=False):
    """One event in normal form. A struct, as its parts are: making one takes a sixth of a frozen dataclass's time.

    ``at`` is the corrected instant of the event, never after ``received_at``; ``stamped_at`` the sender's own
    timestamp, stable across retries (it goes into the id). ``visitor_key`` is ``a:<anonymousId>`` or
    ``u:<userId>``; ``customer_key`` the shop's own id of a signed-in customer.
    """

    shop_id: int
    message_key: str
    kind: EventKind
    name: str
    at: datetime
    stamped_at: datetime
    received_at: datetime
    visitor_key: str | None = None
    customer_key: str | None = None
    cart_key: str | None = None
    checkout_key: str | None = None
    items: tuple[CartItem, ...] = ()
    currency: str | None = None
    value_cents: int | None = None
    order: OrderFacts | None = None
    email: str | None = None
    phone: str | None = None
    device: DeviceTold | None = None
    previous_key: str | None = None
    consents: tuple[ConsentGiven, ...] = ()
    traits: dict[str, object] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    recover_url: str | None = None
    gpc: bool | None = None
    is_from_server: bool = False  #: proven by the shop's secret key
    payload: bytes = b"{}"

    @property
    def names_somebody(self) -> bool:
        """Whether it tells how somebody can be reached."""
        return self.email is not None or self.phone is not None or self.device is not None
