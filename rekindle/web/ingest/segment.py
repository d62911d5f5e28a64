"""What does a message of Segment's protocol say in our terms?

`read_event` is pure: one opened message in, one `ShopEvent` out. It raises EventError for what makes an event useless
or dangerous, and notes in `Findings` what can be left out of it. Orders, opt-outs and erasures are only ever refused
when it is unclear whom they are about: what they stop must stop.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rekindle.terms.cart import CartItem
from rekindle.terms.event import ConsentGiven, EventKind, OrderFacts, ShopEvent
from rekindle.terms.shop import ShopSettings
from rekindle.web.ingest import ecommerce, people
from rekindle.web.ingest.limits import MAX_KEY, MAX_MESSAGE_ID, MAX_TEXT
from rekindle.web.ingest.moments import instants_of
from rekindle.web.ingest.names import ABOUT_ORDERS, IN_CHECKOUT, WITH_ITEMS, kind_of, last_word
from rekindle.web.ingest.payload import understood_payload, unknown_payload
from rekindle.web.ingest.problem import EventError, Findings
from rekindle.web.ingest.shapes import Context, Message, Properties, context_of, properties_of
from rekindle.web.ingest.surroundings import page_facts, surroundings_of
from rekindle.web.ingest.values import object_or_empty, read_amount, read_currency, read_key, read_text, read_url

TYPES = ("track", "identify", "page", "screen", "alias", "group")
_KIND_OF_TYPE = {
    "identify": EventKind.IDENTIFIED,
    "page": EventKind.PAGE_VIEWED,
    "screen": EventKind.PAGE_VIEWED,
    "alias": EventKind.ALIASED,
    "group": EventKind.OTHER,
}
_CONSENT_KINDS = frozenset({EventKind.OPTED_OUT, EventKind.OPTED_IN})
_CHECKOUT_FACTS = ("step", "shipping_method", "payment_method", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What all events of one request share. ``gpc`` is the browser's own signal, sent as a header."""

    shop: ShopSettings
    received_at: datetime
    skew: timedelta
    gpc: bool = False


@dataclass(slots=True)
class _Goods:
    """The lines and sums of an event, in minor units of ``currency``."""

    currency: str
    items: tuple[CartItem, ...] = ()
    value_cents: int | None = None
    order: OrderFacts | None = None


@dataclass(slots=True)
class _Parts:
    """A message taken apart."""

    kind: EventKind
    name: str
    properties: Properties
    context: Context
    traits: dict[str, Any]


@dataclass(slots=True)
class _Person:
    """What an event says about a person."""

    email: str | None = None
    phone: str | None = None
    consents: tuple[ConsentGiven, ...] = ()


def read_event(message: Message, arrival: Arrival, findings: Findings, *, implied_type: str = "") -> ShopEvent:
    """Translate one message. ``implied_type`` is the type that the request's path stands for, if any.

    Raises: EventError, with the path of the field.
    """
    kind, name = _meaning_of(message, implied_type)
    properties: Properties = _part("properties", properties_of, message.properties)
    context: Context = _part("context", context_of, message.context)
    traits = object_or_empty(message.traits) or object_or_empty(context.traits)
    parts = _Parts(kind, name, properties, context, traits)
    message_key = _message_key(message)
    at, stamped_at = instants_of(message.timestamp, arrival.skew, arrival.received_at)
    anonymous = read_key(message.anonymousId, "anonymousId")
    customer = read_key(message.userId, "userId")

    goods = _goods_of(kind, properties, arrival.shop, message_key, findings)
    told = _told_of(parts, goods)
    facts = surroundings_of(context, traits)
    if context.page and kind is not EventKind.PAGE_VIEWED:
        page = object_or_empty(context.page)
        facts |= page_facts(page.get("url"), page.get("referrer"), page.get("title"))
    facts |= told
    person = _person_of(parts, str(facts.get("country", arrival.shop.country)), findings)
    event = ShopEvent(
        shop_id=arrival.shop.id,
        message_key=message_key,
        kind=kind,
        name=name,
        at=at,
        stamped_at=stamped_at,
        received_at=arrival.received_at,
        visitor_key=f"a:{anonymous}" if anonymous else f"u:{customer}" if customer else None,
        customer_key=customer,
        cart_key=ecommerce.cart_key_of(properties),
        checkout_key=_checkout_key(kind, properties),
        items=goods.items,
        currency=goods.currency,
        value_cents=goods.value_cents,
        order=goods.order,
        email=person.email,
        phone=person.phone,
        previous_key=_previous_key(message) if kind is EventKind.ALIASED else None,
        consents=person.consents,
        traits=people.traits_of(traits) if traits else {},
        facts=facts,
        recover_url=_recover_url(properties, arrival.shop),
        gpc=True if arrival.gpc else people.gpc_of(context.gpc, traits.get("gpc")),
        payload=_payload(kind, message, goods, told),
    )
    _require_somebody(event)
    return event


def _part(name: str, read: Any, raw: msgspec.Raw) -> Any:
    try:
        return read(raw)
    except msgspec.ValidationError:
        raise EventError(name, "must be an object") from None


def _meaning_of(message: Message, implied: str) -> tuple[EventKind, str]:
    type_of = implied or message.type
    if type_of == "track":
        name = read_key(message.event, "event")
        if name is None or not name.strip():
            raise EventError("event", "a track event needs its name")
        return kind_of(name), name
    if not isinstance(type_of, str) or type_of not in _KIND_OF_TYPE:
        raise EventError("type", "must be one of " + ", ".join(TYPES))
    name = read_text(message.name, MAX_KEY) if type_of in ("page", "screen") else ""
    return _KIND_OF_TYPE[type_of], name or type_of


def _message_key(message: Message) -> str:
    """The sender's id of the message, else a hash of what it says: the same message always gets the same one."""
    value = message.messageId
    if type(value) is str and 0 < len(value) <= MAX_MESSAGE_ID:
        return value
    if value is None or value == "":
        message.messageId = None
        return "sha256:" + hashlib.sha256(msgspec.json.encode(message)).hexdigest()
    key = read_key(value, "messageId")
    if key is not None and len(key) <= MAX_MESSAGE_ID:
        return key
    raise EventError("messageId", f"must not exceed {MAX_MESSAGE_ID} characters")


def _goods_of(
    kind: EventKind, properties: Properties, shop: ShopSettings, message_key: str, findings: Findings
) -> _Goods:
    """The lines and sums. An order whose lines or amounts cannot be read still counts, without them."""
    if kind in ABOUT_ORDERS:
        return _ordered_goods(kind, properties, shop, message_key, findings)
    if kind not in WITH_ITEMS and kind not in IN_CHECKOUT:
        return _Goods(shop.currency)
    goods = _Goods(read_currency(properties.currency, shop.currency))
    if kind in WITH_ITEMS:
        untold = 0 if kind is EventKind.PRODUCT_REMOVED else 1  # a removal that names no quantity takes all out
        goods.items = ecommerce.items_of(properties, shop, goods.currency, untold=untold)
    told = properties.value if properties.value is not None else properties.total
    if told is not None:
        try:
            goods.value_cents = read_amount(told, goods.currency, "properties.value")
        except EventError as error:  # the items have prices of their own
            findings.found.append(error)
    return goods


def _ordered_goods(
    kind: EventKind, properties: Properties, shop: ShopSettings, message_key: str, findings: Findings
) -> _Goods:
    goods = _Goods(shop.currency)
    total: int | None = None
    try:
        goods.currency = read_currency(properties.currency, shop.currency)
        total = ecommerce.total_of(properties, goods.currency)
        goods.items = ecommerce.items_of(properties, shop, goods.currency)
    except EventError as error:
        findings.found.append(error)
    key = ecommerce.order_key_of(properties) or f"event:{message_key}"
    order = ecommerce.order_of(properties, order_key=key, total_cents=total, items=goods.items, currency=goods.currency)
    if kind is EventKind.ORDER_REFUNDED:
        order = replace(order, total_cents=0, refunded_cents=order.total_cents)
    goods.order = order
    return goods


def _told_of(parts: _Parts, goods: _Goods) -> dict[str, object]:
    """Facts that belong to this one event."""
    kind, properties = parts.kind, parts.properties
    if kind is EventKind.PAGE_VIEWED:
        return page_facts(properties.url, properties.referrer, properties.title)
    if kind is EventKind.COUPON_TRIED:
        coupon = properties.coupon_id or properties.coupon or properties.coupon_name
        return {"coupon": read_text(coupon, MAX_TEXT), "coupon_outcome": last_word(parts.name)}
    if kind in IN_CHECKOUT:
        told = {field: read_text(getattr(properties, field), MAX_TEXT) for field in _CHECKOUT_FACTS}
        return {field: text for field, text in told.items() if text}
    if goods.order is not None and kind is EventKind.ORDER_REFUNDED and not goods.order.refunded_cents:
        return {"full_refund": True}
    return {}


def _person_of(parts: _Parts, country: str, findings: Findings) -> _Person:
    """Addresses and consents: from the traits, the traits in the context, then the properties."""
    traits, properties = parts.traits, parts.properties
    person = _Person()
    inner = object_or_empty(parts.context.traits)
    if traits or properties.email or properties.phone or properties.consent:
        places = (("traits.", traits.get), ("context.traits.", inner.get))
        emails, phones, consents = (
            [*((path, get(field)) for path, get in places), ("properties.", getattr(properties, field))]
            for field in ("email", "phone", "consent")
        )
        person.email = people.email_of(emails, findings)
        person.phone = people.phone_of(phones, country, findings)
        person.consents = people.consents_of(consents, findings)
    if parts.kind in _CONSENT_KINDS:
        named = {consent.channel for consent in person.consents}
        own = people.opted_of(parts.kind, parts.name, properties)
        person.consents += tuple(consent for consent in own if consent.channel not in named)
    return person


def _checkout_key(kind: EventKind, properties: Properties) -> str | None:
    """The checkout an event belongs to. Shops that number orders early join checkout and order by the order's id."""
    key = ecommerce.checkout_key_of(properties)
    if key is None and (kind in IN_CHECKOUT or kind in ABOUT_ORDERS):
        return ecommerce.order_key_of(properties)
    return key


def _previous_key(message: Message) -> str:
    previous = read_key(message.previousId, "previousId")
    if previous is None:
        raise EventError("previousId", "an alias needs the id that was used before")
    return f"a:{previous}"


def _recover_url(properties: Properties, shop: ShopSettings) -> str | None:
    told = properties.recover_url or properties.checkout_url or properties.abandoned_checkout_url
    return (read_url(told, shop.url) or None) if told else None


def _payload(kind: EventKind, message: Message, goods: _Goods, told: dict[str, object]) -> bytes:
    if kind is EventKind.OTHER:
        return unknown_payload(bytes(message.properties))
    return understood_payload(goods.items, goods.currency, goods.value_cents, goods.order, told)


def _require_somebody(event: ShopEvent) -> None:
    """An event that belongs to nobody and to no cart can never be used. Raises EventError."""
    if event.visitor_key is None and not (
        event.cart_key or event.checkout_key or event.order or event.email or event.phone
    ):
        raise EventError("anonymousId", "an event needs anonymousId, userId, a cart or checkout id, or an address")
