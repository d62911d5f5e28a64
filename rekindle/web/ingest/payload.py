"""What is kept of an event beside its columns? Nothing that names or reaches a person.

An understood event keeps its normal form: ``items`` (product_key, quantity and what was told of sku, variant, title,
unit_cents, url, image_url, category, brand), ``currency``, ``value_cents``, ``order``, and what else was understood.
An unknown one keeps its properties, cleaned. So an erasure never has to search the events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from rekindle.lib.logs import without_addresses
from rekindle.terms.cart import CartItem
from rekindle.terms.event import OrderFacts
from rekindle.web.ingest.limits import MAX_PAYLOAD_KEYS
from rekindle.web.ingest.problem import EventError

#: Fields that say who somebody is or how to reach them, at any depth, whatever their case and separators.
_PERSONAL = frozenset(
    {
        "name", "email", "emailaddress", "phone", "phonenumber", "mobile", "tel", "firstname", "lastname", "fullname",
        "customername", "recipient", "address", "address1", "address2", "billingaddress", "shippingaddress", "street",
        "zip", "zipcode", "postcode", "postalcode", "city", "ip", "ipaddress", "birthday", "birthdate", "dateofbirth",
        "customer", "user", "traits", "consent", "password", "token", "cardnumber", "iban", "sharemessage",
        "reviewbody", "search",
    }
)  # fmt: skip


@dataclass(slots=True)
class Goods:
    """The lines and sums of an event, in minor units of ``currency``."""

    currency: str
    items: tuple[CartItem, ...] = ()
    value_cents: int | None = None
    order: OrderFacts | None = None


def understood_payload(goods: Goods, told: dict[str, object]) -> bytes:
    """The normal form of an event as JSON. ``told`` are facts that belong to this event alone."""
    kept = dict(told)
    if goods.items:
        kept["items"] = goods.items  # each without its empty parts
        kept["currency"] = goods.currency
    if goods.value_cents is not None:
        kept["value_cents"] = goods.value_cents
        kept["currency"] = goods.currency
    if goods.order is not None:
        kept["order"] = goods.order
    return msgspec.json.encode(kept) if kept else b"{}"


def unknown_payload(raw: bytes) -> bytes:
    """The properties of an event that nobody here understands, cleaned; at most 100 of them.

    Raises: EventError when they hold a number that no database takes.
    """
    try:
        properties = msgspec.json.decode(raw).get("properties")
    except msgspec.MsgspecError as error:
        raise EventError("properties", str(error)) from None
    if not properties or not isinstance(properties, dict):
        return b"{}"
    kept = dict(list(properties.items())[:MAX_PAYLOAD_KEYS])
    return msgspec.json.encode(_cleaned(kept))


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(inner) for name, inner in value.items() if not _is_personal(name)}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    if isinstance(value, str):
        if value.startswith(("http://", "https://", "/")):
            value = value.partition("?")[0].partition("#")[0]
        return without_addresses(value)
    return value


def _is_personal(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "") in _PERSONAL
