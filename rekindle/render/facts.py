"""What does a letter know? Builds the plain facts that a template reads from typed inputs.

Called by the engine once per letter, by previews and by the publish check. Addresses of links and pictures are http or
https, texts carry no control characters, amounts are minor units: what comes out is ready for `merge.render`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from rekindle.render.plain import MAX_TEXT_CHARS, Facts, Plain, clean_text

MAX_SHOWN_ITEMS: Final = 20
DEFAULT_BRAND_COLOR: Final = "#1f2937"

_HTTP = re.compile(r"https?://[^\s/?#\\\"'<>`]+(?:[/?#][^\s\\\"<>`]*)?", re.IGNORECASE)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_WORDS = re.compile(r"\s+")


class FactsError(ValueError):
    """These inputs cannot become a letter; the text names the field, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopFacts:
    """Who writes. ``postal_address`` may have several lines; ``brand_color`` is ``#rrggbb``."""

    name: str
    url: str
    postal_address: str
    support_email: str = ""
    logo_url: str = ""
    brand_color: str = DEFAULT_BRAND_COLOR


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopperFacts:
    """To whom. An empty ``first_name`` is normal: the template has a fallback."""

    first_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """One row of the cart; amounts in minor units of the cart's currency."""

    title: str
    quantity: int
    unit_cents: int
    line_cents: int
    variant: str = ""
    image_url: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CartFacts:
    """The cart. At most `MAX_SHOWN_ITEMS` items are shown; ``item_count`` and ``total_cents`` are of the whole cart."""

    items: Sequence[ItemFacts]
    item_count: int
    total_cents: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendationFacts:
    """One product that may fit. ``reason`` is a short text in the shopper's language, or empty."""

    title: str
    unit_cents: int
    currency: str
    url: str
    image_url: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """Where the letter leads. ``items`` and ``recommendations`` are tracked links in the order of their rows."""

    recover: str
    unsubscribe: str
    preferences: str
    items: Sequence[str] = field(default=())
    recommendations: Sequence[str] = field(default=())


def build_facts(
    *,
    shop: ShopFacts,
    shopper: ShopperFacts,
    cart: CartFacts,
    links: LinkFacts,
    recommendations: Sequence[RecommendationFacts] = (),
    step: int = 1,
    locale: str = "en",
    extra: Mapping[str, Plain] | None = None,
) -> Facts:
    """The facts of one letter. Raises FactsError when a part is missing without which no letter may leave.

    Pictures and product links that are no http(s) address become empty: a shop's broken picture stops no letter. A row
    whose tracked link is not given uses its own address, else the recovery link.
    """
    shown = list(cart.items)[:MAX_SHOWN_ITEMS]
    recover = _required_url(links.recover, "links.recover")
    values = letter_values(
        shop=_shop(shop),
        first_name=shopper.first_name,
        items=[_item(item) for item in shown],
        item_count=cart.item_count,
        total_cents=cart.total_cents,
        currency=cart.currency,
        recommendations=[_recommendation(one) for one in recommendations],
        links={
            "recover": recover,
            "unsubscribe": _required_url(links.unsubscribe, "links.unsubscribe"),
            "preferences": _required_url(links.preferences, "links.preferences"),
            "items": _row_links(links.items, [item.url for item in shown], recover),
            "recommendations": _row_links(links.recommendations, [one.url for one in recommendations], recover),
        },
        step=step,
        locale=locale,
    )
    for name, value in (extra or {}).items():
        if name in values:
            raise FactsError(f"{name}: is a built-in fact")
        values[name] = value
    return Facts(values)


def letter_values(
    *,
    shop: Plain,
    first_name: str,
    items: list[dict[str, Plain]],
    item_count: int,
    total_cents: int,
    currency: str,
    recommendations: list[dict[str, Plain]],
    links: dict[str, Plain],
    step: int,
    locale: str,
) -> dict[str, Plain]:
    """What a template reads, of parts that are plain already: ``shop`` of `shop_values`, rows of `item_values` and
    `recommendation_values`, ``links`` that are known to be http or https. Raises FactsError for a letter without items.
    """
    if not items:
        raise FactsError("cart.items: a cart letter needs at least one item")
    quantities = 0
    for item in items:
        quantities += item["quantity"]  # type: ignore[operator]  # whole numbers, as `item_values` puts them in
    return {
        "shop": shop,
        "shopper": {"first_name": _line(first_name, 80)},
        "cart": {
            "items": items,  # type: ignore[dict-item]  # a list of groups is a list of plain values
            "item_count": item_count,
            "total_cents": total_cents,
            "currency": currency,
            "hidden_count": max(item_count - quantities, 0),
        },
        "recommendations": recommendations,  # type: ignore[dict-item]
        "links": links,
        "step": step,
        "locale": locale,
    }


def http_url(value: str) -> str:
    """The address if it is http or https, else the empty string.

    >>> http_url(" https://shop.example/a?b=c "), http_url("javascript:alert(1)")
    ('https://shop.example/a?b=c', '')
    """
    text = value.strip()
    return text if len(text) <= 2_000 and _HTTP.fullmatch(text) else ""


@lru_cache(maxsize=8192)  # a shop's products come again in many carts; tracked links do not and are not kept
def _known_url(value: str) -> str:
    return http_url(value)


def text_color_on(background: str) -> str:
    """White or near-black, whichever is easier to read on ``#rrggbb``.

    Source: relative luminance and contrast ratio, WCAG 2.2, "Relative luminance".

    >>> text_color_on("#1f2937"), text_color_on("#ffd400")
    ('#ffffff', '#111827')
    """
    channels = [int(background[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.0593 else "#111827"


@lru_cache(maxsize=1024)  # the same for every letter of a shop; a template cannot change what it reads
def _shop(shop: ShopFacts) -> Plain:
    name, address = _line(shop.name, 120), clean_text(shop.postal_address.strip()[:500])
    if not name:
        raise FactsError("shop.name: the sender must say who writes")
    if not address:
        raise FactsError("shop.postal_address: commercial e-mail must carry a postal address")
    color = shop.brand_color if _COLOR.fullmatch(shop.brand_color) else DEFAULT_BRAND_COLOR
    lines: list[Plain] = [line.strip() for line in address.splitlines() if line.strip()]
    return {
        "name": name,
        "url": http_url(shop.url),
        "logo_url": http_url(shop.logo_url),
        "postal_address": ", ".join(str(line) for line in lines),
        "postal_lines": lines,
        "support_email": _line(shop.support_email, 254),
        "brand_color": color,
        "button_text_color": text_color_on(color),
    }


def shop_values(shop: ShopFacts) -> Plain:
    """The shop's part of every letter. Raises FactsError without name or postal address."""
    return _shop(shop)


def item_values(
    *, title: str, variant: str, quantity: int, unit_cents: int, line_cents: int, image_url: str, url: str
) -> dict[str, Plain]:
    """One row of the cart as a template reads it; an address that is no http(s) address becomes empty."""
    return {
        "title": _line(title, 300),
        "variant": _line(variant, 300) if variant else "",
        "quantity": quantity,
        "unit_cents": unit_cents,
        "line_cents": line_cents,
        "image_url": _known_url(image_url),
        "url": _known_url(url),
    }


def recommendation_values(
    *, title: str, unit_cents: int, currency: str, image_url: str, url: str, reason: str = ""
) -> dict[str, Plain]:
    """One recommended product as a template reads it."""
    return {
        "title": _line(title, 300),
        "unit_cents": unit_cents,
        "currency": currency,
        "image_url": _known_url(image_url),
        "url": _known_url(url),
        "reason": _line(reason, 300),
    }


def _item(item: ItemFacts) -> dict[str, Plain]:
    return item_values(
        title=item.title,
        variant=item.variant,
        quantity=item.quantity,
        unit_cents=item.unit_cents,
        line_cents=item.line_cents,
        image_url=item.image_url,
        url=item.url,
    )


def _recommendation(one: RecommendationFacts) -> dict[str, Plain]:
    return recommendation_values(
        title=one.title,
        unit_cents=one.unit_cents,
        currency=one.currency,
        image_url=one.image_url,
        url=one.url,
        reason=one.reason,
    )


def _line(text: str, limit: int) -> str:
    """One line without control characters: titles, names and addresses end in subjects and headers too."""
    if text.isprintable() and len(text) <= limit and "  " not in text:
        return text.strip()
    return _WORDS.sub(" ", clean_text(text[:MAX_TEXT_CHARS])).strip()[:limit]


def _required_url(value: str, name: str) -> str:
    url = http_url(value)
    if not url:
        raise FactsError(f"{name}: must be an http or https address")
    return url


def _row_links(tracked: Sequence[str], own: Sequence[str], fallback: str) -> list[Plain]:
    padded = [*tracked, *[""] * (len(own) - len(tracked))]
    return [http_url(given) or http_url(mine) or fallback for given, mine in zip(padded, own, strict=False)]
