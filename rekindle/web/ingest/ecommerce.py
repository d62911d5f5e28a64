"""What do an event's properties say about products, carts and orders? Read into the terms' own shapes."""

from __future__ import annotations

from rekindle.terms.cart import MAX_ITEMS, CartItem
from rekindle.terms.event import OrderFacts
from rekindle.terms.shop import ShopSettings
from rekindle.web.ingest.limits import MAX_COUPONS, MAX_KEY, MAX_TEXT, MAX_TITLE
from rekindle.web.ingest.problem import EventError
from rekindle.web.ingest.shapes import Product, Properties
from rekindle.web.ingest.values import read_amount, read_key, read_quantity, read_text, read_url

_OWN_PREFIXES = ("visitor:", "browse:")


def items_of(properties: Properties, shop: ShopSettings, currency: str, *, untold: int = 1) -> tuple[CartItem, ...]:
    """The products of an event: its list, or the one product its properties are about.

    ``untold`` is the quantity of a product that comes without one: 1, or 0 where that means all of it.
    Raises EventError with the path of the first wrong field.
    """
    if properties.products is not None:
        return _listed("products", properties.products, shop.url, currency, untold)
    if properties.items is not None:
        return _listed("items", properties.items, shop.url, currency, untold)
    if properties.product_id or properties.sku or properties.productId or properties.item_id:
        try:
            return (_item(properties, shop.url, currency, untold),)
        except EventError as error:
            raise EventError(f"properties.{error.path}", error.message) from None
    return ()


def _listed(name: str, products: list[Product], shop_url: str, currency: str, untold: int) -> tuple[CartItem, ...]:
    if len(products) > MAX_ITEMS:
        raise EventError(f"properties.{name}", f"must not hold more than {MAX_ITEMS} products")
    items: list[CartItem] = []
    try:
        for product in products:
            items.append(_item(product, shop_url, currency, untold))
    except EventError as error:
        raise EventError(f"properties.{name}[{len(items)}].{error.path}", error.message) from None
    return tuple(items)


def _item(product: Product, shop_url: str, currency: str, untold: int) -> CartItem:
    """One line of a cart. Raises EventError with a path inside the product."""
    sku = read_key(product.sku, "sku") or ""
    told = product.product_id or product.productId or product.id or product.item_id
    product_key = read_key(told, "product_id") or sku
    if not product_key:
        raise EventError("product_id", "a product needs its product_id or sku")
    title = product.name or product.title or product.item_name
    variant = product.variant or product.item_variant
    url = product.url or product.product_url
    image_url = product.image_url or product.imageUrl
    category = product.category or product.item_category
    brand = product.brand or product.item_brand
    return CartItem(
        product_key=product_key,
        quantity=untold if product.quantity is None else read_quantity(product.quantity),
        sku=sku,
        variant=read_text(variant, MAX_KEY) if variant else "",
        title=read_text(title, MAX_TITLE) if title else "",
        unit_cents=read_amount(product.price, currency, "price"),
        url=read_url(url, shop_url) if url else "",
        image_url=read_url(image_url, shop_url) if image_url else "",
        category=read_text(category, MAX_TEXT) if category else "",
        brand=read_text(brand, MAX_TEXT) if brand else "",
    )


def cart_key_of(properties: Properties) -> str | None:
    """The shop's own id of the cart. Raises EventError for one that could be mistaken for a name of ours."""
    key = read_key(properties.cart_id or properties.cartId, "properties.cart_id")
    if key is not None and key.startswith(_OWN_PREFIXES):
        raise EventError("properties.cart_id", "a cart id must not begin with visitor: or browse:")
    return key


def checkout_key_of(properties: Properties) -> str | None:
    told = properties.checkout_id or properties.checkoutId or properties.checkout_token
    return read_key(told, "properties.checkout_id")


def order_key_of(properties: Properties) -> str | None:
    return read_key(properties.order_id or properties.orderId or properties.transaction_id, "properties.order_id")


def total_of(properties: Properties, currency: str) -> int | None:
    """What the shopper pays: ``total``, else ``revenue``, else ``value``. Raises EventError for a wrong amount."""
    for path, value in (("total", properties.total), ("revenue", properties.revenue), ("value", properties.value)):
        amount = read_amount(value, currency, f"properties.{path}")
        if amount is not None:
            return amount
    return None


def order_of(
    properties: Properties, *, order_key: str, total_cents: int | None, items: tuple[CartItem, ...], currency: str
) -> OrderFacts:
    """The order an event tells of; without a total it is worth its lines."""
    if total_cents is None:
        total_cents = sum(item.quantity * (item.unit_cents or 0) for item in items)
    return OrderFacts(order_key=order_key, currency=currency, total_cents=total_cents, coupons=coupons_of(properties))


def coupons_of(properties: Properties) -> tuple[str, ...]:
    """Coupon codes used: one text, or a list of them; at most 20 of at most 255 characters."""
    told = properties.coupons if properties.coupons is not None else properties.coupon
    codes = told if isinstance(told, list) else [told]
    return tuple(code[:MAX_KEY] for code in codes[:MAX_COUPONS] if isinstance(code, str) and code)
