"""What does the address bar of the cart list ask for? Every parameter read against an allow-list, unknown ones ignored.

Search text is an e-mail address, a phone number, a cart key or id, or an order key; it is compared whole, never in
part, and never stored.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from django.http import QueryDict

from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.lib.money import MoneyError, parse_amount
from rekindle.store.dashboard.carts import (
    CARTS_ONLY,
    CartFilter,
    CartOrder,
    Found,
    PagePlace,
    find_by_address,
    find_by_key,
)
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit
from rekindle.web.dashboard.period import read_period

MOST_CHARACTERS: Final = 200
#: What the address bar says, and what the menu says.
STATES: Final = (("", "Any state"), *((state.value, state.value.title()) for state in CartState))
STAGES: Final = (
    ("", "All carts"),
    (Stage.CART.value, "Cart only"),
    (Stage.CHECKOUT.value, "Checkout begun"),
    (Stage.PAYMENT.value, "Payment tried"),
    (Stage.BROWSE.value, "Browse visits"),
)
PERIODS: Final = (("", "Any time"), ("today", "Today"), ("7", "7 days"), ("30", "30 days"), ("90", "90 days"))
KNOWN: Final = (("", "Anybody"), ("yes", "Known shopper"), ("no", "Unknown"))
ORDERS: Final = (
    (CartOrder.NEWEST.value, "Newest first"),
    (CartOrder.LAST_ACTIVE.value, "Last active first"),
    (CartOrder.MOST_VALUABLE.value, "Highest value first"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CartQuery:
    """The filters as the page shows them (strings of the allow-lists), and what they mean to the store."""

    text: str
    state: str
    stage: str
    period: str
    known: str
    least: str
    order: CartOrder
    after: PagePlace | None
    filter: CartFilter

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.state or self.stage or self.period or self.known or self.least)


def read_query(visit: Visit) -> CartQuery:
    """Read the request's parameters; a search text is looked up here."""
    params = visit.request.GET
    state, stage = _choice(params, "state", STATES), _choice(params, "stage", STAGES)
    period, known = _choice(params, "period", PERIODS), _choice(params, "known", KNOWN)
    order = CartOrder(_choice(params, "sort", ORDERS) or CartOrder.NEWEST)
    least, least_cents = _least(params.get("least", ""), visit.shop.currency)
    text = params.get("q", "").replace("\x00", "").strip()[:MOST_CHARACTERS]
    wanted = CartFilter(
        states=[CartState(state)] if state else list(CartState),
        stages=[Stage(stage)] if stage else list(CARTS_ONLY),
        since=read_period(period, timezone=visit.shop.timezone, now=visit.now).since if period else None,
        least_cents=least_cents,
        known={"yes": True, "no": False}.get(known),
    )
    if text:  # whoever looks for one thing wants it whatever its stage
        wanted = replace(wanted, found=_find(visit, text), stages=[Stage(stage)] if stage else list(Stage))
    return CartQuery(
        text=text,
        state=state,
        stage=stage,
        period=period,
        known=known,
        least=least,
        order=order,
        after=read_place(params.get("after", ""), order),
        filter=wanted,
    )


def write_place(place: PagePlace) -> str:
    """A place as one opaque word for the address bar."""
    value = place.value.isoformat() if isinstance(place.value, datetime) else place.value
    return base64.urlsafe_b64encode(msgspec.json.encode([value, place.id.hex])).decode().rstrip("=")


def read_place(word: str, order: CartOrder) -> PagePlace | None:
    """The place behind a word; None for anything that this order cannot begin at."""
    try:
        raw = base64.b64decode(word[:200] + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        value, identifier = msgspec.json.decode(raw, type=tuple[int | str, str])
        if order is CartOrder.MOST_VALUABLE:
            return PagePlace(value=value, id=UUID(identifier)) if isinstance(value, int) else None
        at = datetime.fromisoformat(str(value))
        return PagePlace(value=at.astimezone(UTC), id=UUID(identifier)) if at.tzinfo else None
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError):
        return None


def _find(visit: Visit, text: str) -> Found:
    for channel, normalise in ((Channel.EMAIL, normalise_email), (Channel.SMS, normalise_phone)):
        try:
            address = normalise(text)
        except AddressError:
            continue
        address_hash = visit.context.address_hash(visit.shop.id, channel.value, address)
        found = find_by_address(visit.connection, visit.shop, channel=channel.value, address_hash=address_hash)
        if found.shopper_ids or channel is Channel.EMAIL:
            return found
    return find_by_key(visit.connection, visit.shop, text)


def _choice(params: QueryDict, name: str, choices: tuple[tuple[str, str], ...]) -> str:
    value = params.get(name, "")
    return value if any(value == key for key, _ in choices) else ""


def _least(text: str, currency: str) -> tuple[str, int | None]:
    try:
        return (text.strip(), parse_amount(text.strip(), currency)) if text.strip() else ("", None)
    except MoneyError:
        return "", None
