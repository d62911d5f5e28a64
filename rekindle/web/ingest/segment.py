"""What does a message of Segment's protocol say in our terms?

`read_event` is pure: one opened message in, one `ShopEvent` out. It raises EventError for what makes an event useless
or dangerous, and notes in `Findings` what can be left out of it. Orders, opt-outs and erasures are only ever refused
when it is unclear whom they are about: what they stop must stop.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from rekindle.lib.traces import browser_of, network_of
from rekindle.terms.event import ConsentGiven, DeviceTold, EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings
from rekindle.web.ingest import ecommerce, people
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.devices import device_of
from rekindle.web.ingest.envelope import Opened
from rekindle.web.ingest.limits import MAX_KEY, MAX_MESSAGE_ID, MAX_TEXT
from rekindle.web.ingest.moments import instants_of
from rekindle.web.ingest.names import ABOUT_ORDERS, IN_CHECKOUT, WITH_ITEMS, kind_of, last_word
from rekindle.web.ingest.payload import Goods, understood_payload, unknown_payload
from rekindle.web.ingest.problem import EventError, Findings
from rekindle.web.ingest.shapes import NO_PROPERTIES, Message, Properties, trace_of
from rekindle.web.ingest.surroundings import page_facts, put_trait_facts, surroundings_of
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
_NOT_HASHED = ("messageId", "sentAt", "writeKey")  # what differs when the same message is sent again
_CHECKOUT_FACTS = ("step", "shipping_method", "payment_method", "reason")


@dataclass(slots=True)
class _Person:
    """What an event says about a person."""

    email: str | None = None
    phone: str | None = None
    device: DeviceTold | None = None
    consents: tuple[ConsentGiven, ...] = ()


@dataclass(frozen=True, slots=True)
class _Traits:
    """Traits of the message and of its context, and the country in which a national phone number is read."""

    own: dict[str, Any]
    inner: dict[str, Any]
    country: str
    witness: people.Witness


_NOBODY = _Person()
_NO_TRAITS: dict[str, object] = {}  # shared: nobody changes a frozen event's traits


def read_event(
    raw: bytes, opened: Opened, arrival: Arrival, findings: Findings, *, implied_type: str = ""
) -> ShopEvent:
    """Translate one message: ``raw`` is its text, ``opened`` what was read of it.

    ``implied_type`` is the type that the request's path stands for, if any. Raises: EventError, with the field's path.
    """
    message, problem = opened
    kind, name = _meaning_of(message, implied_type)
    properties = message.properties or NO_PROPERTIES
    try:
        surroundings = surroundings_of(bytes(message.context))
    except msgspec.ValidationError:
        raise EventError("context", "must be an object") from None
    shop = arrival.shop
    message_key = _message_key(message, raw)
    at, stamped_at = instants_of(message.timestamp, arrival.skew, arrival.received_at)
    anonymous = read_key(message.anonymousId, "anonymousId")
    customer = read_key(message.userId, "userId")
    if problem is not None:
        _judge(problem, kind, findings)
    if kind in ABOUT_ORDERS:
        goods = _ordered_goods(kind, properties, arrival, message_key, findings, has_lines=problem is None)
    else:
        goods = _goods_of(kind, properties, shop, findings)

    told = _told_of(kind, name, properties, goods)
    facts = {**surroundings.facts, **(told if kind is EventKind.PAGE_VIEWED else surroundings.page), **told}
    traits = object_or_empty(message.traits) or surroundings.traits
    person, gpc, kept_traits = _NOBODY, surroundings.gpc, _NO_TRAITS
    if traits or kind in _CONSENT_KINDS or properties.email or properties.phone or properties.consent:
        put_trait_facts(facts, traits)
        country = str(facts.get("country", shop.country))
        told_traits = _Traits(traits, surroundings.traits, country, _witness_of(message, arrival))
        person = _person_of(kind, name, properties, told_traits, findings)
        if traits.get("push") is not None:
            person.device = device_of(traits["push"], arrival.push_hosts, findings)
        gpc, kept_traits = people.gpc_of(gpc, traits.get("gpc")), people.traits_of(traits)
    event = ShopEvent(
        shop_id=shop.id,
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
        device=person.device,
        previous_key=_previous_key(message) if kind is EventKind.ALIASED else None,
        consents=person.consents,
        traits=kept_traits,
        facts=facts,
        recover_url=_recover_url(properties, shop),
        gpc=True if arrival.gpc else gpc,
        is_from_server=arrival.is_server,
        payload=unknown_payload(raw) if kind is EventKind.OTHER else understood_payload(goods, told),
    )
    if event.visitor_key is None:
        _require_somebody(event)
    return event


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


def _message_key(message: Message, raw: bytes) -> str:
    """The sender's id of the message, else a hash of what it says: the same message always gets the same one."""
    value = message.messageId
    if type(value) is str and 0 < len(value) <= MAX_MESSAGE_ID:
        return value
    if value is None or value == "":
        return "sha256:" + _content_hash(raw)
    key = read_key(value, "messageId")
    if key is not None and len(key) <= MAX_MESSAGE_ID:
        return key
    raise EventError("messageId", f"must not exceed {MAX_MESSAGE_ID} characters")


def _content_hash(raw: bytes) -> str:
    try:
        told = msgspec.json.decode(raw)
    except msgspec.MsgspecError as error:
        raise EventError("", f"not storable as JSON: {error}") from None
    content = {name: value for name, value in told.items() if name not in _NOT_HASHED}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _judge(problem: EventError, kind: EventKind, findings: Findings) -> None:
    """Properties that are none, or products that are none: an order counts all the same. Raises the problem."""
    if kind in ABOUT_ORDERS:
        findings.found.append(problem)
    elif kind in WITH_ITEMS or problem.path == "properties":
        raise problem


def _goods_of(kind: EventKind, properties: Properties, shop: ShopSettings, findings: Findings) -> Goods:
    """The lines and sums of an event about a cart; none for other events."""
    if kind not in WITH_ITEMS and kind not in IN_CHECKOUT:
        return Goods(shop.currency)
    goods = Goods(read_currency(properties.currency, shop.currency))
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
    kind: EventKind,
    properties: Properties,
    arrival: Arrival,
    message_key: str,
    findings: Findings,
    *,
    has_lines: bool,
) -> Goods:
    """The order. When its lines or amounts cannot be read it still counts, without them."""
    shop = arrival.shop
    goods = Goods(shop.currency)
    total: int | None = None
    try:
        goods.currency = read_currency(properties.currency, shop.currency)
        total = ecommerce.total_of(properties, goods.currency)
        if has_lines:
            goods.items = ecommerce.items_of(properties, shop, goods.currency)
    except EventError as error:
        findings.found.append(error)
    key = ecommerce.order_key_of(properties) or f"event:{message_key}"
    order = ecommerce.order_of(properties, order_key=key, total_cents=total, items=goods.items, currency=goods.currency)
    if kind is EventKind.ORDER_REFUNDED:
        order = replace(order, total_cents=0, refunded_cents=order.total_cents)
    goods.order = order
    return goods


def _told_of(kind: EventKind, name: str, properties: Properties, goods: Goods) -> dict[str, object]:
    """Facts that belong to this one event."""
    if kind is EventKind.PAGE_VIEWED:
        return page_facts(properties.url, properties.referrer, properties.title)
    if kind is EventKind.COUPON_TRIED:
        coupon = properties.coupon_id or properties.coupon or properties.coupon_name
        return {"coupon": read_text(coupon, MAX_TEXT), "coupon_outcome": last_word(name)}
    if kind in IN_CHECKOUT:
        told = {field: read_text(getattr(properties, field), MAX_TEXT) for field in _CHECKOUT_FACTS}
        return {field: text for field, text in told.items() if text}
    if goods.order is not None and kind is EventKind.ORDER_REFUNDED and not goods.order.refunded_cents:
        return {"full_refund": True}
    return {}


def _witness_of(message: Message, arrival: Arrival) -> people.Witness:
    """A shop's server tells of its shopper's browser in the context; a browser is the one that asks."""
    if not arrival.is_server:
        return people.Witness(False, network_of(arrival.remote), browser_of(arrival.agent))
    told = trace_of(bytes(message.context))
    return people.Witness(True, network_of(told.ip), browser_of(told.userAgent))


def _person_of(kind: EventKind, name: str, properties: Properties, told: _Traits, findings: Findings) -> _Person:
    """Addresses and consents: from the traits, the traits in the context, then the properties."""
    person = _Person()
    places = (("traits.", told.own.get), ("context.traits.", told.inner.get))
    emails, phones, consents = (
        [*((path, get(field)) for path, get in places), ("properties.", getattr(properties, field))]
        for field in ("email", "phone", "consent")
    )
    person.email = people.email_of(emails, findings)
    person.phone = people.phone_of(phones, told.country, findings)
    person.consents = people.consents_of(consents, findings, told.witness)
    if kind in _CONSENT_KINDS:
        named = {consent.channel for consent in person.consents}
        own = people.opted_of(kind, name, properties, told.witness)
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


def _require_somebody(event: ShopEvent) -> None:
    """An event that belongs to nobody and to no cart can never be used. Raises EventError."""
    if not (event.cart_key or event.checkout_key or event.order or event.names_somebody):
        raise EventError("anonymousId", "an event needs anonymousId, userId, a cart or checkout id, or an address")
