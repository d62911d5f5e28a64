"""What is a cart, how far did it get, and which states does it pass?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class CartState(StrEnum):
    """`open -> abandoned -> recovered | converted | lost | emptied`; new activity leads from abandoned back to open."""

    OPEN = "open"  #: the shopper is, or may still be, at it
    ABANDONED = "abandoned"  #: idle longer than the shop's threshold
    RECOVERED = "recovered"  #: ordered after a send was handed over or its link was used
    CONVERTED = "converted"  #: ordered without any send of ours
    LOST = "lost"  #: nothing happened for the shop's number of days
    EMPTIED = "emptied"  #: the shopper took everything out, or a browse visit went on in a cart


class Stage(StrEnum):
    """How far the shopper got; the furthest one reached is kept. Also the kind of abandonment."""

    BROWSE = "browse"  #: looked at products, nothing in the cart
    CART = "cart"  #: at least one item in the cart
    CHECKOUT = "checkout"  #: began to check out
    PAYMENT = "payment"  #: entered or tried a payment


#: Stages, as stored, at which no checkout was started; nothing is known of one that is None.
BEFORE_CHECKOUT = frozenset({Stage.BROWSE.value, Stage.CART.value, None})


#: How the key of a cart begins whose shopper was erased.
ERASED_KEY = "erased:"

STAGE_ORDER = {stage: rank for rank, stage in enumerate(Stage)}

MAX_ITEMS = 200  #: lines kept per cart; a shop's real carts stay far below, an attack does not
MAX_QUANTITY = 100_000  #: pieces per line
MAX_VIEWS = 20  #: product views remembered per cart, newest first


class CartItem(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of a cart. Money is minor units of the cart's currency; ``unit_cents`` is None when never told.

    ``changed_ms`` is the event time of the line's last change in milliseconds since 1970, 0 outside a cart: a late
    order or snapshot needs it to know which lines are newer than itself.
    """

    product_key: str
    quantity: int
    sku: str = ""
    variant: str = ""
    title: str = ""
    unit_cents: int | None = None
    url: str = ""
    image_url: str = ""
    category: str = ""
    brand: str = ""
    changed_ms: int = 0

    @property
    def line_key(self) -> tuple[str, str, str]:
        """What makes two additions the same line: product, stock-keeping unit and variant."""
        return (self.product_key, self.sku, self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """A cart's current state, as the decisions see it.

    ``seq`` rises by one with each stored change (optimistic lock). ``views`` are product keys, newest first.
    ``touched_at`` is the latest activity of the shopper; ``snapshot_at`` the event time of the newest full-state
    snapshot: older deltas no longer change the items.
    """

    bucket: int
    id: UUID
    shop_id: int
    cart_key: str
    state: CartState = CartState.OPEN
    stage: Stage = Stage.BROWSE
    items: tuple[CartItem, ...] = ()
    currency: str | None = None
    total_cents: int = 0
    created_at: datetime
    touched_at: datetime
    check_at: datetime | None
    abandoned_at: datetime | None = None
    snapshot_at: datetime | None = None
    closed_at: datetime | None = None
    visitor_key: str | None = None
    shopper_bucket: int | None = None
    shopper_id: UUID | None = None
    order_key: str | None = None
    checkout_key: str | None = None
    recover_url: str | None = None
    views: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    seq: int = 0

    @property
    def item_count(self) -> int:
        return sum(item.quantity for item in self.items)
