"""What does this send's letter know? Rows of the database in, the plain facts that a template reads out.

Called by ``engine.compose`` once per letter, so nothing here is looked at twice: addresses of links that are made here
are known to be good, and what a shop's letters share is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rekindle.lib.tokens import Purpose, make_token
from rekindle.render.facts import (
    MAX_SHOWN_ITEMS,
    FactsError,
    ShopFacts,
    http_url,
    item_values,
    letter_values,
    recommendation_values,
    shop_values,
)
from rekindle.render.plain import Facts, Plain
from rekindle.store.outbox import CartRow, Claimed, SendRow
from rekindle.terms.shop import ShopSettings


class Links:
    """Addresses in a message: each carries the bucket and names the send, nothing personal. ``count``: product links
    that exist, as fixed when the send was created."""

    def __init__(self, public_url: str, held: Claimed, count: int) -> None:
        token = make_token(held.bucket, held.id, held.seed, Purpose.LINK)
        self.recover = f"{public_url}/r/{token}"
        out = make_token(held.bucket, held.id, held.seed, Purpose.OPTOUT)
        self.optout, self.preferences = f"{public_url}/u/{out}", f"{public_url}/p/{out}"
        self._products = f"{public_url}/c/{token}/"
        self.count = count

    def product(self, at: int, own: Plain) -> str:
        """The tracked link of the product at this place; where the send was created without one its own address, or
        the way back to the cart."""
        return f"{self._products}{at}" if at < self.count else str(own) or self.recover


def letter_facts(row: SendRow, cart: SendRow | CartRow, shop: ShopSettings, about: Plain, links: Links) -> Facts:
    """The facts of one letter; ``about`` the shop: see `shop_part`. Raises FactsError when it would lack something,
    KeyError, TypeError or ValueError for rows that no rule foresaw."""
    context = row.context
    offers = [one for one in context.get("recommended") or () if isinstance(one, dict)]
    own_links = links.count - len(offers)  # the links of the items come first, those of the recommendations after
    lines: Sequence[Mapping[str, Any]] = cart.items or _viewed(context)
    items: list[dict[str, Plain]] = []
    item_links, count = [], 0
    for at, line in enumerate(lines):
        count += int(line["quantity"])
        if line.get("unit_cents") is None or len(items) == MAX_SHOWN_ITEMS:
            continue  # a row without a price is not shown: a letter never guesses one
        item = _item(line)
        items.append(item)
        item_links.append(links.product(at if at < own_links else links.count, item["url"]))
    if lines and not items:
        raise FactsError("price of any item")
    recommendations, offer_links = [], []
    for at, offer in enumerate(offers):
        if offer.get("unit_cents") is not None:
            shown = _recommendation(offer)
            recommendations.append(shown)
            offer_links.append(links.product(own_links + at, shown["url"]))
    return Facts(
        letter_values(
            shop=about,
            first_name=row.first_name or "",
            items=items,
            item_count=count,
            total_cents=(cart.total_cents or 0) if cart.items else sum(int(line["unit_cents"] or 0) for line in lines),
            currency=cart.currency or shop.currency,
            recommendations=recommendations,
            links={
                "recover": links.recover,
                "unsubscribe": links.optout,
                "preferences": links.preferences,
                "items": item_links,  # type: ignore[dict-item]  # a list of texts is a list of plain values
                "recommendations": offer_links,  # type: ignore[dict-item]
            },
            step=int(context.get("step_number", 1)),
            locale=str(context.get("locale") or shop.locale),
        )
    )


def shop_part(shop: ShopSettings) -> Plain:
    """What every message of a shop knows of it."""
    return shop_values(
        ShopFacts(
            name=shop.name,
            url=shop.url,
            postal_address=shop.postal_address,
            support_email=shop.support_email,
            logo_url=shop.logo_url,
            brand_color=shop.brand_color,
        )
    )


def can_link(public_url: str) -> bool:
    """Are links that begin so good enough for every letter?"""
    return bool(http_url(f"{public_url}/r/x"))


def _viewed(context: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The products of a browsing visit, which has no cart."""
    return [one for one in context.get("viewed") or () if isinstance(one, dict)]


def _item(line: Mapping[str, Any]) -> dict[str, Plain]:
    unit, quantity = int(line["unit_cents"]), int(line["quantity"])
    return item_values(
        title=str(line.get("title") or line["product_key"]),
        variant=str(line.get("variant") or ""),
        quantity=quantity,
        unit_cents=unit,
        line_cents=unit * quantity,
        image_url=str(line.get("image_url") or ""),
        url=str(line.get("url") or ""),
    )


def _recommendation(one: Mapping[str, Any]) -> dict[str, Plain]:
    return recommendation_values(
        title=str(one.get("title") or one["product_key"]),
        unit_cents=int(str(one["unit_cents"])),
        currency=str(one["currency"]),
        url=str(one.get("url") or ""),
        image_url=str(one.get("image_url") or ""),
    )
