"""Whose cart is it, and what lies in it? In memory, by cookie; gone when the demo ends."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rekindle.lib.money import parse_amount
from rekindle.simulate.storefront.catalogue import BY_SKU, PRODUCTS, Product, Variant

MAX_QUANTITY = 20
MAX_VISITS = 5_000
FREE_SHIPPING_FROM = "75.00"
SHIPPING = "4.90"


@dataclass(slots=True)
class Cart:
    """``lines`` maps a sku to its quantity, in the order in which things were put in."""

    cart_id: str = field(default_factory=lambda: f"fw-{secrets.token_hex(8)}")
    lines: dict[str, int] = field(default_factory=dict)
    told: bool = False

    @property
    def count(self) -> int:
        return sum(self.lines.values())

    def products(self) -> list[tuple[Product, Variant, int]]:
        return [(*BY_SKU[sku], quantity) for sku, quantity in self.lines.items()]

    def subtotal_cents(self, currency: str) -> int:
        return sum(parse_amount(product.price, currency) * quantity for product, _, quantity in self.products())

    def shipping_cents(self, currency: str) -> int:
        free = self.subtotal_cents(currency) >= parse_amount(FREE_SHIPPING_FROM, currency)
        return 0 if free or not self.lines else parse_amount(SHIPPING, currency)

    def total_cents(self, currency: str) -> int:
        return self.subtotal_cents(currency) + self.shipping_cents(currency)

    def put(self, sku: str, quantity: int) -> None:
        """Set a line to a quantity; 0 takes it out. The sku must exist."""
        if quantity <= 0:
            self.lines.pop(sku, None)
        else:
            self.lines[sku] = min(quantity, MAX_QUANTITY)

    def merge(self, items: list[object]) -> list[str]:
        """Join the items of an earlier cart; returns the titles of those the shop no longer has.

        What is already here stays. Of a thing in both carts the larger quantity counts, so that following a link
        twice changes nothing.
        """
        missing = []
        for item in items:
            if not isinstance(item, dict):
                continue
            sku = known_sku(item)
            if sku is None:
                missing.append(str(item.get("title") or item.get("name") or "an item")[:80])
                continue
            quantity = item.get("quantity")
            wanted = quantity if isinstance(quantity, int) and not isinstance(quantity, bool) else 1
            self.put(sku, max(self.lines.get(sku, 0), wanted, 1))
        return missing


def known_sku(item: dict[str, object]) -> str | None:
    """The sku an item of a stored cart means: by sku, else by product and variant."""
    sku = item.get("sku")
    if isinstance(sku, str) and sku in BY_SKU:
        return sku
    for product in PRODUCTS:
        if product.product_id == item.get("product_id"):
            named = [variant.sku for variant in product.variants if variant.label == item.get("variant")]
            return named[0] if named else product.variants[0].sku
    return None


@dataclass(slots=True)
class Contact:
    name: str
    email: str
    phone: str
    country: str
    agreed: frozenset[str]


@dataclass(slots=True)
class Order:
    order_id: str
    cart: Cart
    contact: Contact
    currency: str
    #: Rekindle has taken it.
    reported: bool = False

    def mark_reported(self) -> None:
        self.reported = True

    @property
    def total_cents(self) -> int:
        return self.cart.total_cents(self.currency)


@dataclass(slots=True)
class Visit:
    """One browser. ``events`` are calls of the storefront script that the next page makes."""

    visitor_id: str = field(default_factory=lambda: secrets.token_hex(16))
    cart: Cart = field(default_factory=Cart)
    contact: Contact | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    events: list[list[object]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Visits:
    """The visits by their secret cookie value; the one unseen for longest makes room."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._lock = threading.RLock()

    @contextmanager
    def of(self, key: str | None) -> Iterator[tuple[str, Visit]]:
        """Give the visit of a cookie value, or a new one under a new value, to one request at a time."""
        with self._lock:
            if key is None or key not in self._visits:
                key = secrets.token_urlsafe(24)
                self._visits[key] = Visit()
            self._visits.move_to_end(key)
            while len(self._visits) > MAX_VISITS:
                self._visits.popitem(last=False)
            yield key, self._visits[key]
