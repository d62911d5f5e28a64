"""Where does a thing that the outside names live, and which id does it have? Bucket and id from key, nothing looked up.

The same answers as `store.buckets` and `lib.ids` give, remembered for the keys that come again and again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.lib.ids import natural_id
from rekindle.policy.cart_fold import OF_A_CART
from rekindle.store import buckets
from rekindle.terms.event import ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_MANY = 16_384


class _Spread(NamedTuple):
    """The part of a shop that places depend on."""

    id: int
    spread: int


BROWSE = "browse:"
DEFAULT = "visitor:"


class Place(NamedTuple):
    """The bucket and id of a row."""

    bucket: int
    id: UUID


class AddressPlace(NamedTuple):
    """Where the contact point of an address is found. ``hash`` keys consents and suppressions too."""

    bucket: int
    id: UUID
    channel: Channel
    hash: bytes
    address: str


def visitor_place(shop: ShopSettings, visitor_key: str) -> Place:
    return _visitor_place(shop.id, shop.spread, visitor_key)


def cart_place(shop: ShopSettings, cart_key: str) -> Place:
    """A cart's place; a visit that only looked lies beside its visitor."""
    return _cart_place(shop.id, shop.spread, cart_key)


def address_place(context: Context, shop: ShopSettings, channel: Channel, address: str) -> AddressPlace:
    digest = context.address_hash(shop.id, channel.value, address)
    contact_id = natural_id("contact", shop.id, f"{channel.value}:{digest.hex()}")
    return AddressPlace(buckets.address_bucket(shop, digest), contact_id, channel, digest, address)


def shopper_place(shop: ShopSettings, first: AddressPlace) -> Place:
    """Of the shopper who is known by this address first."""
    return Place(first.bucket, natural_id("shopper", shop.id, f"{first.channel.value}:{first.hash.hex()}"))


def order_place(shop: ShopSettings, order_key: str) -> Place:
    return Place(buckets.order_bucket(shop, order_key), natural_id("order", shop.id, order_key))


def mark_place(shop: ShopSettings, cart_key: str) -> Place:
    """Of the note that an order left for a cart that is not known yet: a visitor row in the cart's own bucket."""
    return Place(cart_place(shop, cart_key).bucket, mark_id(shop, cart_key))


def mark_id(shop: ShopSettings, cart_key: str) -> UUID:
    """The id of `mark_place`."""
    return natural_id("visitor", shop.id, f"c:{cart_key}")


def keys_of(event: ShopEvent) -> tuple[str, ...]:
    """The visitor keys of an event: the visit, the signed-in customer, the checkout."""
    first, customer, checkout = event.visitor_key, event.customer_key, event.checkout_key
    if customer is None and checkout is None:
        return () if first is None else (first,)
    keys = [] if first is None else [first]
    if customer is not None and f"u:{customer}" != first:
        keys.append(f"u:{customer}")
    if checkout is not None:
        keys.append(f"k:{checkout}")
    return tuple(keys)


def own_cart_key(event: ShopEvent, keys: tuple[str, ...]) -> str | None:
    """The cart that an event belongs to by itself: the one it names, else its visitor's own; None without either."""
    if event.cart_key is not None:
        return event.cart_key
    return DEFAULT + keys[0] if keys else None


def home_of(shop: ShopSettings, event: ShopEvent, keys: tuple[str, ...]) -> Place | None:
    """Where an event's row lies and which cart it is about by itself; depends on the event alone, so that a repeat
    meets its first copy. None for one that names neither cart nor visitor: see `lonely_bucket`."""
    if event.cart_key is not None:
        return cart_place(shop, event.cart_key)
    if not keys:
        return None
    if event.kind in OF_A_CART:
        return cart_place(shop, DEFAULT + keys[0])
    return cart_place(shop, BROWSE + keys[0])


def lonely_bucket(shop: ShopSettings, event: ShopEvent) -> int:
    """The bucket of an event without cart and visitor: an order from elsewhere, an address alone."""
    anchor = f"o:{event.order.order_key}" if event.order is not None else f"m:{event.message_key}"
    return buckets.visitor_bucket(shop, anchor)


@lru_cache(maxsize=_MANY)
def _visitor_place(shop_id: int, spread: int, visitor_key: str) -> Place:
    bucket = _only_bucket(shop_id) if spread == 1 else buckets.visitor_bucket(_Spread(shop_id, spread), visitor_key)
    return Place(bucket, natural_id("visitor", shop_id, visitor_key))


@lru_cache(maxsize=_MANY)
def _cart_place(shop_id: int, spread: int, cart_key: str) -> Place:
    if spread == 1:
        bucket = _only_bucket(shop_id)
    elif cart_key.startswith(BROWSE):
        bucket = buckets.visitor_bucket(_Spread(shop_id, spread), cart_key.removeprefix(BROWSE))
    else:
        bucket = buckets.cart_bucket(_Spread(shop_id, spread), cart_key)
    return Place(bucket, natural_id("cart", shop_id, cart_key))


@lru_cache(maxsize=_MANY)
def _only_bucket(shop_id: int) -> int:
    """The bucket of everything of a shop that lies in one."""
    return buckets.base_bucket(_Spread(shop_id, 1))
