"""Is this one of the usual messages, as most of a shop's are? Then it is read in half of the time.

A usual message is a track event about products or a cart, in Segment's own spelling, that says nothing about a person,
a checkout or an order. Its types and lengths are checked while it is decoded, in C, so that nothing is left to be asked
field by field. Whatever is odd about a message, from another spelling to a wrong amount, makes it no usual one: None is
returned, and `segment.read_event` reads it, refuses it or finds what is wrong. Both say the same of every usual
message; the tests compare them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from rekindle.terms.cart import MAX_ITEMS, MAX_QUANTITY, CartItem
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.limits import MAX_KEY, MAX_MESSAGE_ID, MAX_TEXT, MAX_TITLE
from rekindle.web.ingest.moments import instants_of
from rekindle.web.ingest.names import kind_of
from rekindle.web.ingest.problem import EventError
from rekindle.web.ingest.surroundings import surroundings_of
from rekindle.web.ingest.values import read_amount, read_currency, read_url

_KINDS = frozenset(
    {
        EventKind.PRODUCT_VIEWED,
        EventKind.PRODUCT_ADDED,
        EventKind.PRODUCT_REMOVED,
        EventKind.CART_VIEWED,
        EventKind.CART_UPDATED,
        EventKind.CHECKOUT_STARTED,
    }
)
_REMOVED = EventKind.PRODUCT_REMOVED
_MAX_REMEMBERED = 300  #: characters of an address

_Key = Annotated[str, Meta(min_length=1, max_length=MAX_KEY)]
_Text = Annotated[str, Meta(max_length=MAX_TEXT)]
_Title = Annotated[str, Meta(max_length=MAX_TITLE)]


class _Product(msgspec.Struct, gc=False):
    product_id: _Key | None = None
    sku: _Key | None = None
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] | None = None
    price: int | float | str | None = None
    name: _Title | None = None
    variant: _Text | None = None
    url: str | None = None
    image_url: str | None = None
    category: _Text | None = None
    brand: _Text | None = None
    # with one of these it is not spelled as usual
    productId: None = None  # noqa: N815
    id: None = None
    item_id: None = None
    title: None = None
    item_name: None = None
    item_variant: None = None
    product_url: None = None
    imageUrl: None = None  # noqa: N815
    item_category: None = None
    item_brand: None = None


class _Properties(_Product, gc=False):
    cart_id: _Key | None = None
    currency: str | None = None
    products: Annotated[list[_Product], Meta(max_length=MAX_ITEMS)] | None = None
    # with one of these it is about more than products
    cartId: None = None  # noqa: N815
    items: None = None
    checkout_id: None = None
    checkoutId: None = None  # noqa: N815
    checkout_token: None = None
    order_id: None = None
    orderId: None = None  # noqa: N815
    transaction_id: None = None
    total: None = None
    value: None = None
    recover_url: None = None
    checkout_url: None = None
    abandoned_checkout_url: None = None
    step: None = None
    shipping_method: None = None
    payment_method: None = None
    reason: None = None
    email: None = None
    phone: None = None
    consent: None = None


class _Message(msgspec.Struct, gc=False):
    type: Literal["track"]
    event: Annotated[str, Meta(max_length=MAX_KEY)]
    messageId: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE_ID)]  # noqa: N815 - the names are Segment's
    timestamp: str
    properties: _Properties
    anonymousId: _Key | None = None  # noqa: N815
    userId: _Key | None = None  # noqa: N815
    traits: None = None
    context: Raw = Raw(b"")


class _Kept(msgspec.Struct, gc=False):
    """What is kept beside the columns: see `payload`."""

    items: tuple[CartItem, ...]
    currency: str


_MESSAGE = msgspec.json.Decoder(_Message)
_encode = msgspec.json.Encoder().encode


def usual_event(raw: bytes, arrival: Arrival) -> ShopEvent | None:
    """The event of a usual message, as `segment.read_event` would read it; None for any other."""
    try:
        message = _MESSAGE.decode(raw)
        kind, properties = kind_of(message.event), message.properties
        anonymous, customer = message.anonymousId, message.userId
        cart_key = properties.cart_id
        if kind not in _KINDS or not (anonymous or customer):
            return None
        if cart_key is not None and cart_key.startswith(("visitor:", "browse:")):
            return None
        surroundings = surroundings_of(bytes(message.context))
        if surroundings.traits:
            return None
        shop = arrival.shop
        at, stamped_at = instants_of(message.timestamp, arrival.skew, arrival.received_at)
        currency = read_currency(properties.currency, shop.currency)
        items = _items(properties, shop.url, currency, 0 if kind is _REMOVED else 1)
    except (msgspec.MsgspecError, RecursionError, EventError):
        return None
    return ShopEvent(  # with more than 15 names CPython would put all of them into a dictionary first
        shop.id,
        message.messageId,
        kind,
        message.event,
        at,
        stamped_at,
        arrival.received_at,
        visitor_key=f"a:{anonymous}" if anonymous else f"u:{customer}",
        customer_key=customer,
        cart_key=cart_key,
        items=items,
        currency=currency,
        facts=surroundings.with_page,
        gpc=True if arrival.gpc else surroundings.gpc,
        is_from_server=arrival.is_server,
        payload=_encode(_Kept(items, currency)) if items else b"{}",
    )


def _items(properties: _Properties, shop_url: str, currency: str, untold: int) -> tuple[CartItem, ...]:
    if properties.products is not None:
        return tuple([_item(product, shop_url, currency, untold) for product in properties.products])
    if properties.product_id or properties.sku:
        return (_item(properties, shop_url, currency, untold),)
    return ()


def _item(product: _Product, shop_url: str, currency: str, untold: int) -> CartItem:
    """One line. Raises EventError for one that the other reader has to look at."""
    sku, quantity, url, image_url = product.sku or "", product.quantity, product.url, product.image_url
    product_key = product.product_id or sku
    if not product_key:
        raise EventError("product_id", "a product needs its product_id or sku")
    return CartItem(
        product_key=product_key,
        quantity=untold if quantity is None else quantity,
        sku=sku,
        variant=product.variant or "",
        title=product.name or "",
        unit_cents=read_amount(product.price, currency, "price"),
        url=_address(url, shop_url) if url else "",
        image_url=_address(image_url, shop_url) if image_url else "",
        category=product.category or "",
        brand=product.brand or "",
    )


def _address(told: str, shop_url: str) -> str:
    return _remembered(told, shop_url) if len(told) <= _MAX_REMEMBERED else read_url(told, shop_url)


_remembered = lru_cache(maxsize=4_096)(read_url)  # of a catalogue, which is shown again and again
