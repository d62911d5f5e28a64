"""What does a cart look like while events are folded into it?

A mutable twin of `terms.cart.Cart`, because one cart may take hundreds of events of a batch, and a frozen copy for each
would cost more than the rest of the fold. Lines are kept in the form in which they are stored: plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from rekindle.terms.cart import Cart, CartItem, CartState, Stage
from rekindle.terms.reasons import Reason

BROWSE = "browse:"  #: how the key of a visit begins that only looked
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_US = timedelta(microseconds=1)
CLOSED = frozenset({CartState.RECOVERED, CartState.CONVERTED, CartState.LOST, CartState.EMPTIED})
BOUGHT = frozenset({CartState.RECOVERED, CartState.CONVERTED})


class Line(TypedDict, total=False):
    """A cart's line as it is stored; what is empty is left out. See `terms.cart.CartItem`."""

    product_key: str
    quantity: int
    sku: str
    variant: str
    title: str
    unit_cents: int
    url: str
    image_url: str
    category: str
    brand: str
    changed_ms: int


class Counted(NamedTuple):
    """What sums over carts ask of one."""

    created_at: datetime
    state: CartState
    is_browse: bool
    currency: str | None
    waiting_cents: int


class CartDraft:
    """A cart under change: the fields of `Cart`, and what the change leads to.

    ``left`` says why waiting enrolments of this cart end; ``is_new`` that no row exists yet; ``is_changed`` that the
    row must be written; ``is_begun`` that its run began now; ``gained_shopper`` that somebody is known now who was not.
    ``was``: how its stored row is counted, None where there is none. ``is_browse``: a visit that only looked: its row
    is never a cart, the cart it leads to has a row of its own.
    """

    __slots__ = (
        "abandoned_at",
        "bucket",
        "cart_key",
        "check_at",
        "checkout_key",
        "closed_at",
        "created_at",
        "currency",
        "facts",
        "gained_shopper",
        "id",
        "is_begun",
        "is_browse",
        "is_changed",
        "is_new",
        "items",
        "left",
        "order_key",
        "recover_url",
        "seq",
        "shop_id",
        "shopper_bucket",
        "shopper_id",
        "snapshot_at",
        "stage",
        "state",
        "total_cents",
        "touched_at",
        "views",
        "visitor_key",
        "was",
    )

    def __init__(self, bucket: int, cart_id: UUID, shop_id: int, cart_key: str, at: datetime) -> None:
        """A cart that begins at ``at``; it has no timer yet, the first event that opens it sets one."""
        self.bucket = bucket
        self.id = cart_id
        self.shop_id = shop_id
        self.cart_key = cart_key
        self.is_browse = cart_key.startswith(BROWSE)
        self.state = CartState.OPEN
        self.stage = Stage.BROWSE
        self.items: list[Line] = []
        self.currency: str | None = None
        self.total_cents = 0
        self.created_at = at
        self.touched_at = at
        self.check_at: datetime | None = None
        self.abandoned_at: datetime | None = None
        self.snapshot_at: datetime | None = None
        self.closed_at: datetime | None = None
        self.visitor_key: str | None = None
        self.shopper_bucket: int | None = None
        self.shopper_id: UUID | None = None
        self.order_key: str | None = None
        self.checkout_key: str | None = None
        self.recover_url: str | None = None
        self.views: list[str] = []
        self.facts: dict[str, Any] = {}
        self.seq = 0
        self.is_new = self.is_begun = True
        self.is_changed = False
        self.left: Reason | None = None
        self.gained_shopper = False
        self.was: Counted | None = None

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED

    def counted(self) -> Counted:
        """How it is counted as it is now."""
        waiting = self.total_cents if self.state is CartState.ABANDONED else 0
        return Counted(self.created_at, self.state, self.stage is Stage.BROWSE, self.currency, waiting)

    def end_with(self, state: CartState, at: datetime, left: Reason) -> None:
        """Close the cart: no timer any more, and whatever runs for it ends."""
        self.state = state
        self.closed_at = at
        self.check_at = None
        self.left = left
        self.is_changed = True


def to_ms(at: datetime) -> int:
    """Whole milliseconds since 1970.

    >>> to_ms(EPOCH + timedelta(seconds=2))
    2000
    """
    return (at - EPOCH) // _MS


def to_us(at: datetime) -> int:
    """Whole microseconds since 1970."""
    return (at - EPOCH) // _US


def from_ms(milliseconds: int) -> datetime:
    """The instant of `to_ms`, cut to the millisecond."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def line_of(item: CartItem, changed_ms: int) -> Line:
    """The stored form of one product line."""
    line: Line = {"product_key": item.product_key, "quantity": item.quantity, "changed_ms": changed_ms}
    if item.sku:
        line["sku"] = item.sku
    if item.variant:
        line["variant"] = item.variant
    if item.title:
        line["title"] = item.title
    if item.unit_cents is not None:
        line["unit_cents"] = item.unit_cents
    if item.url:
        line["url"] = item.url
    if item.image_url:
        line["image_url"] = item.image_url
    if item.category:
        line["category"] = item.category
    if item.brand:
        line["brand"] = item.brand
    return line


def items_of(lines: Iterable[Line]) -> tuple[CartItem, ...]:
    """Product lines from their stored form."""
    return tuple(CartItem(**line) for line in lines)


def draft_of(cart: Cart) -> CartDraft:
    """A draft that continues a stored cart."""
    draft = CartDraft(cart.bucket, cart.id, cart.shop_id, cart.cart_key, cart.created_at)
    for name in Cart.__dataclass_fields__:
        setattr(draft, name, getattr(cart, name))
    draft.items = [line_of(item, item.changed_ms) for item in cart.items]
    draft.views = list(cart.views)
    draft.facts = dict(cart.facts)
    draft.is_new = draft.is_begun = cart.seq == 0
    return draft


def cart_of(draft: CartDraft) -> Cart:
    """The cart as the decisions see it. A changed draft counts one step further."""
    values = {name: getattr(draft, name) for name in Cart.__dataclass_fields__}
    values |= {"items": items_of(draft.items), "views": tuple(draft.views), "facts": dict(draft.facts)}
    return Cart(**values | {"seq": draft.seq + 1 if draft.is_changed else draft.seq})
