"""Which facts does a preview show when no real cart is at hand? Realistic, complete, and nobody's data."""

from __future__ import annotations

from rekindle.render.facts import (
    CartFacts,
    ItemFacts,
    LinkFacts,
    RecommendationFacts,
    ShopFacts,
    ShopperFacts,
    build_facts,
)
from rekindle.render.plain import Facts, Plain

SAMPLE_SHOP = ShopFacts(
    name="Nordlicht Outdoor",
    url="https://shop.example/",
    postal_address="Nordlicht Outdoor GmbH\nHafenstraße 12\n20457 Hamburg, Germany",
    support_email="hello@shop.example",
    logo_url="https://shop.example/images/logo.png",
    brand_color="#0f5c4d",
)
_ITEMS = (
    ("Trail rain jacket “Fjell”", "Pine green · M", 1, 14_900, "jacket"),
    ("Merino hiking socks, pack of two", "Charcoal · 39–42", 2, 2_450, "socks"),
    ("Enamel mug 0.4 l", "", 1, 1_790, "mug"),
)
_RECOMMENDED = (
    ("Trail rain trousers “Fjell”", 9_900, "trousers"),
    ("Dry bag 20 l", 3_495, "bag"),
    ("Wool beanie", 2_900, "beanie"),
)


def sample_facts(
    *,
    shop: ShopFacts = SAMPLE_SHOP,
    locale: str = "en",
    step: int = 1,
    first_name: str = "Ada",
    base: str = "",
    recover: str = "",
) -> Facts:
    """Facts of a cart with three items and three recommendations; ``base`` is where the pictures are served,
    ``recover`` another link back to the cart.

    >>> sorted(sample_facts().values)
    ['cart', 'links', 'locale', 'recommendations', 'shop', 'shopper', 'step']
    """
    root = (base or "https://shop.example").rstrip("/")
    items = [
        ItemFacts(
            title=title,
            variant=variant,
            quantity=quantity,
            unit_cents=cents,
            line_cents=cents * quantity,
            image_url=f"{root}/images/{picture}.png",
            url=f"https://shop.example/products/{picture}",
        )
        for title, variant, quantity, cents, picture in _ITEMS
    ]
    recommended = [
        RecommendationFacts(
            title=title,
            unit_cents=cents,
            currency="EUR",
            image_url=f"{root}/images/{picture}.png",
            url=f"https://shop.example/products/{picture}",
        )
        for title, cents, picture in _RECOMMENDED
    ]
    go = "https://go.shop.example/r"
    return build_facts(
        shop=shop,
        shopper=ShopperFacts(first_name=first_name),
        cart=CartFacts(
            items=items,
            item_count=sum(item.quantity for item in items),
            total_cents=sum(item.line_cents for item in items),
            currency="EUR",
        ),
        recommendations=recommended,
        links=LinkFacts(
            recover=recover or f"{go}/1-7Hq2sampleRecover",
            unsubscribe="https://go.shop.example/u/1-9Zk4sampleUnsubscribe",
            preferences="https://go.shop.example/p/1-9Zk4samplePreferences",
            items=[f"{go}/1-item{n}sample" for n in range(len(items))],
            recommendations=[f"{go}/1-rec{n}sample" for n in range(len(recommended))],
        ),
        step=step,
        locale=locale,
    )


def known_variables() -> frozenset[str]:
    """Every path that `build_facts` fills, in the notation of `merge.variables`: for the editor and the reference.

    >>> {"cart.items[].title", "links.items[]", "locale"} <= known_variables()
    True
    """
    found: set[str] = set()
    _walk(sample_facts().values, "", found)
    return frozenset(found)


def _walk(value: Plain, path: str, found: set[str]) -> None:
    if path:
        found.add(path)
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(inner, f"{path}.{name}" if path else name, found)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, f"{path}[]", found)
