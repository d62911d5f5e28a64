"""In which bucket does a thing live? The only place that chooses anchors.

| thing | anchor |
|---|---|
| carts, and events that name a cart | the cart key |
| events without a cart, visitors | the visitor key (or the outside key of another kind) |
| shoppers, contact points, consents, suppressions, enrolments, sends, outbox, send_events | the keyed hash of the address by which the shopper was first known |
| decisions | the bucket of what they are about: the cart, or the enrolment |
| orders, attributions | the order key: two sources of one order meet in one row whatever else they know |
| products, product pairs, rollups | the shop itself (its base bucket) |
"""

from __future__ import annotations

from typing import Protocol

from rekindle.lib.hashing import BUCKETS, bucket_of
from rekindle.terms.shop import ShopSettings


class Spreading(Protocol):
    """What a bucket depends on besides the anchor: the shop, and over how many buckets it lies."""

    @property
    def id(self) -> int: ...
    @property
    def spread(self) -> int: ...


def cart_bucket(shop: Spreading, cart_key: str) -> int:
    return bucket_of(shop.id, f"cart:{cart_key}", shop.spread)


def visitor_bucket(shop: Spreading, visitor_key: str) -> int:
    return bucket_of(shop.id, f"visitor:{visitor_key}", shop.spread)


def address_bucket(shop: ShopSettings, address_hash: bytes) -> int:
    return bucket_of(shop.id, f"address:{address_hash.hex()}", shop.spread)


def order_bucket(shop: ShopSettings, order_key: str) -> int:
    return bucket_of(shop.id, f"order:{order_key}", shop.spread)


def base_bucket(shop: Spreading) -> int:
    """The bucket of a shop's own small sums and catalogue."""
    return bucket_of(shop.id, "", 1)


def buckets_of(shop: ShopSettings) -> list[int]:
    """All buckets in which this shop's rows may lie, in order: for fan-out reads of its pages."""
    base = base_bucket(shop)
    return sorted((base + offset) % BUCKETS for offset in range(shop.spread))
