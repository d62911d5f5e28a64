"""What does the demo shop tell Rekindle? Segment's e-commerce vocabulary, as calls of the storefront script."""

from __future__ import annotations

from collections.abc import Iterable

from rekindle.lib.money import parse_amount, to_major
from rekindle.simulate.storefront.carts import Cart, Contact, Order, Visit
from rekindle.simulate.storefront.catalogue import Product, Variant

Facts = dict[str, object]

#: What the shopper agrees to, word for word; it goes into the proof of consent.
WORDING = {
    "email": (
        "Yes, Fernweh Outfitters may e-mail me about my cart, new things and offers. "
        "I can stop this at any time with the link in each e-mail."
    ),
    "sms": (
        "Yes, Fernweh Outfitters may text me marketing messages, including cart reminders, to this number. "
        "Consent is not a condition of purchase. Message and data rates may apply. Reply STOP to end."
    ),
    "track_clicks": (
        "Yes, Fernweh Outfitters may note which links of its messages I follow, to learn which of them help. "
        "I can take this back at any time on the page behind the link in each e-mail."
    ),
}

#: The same for messages of this browser, which the browser asks about once more.
PUSH_WORDING = "Yes, remind me in this browser of the things in my cart at Fernweh Outfitters."


def product_facts(product: Product, base: str, variant: Variant | None = None) -> Facts:
    """Segment's product object; ``price`` in major units as a JSON number."""
    facts: Facts = {
        "product_id": product.product_id,
        "name": product.name,
        "category": product.category,
        "brand": "Fernweh",
        "price": float(product.price),
        "url": f"{base}/products/{product.slug}",
        "image_url": f"{base}/static/{product.picture}",
    }
    if variant is not None:
        facts |= {"sku": variant.sku, "variant": variant.label}
    return facts


def line_facts(cart: Cart, base: str) -> list[Facts]:
    return [
        {**product_facts(product, base, variant), "quantity": quantity, "position": position}
        for position, (product, variant, quantity) in enumerate(cart.products(), start=1)
    ]


def cart_state(cart: Cart, base: str, currency: str) -> Facts:
    return {
        "cart_id": cart.cart_id,
        "currency": currency,
        "value": float(to_major(cart.subtotal_cents(currency), currency)),
        "products": line_facts(cart, base),
        "recover_url": f"{base}/cart",
    }


def list_viewed(shelf: str, products: Iterable[Product], base: str) -> list[object]:
    """``shelf`` is a category, or empty for all."""
    shown = [product_facts(product, base) | {"position": i} for i, product in enumerate(products, start=1)]
    return [
        "track",
        "Product List Viewed",
        {"list_id": shelf.lower() or "all", "category": shelf or "All", "products": shown},
    ]


def product_viewed(product: Product, base: str, currency: str) -> list[object]:
    return ["track", "Product Viewed", product_facts(product, base, product.variants[0]) | {"currency": currency}]


def cart_changed(name: str, cart: Cart, line: tuple[Product, Variant], quantity: int, base: str) -> list[object]:
    """``Product Added`` or ``Product Removed`` for a change of one line."""
    return ["track", name, {**product_facts(line[0], base, line[1]), "quantity": quantity, "cart_id": cart.cart_id}]


def checkout_started(cart: Cart, base: str, currency: str) -> list[object]:
    return ["track", "Checkout Started", cart_state(cart, base, currency)]


def checkout_step(cart: Cart, step: int) -> list[object]:
    return ["track", "Checkout Step Completed", {"cart_id": cart.cart_id, "checkout_id": cart.cart_id, "step": step}]


def contact_given(contact: Contact, before: Contact | None, page: str) -> list[list[object]]:
    """Who it is, and what was agreed to. Silence is not told as a no; taking back an earlier yes is."""
    traits: Facts = {"name": contact.name, "email": contact.email, "address": {"country": contact.country}}
    first, _, last = contact.name.partition(" ")
    traits |= {"firstName": first, "lastName": last}
    if contact.phone:
        traits["phone"] = contact.phone
    taken_back = before.agreed - contact.agreed if before else frozenset()
    said = dict.fromkeys(sorted(contact.agreed), True) | dict.fromkeys(sorted(taken_back), False)
    calls: list[list[object]] = [["identify", traits]]
    if said:
        details: Facts = {
            "wording": {channel: WORDING[channel] for channel in said},
            "method": "checkbox",
            "page": page,
        }
        calls.append(["consent", said, {**details, "mentions_cart": True}])
    return calls


def contact_confirmed(contact: Contact, visit: Visit, page: str, at: str, trace: Facts) -> Facts | None:
    """The body of the server's own ``POST /v1/identify`` with the shop's secret key: what was agreed to, and that the
    address confirmed it. The sample shop stands for one that asks every address to confirm, as German law wants it."""
    if not contact.agreed:
        return None
    marks: Facts = {"confirmed": True, "written": True, "mentions_cart": True}
    told: Facts = {"granted": True, "method": "checkbox", "form": "checkout", "page": page}
    traits: Facts = {"email": contact.email, "address": {"country": contact.country}}
    if contact.phone:
        traits["phone"] = contact.phone
    traits["consent"] = {
        asked: {**told, **({} if asked == "track_clicks" else marks), "wording": WORDING[asked]}
        for asked in sorted(contact.agreed)
    }
    return {
        "type": "identify",
        "messageId": f"consent-{visit.visitor_id}-{at}",
        "anonymousId": visit.visitor_id,
        "timestamp": at,
        "context": {"library": {"name": "fernweh-shop", "version": "1.0"}, **trace},
        "traits": traits,
    }


def order_completed(order: Order, visit: Visit, base: str, at: str) -> Facts:
    """The body of the server's own ``POST /v1/track``; its messageId makes a repeat harmless."""
    currency = order.currency
    first, _, last = order.contact.name.partition(" ")
    address: Facts = {"country": order.contact.country}
    traits: Facts = {"email": order.contact.email, "firstName": first, "lastName": last, "address": address}
    if order.contact.phone:
        traits["phone"] = order.contact.phone
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"order-{order.order_id}",
        "anonymousId": visit.visitor_id,
        "timestamp": at,
        "context": {"library": {"name": "fernweh-shop", "version": "1.0"}, "traits": traits},
        "properties": {
            "order_id": order.order_id,
            "cart_id": order.cart.cart_id,
            "checkout_id": order.cart.cart_id,
            "email": order.contact.email,
            "currency": currency,
            "subtotal": float(to_major(order.cart.subtotal_cents(currency), currency)),
            "shipping": float(to_major(order.cart.shipping_cents(currency), currency)),
            "total": float(to_major(order.total_cents, currency)),
            "products": line_facts(order.cart, base),
        },
    }


def price_text(cents: int, currency: str) -> str:
    """An amount as the shop shows it: "€14.90", "CHF 14.90"."""
    sign = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}.get(currency, f"{currency} ")
    return f"{sign}{to_major(cents, currency):,f}"


def list_price(product: Product, currency: str) -> str:
    return price_text(parse_amount(product.price, currency), currency)
