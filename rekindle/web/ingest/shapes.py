"""Which fields of Segment's messages are looked at? Decoded in one go; what is not named here is skipped unread.

Every field takes any JSON value: a shop's odd value in one field must not cost the event, so each is judged where it
is used. Nested parts that are decoded later, or only for some events, stay raw.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

_ABSENT = Raw(b"")


class Message(msgspec.Struct):
    """One event as sent."""

    type: Any = None
    event: Any = None
    name: Any = None
    userId: Any = None  # noqa: N815 - the names are Segment's
    anonymousId: Any = None  # noqa: N815
    previousId: Any = None  # noqa: N815
    messageId: Any = None  # noqa: N815
    timestamp: Any = None
    traits: Any = None
    properties: Raw = _ABSENT
    context: Raw = _ABSENT


class Product(msgspec.Struct):
    """One product: Segment's names, then GA4's and common spellings."""

    product_id: Any = None
    productId: Any = None  # noqa: N815
    id: Any = None
    item_id: Any = None
    sku: Any = None
    quantity: Any = None
    price: Any = None
    name: Any = None
    title: Any = None
    item_name: Any = None
    variant: Any = None
    item_variant: Any = None
    url: Any = None
    product_url: Any = None
    image_url: Any = None
    imageUrl: Any = None  # noqa: N815
    category: Any = None
    item_category: Any = None
    brand: Any = None
    item_brand: Any = None


class Properties(Product):
    """What a track or page event is about; a single product lies directly in it."""

    cart_id: Any = None
    cartId: Any = None  # noqa: N815
    checkout_id: Any = None
    checkoutId: Any = None  # noqa: N815
    checkout_token: Any = None
    order_id: Any = None
    orderId: Any = None  # noqa: N815
    transaction_id: Any = None
    currency: Any = None
    total: Any = None
    revenue: Any = None
    value: Any = None
    products: Raw = _ABSENT
    items: Raw = _ABSENT
    coupon: Any = None
    coupons: Any = None
    coupon_id: Any = None
    coupon_name: Any = None
    recover_url: Any = None
    checkout_url: Any = None
    abandoned_checkout_url: Any = None
    step: Any = None
    shipping_method: Any = None
    payment_method: Any = None
    reason: Any = None
    email: Any = None
    phone: Any = None
    consent: Any = None
    channel: Any = None
    wording: Any = None
    method: Any = None
    page: Any = None
    referrer: Any = None


class Context(msgspec.Struct):
    """What surrounded the event. Segment's ``ip`` is not read: addresses of the network are never stored."""

    userAgent: Any = None  # noqa: N815
    locale: Any = None
    timezone: Any = None
    country: Any = None
    location: Any = None
    page: Any = None
    campaign: Any = None
    traits: Any = None
    gpc: Any = None


_MESSAGE = msgspec.json.Decoder(Message)
_PROPERTIES = msgspec.json.Decoder(Properties)
_CONTEXT = msgspec.json.Decoder(Context)
_PRODUCTS = msgspec.json.Decoder(list[Product])

NO_PROPERTIES = Properties()
NO_CONTEXT = Context()


def message_of(raw: bytes) -> Message:
    """Raises msgspec.MsgspecError or RecursionError."""
    return _MESSAGE.decode(raw)


def properties_of(raw: Raw) -> Properties:
    """Raises msgspec.ValidationError unless it is an object, absent, null or, as PHP writes an empty one, []."""
    return NO_PROPERTIES if is_nothing(raw) else _PROPERTIES.decode(raw)


def context_of(raw: Raw) -> Context:
    """Raises msgspec.ValidationError as `properties_of`."""
    return NO_CONTEXT if is_nothing(raw) else _CONTEXT.decode(raw)


def products_of(raw: Raw) -> list[Product]:
    """Raises msgspec.ValidationError unless it is a list of objects."""
    return _PRODUCTS.decode(raw)


def is_nothing(raw: Raw) -> bool:
    return bytes(raw) in (b"", b"null", b"[]", b"{}")
