"""Which fields of Segment's messages are looked at? Decoded in one go; what is not named here is skipped unread.

Every plain field takes any JSON value: a shop's odd value in one field must not cost the event, so each is judged where
it is used.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from rekindle.web.ingest.problem import EventError

_ABSENT = Raw(b"")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


class Product(msgspec.Struct, gc=False):
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


class Properties(Product, gc=False):
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
    products: list[Product] | None = None
    items: list[Product] | None = None
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
    version: Any = None
    language: Any = None
    form: Any = None
    method: Any = None
    page: Any = None
    referrer: Any = None


class Context(msgspec.Struct, gc=False):
    """What surrounded the event. Segment's ``ip`` is not read here: addresses of the network are never stored."""

    userAgent: Any = None  # noqa: N815
    locale: Any = None
    timezone: Any = None
    country: Any = None
    location: Any = None
    page: Any = None
    campaign: Any = None
    traits: Any = None
    gpc: Any = None


class Trace(msgspec.Struct, gc=False):
    """What a context says of where a consent was given, told by the shop's server; see `lib.traces`."""

    ip: Any = None
    userAgent: Any = None  # noqa: N815


class Message(msgspec.Struct, gc=False):
    """One event as sent. The context stays raw: many events share one, which is then read once."""

    type: Any = None
    event: Any = None
    name: Any = None
    userId: Any = None  # noqa: N815 - the names are Segment's
    anonymousId: Any = None  # noqa: N815
    previousId: Any = None  # noqa: N815
    messageId: Any = None  # noqa: N815
    timestamp: Any = None
    sentAt: Any = None  # noqa: N815
    writeKey: Any = None  # noqa: N815
    traits: Any = None
    properties: Properties | None = None
    context: Raw = _ABSENT


class _Loose(msgspec.Struct, gc=False):
    properties: Raw = _ABSENT


class _WithoutProducts(Properties, gc=False):
    products: Any = None
    items: Any = None


class _Plain(Message, gc=False):
    properties: Any = None


_MESSAGE = msgspec.json.Decoder(Message)
_PLAIN = msgspec.json.Decoder(_Plain)
_LOOSE = msgspec.json.Decoder(_Loose)
_WITHOUT_PRODUCTS = msgspec.json.Decoder(_WithoutProducts)
_CONTEXT = msgspec.json.Decoder(Context)
_TRACE = msgspec.json.Decoder(Trace)

NO_PROPERTIES = Properties()
NO_CONTEXT = Context()


def message_of(raw: bytes) -> tuple[Message, EventError | None]:
    """The message, and what is wrong with its properties or its products; these are then left out of it.

    Raises: msgspec.MsgspecError or RecursionError when it is not a JSON object.
    """
    try:
        return _MESSAGE.decode(raw), None
    except msgspec.ValidationError as error:
        place = _PATH.search(str(error))
        if place is None or not place[1].startswith("properties"):
            raise
        return _piecewise(raw, place[1])


def context_of(raw: bytes) -> Context:
    """Raises msgspec.ValidationError unless it is an object, absent, null or, as PHP writes an empty one, []."""
    return NO_CONTEXT if raw in (b"", b"null", b"[]", b"{}") else _CONTEXT.decode(raw)


def trace_of(raw: bytes) -> Trace:
    """As `context_of`, for the two fields that only a consent's receipt looks at."""
    return _TRACE.decode(raw) if raw not in (b"", b"null", b"[]") else Trace()


def _piecewise(raw: bytes, path: str) -> tuple[Message, EventError | None]:
    """Decode piece by piece. ``path`` is what was wrong: the properties, their list of products, or one of these."""
    plain, told = _PLAIN.decode(raw), bytes(_LOOSE.decode(raw).properties)
    known = {name: getattr(plain, name) for name in Message.__struct_fields__ if name != "properties"}
    if path == "properties":
        is_empty = told == b"[]"  # as PHP writes an empty object
        return Message(**known), None if is_empty else EventError("properties", "must be an object")
    wrong = "a product must be an object" if path.endswith("]") else "must be a list of products"
    return Message(**known, properties=_WITHOUT_PRODUCTS.decode(told)), EventError(path, wrong)
