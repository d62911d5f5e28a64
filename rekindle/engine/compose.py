"""Which letter does this send become? Facts of a send in, a rendered and linted message out, or a verdict why not.

Called by ``engine.deliver`` after ``may_send`` said yes and before any lock: nothing here waits or writes. Templates
are compiled once per version and kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.lib.tokens import Purpose, make_token
from rekindle.providers.base import Letter, LetterParts
from rekindle.render.email import CompiledEmail, EmailTemplate, RenderedEmail, compile_email, render_email
from rekindle.render.facts import (
    CartFacts,
    FactsError,
    ItemFacts,
    LinkFacts,
    RecommendationFacts,
    ShopFacts,
    ShopperFacts,
    build_facts,
)
from rekindle.render.lint import lint_before_send, required_of
from rekindle.render.merge import TemplateError
from rekindle.render.mime import HeaderError, MailHeaders, build_message, piece_headers
from rekindle.store.database import Connection
from rekindle.store.outbox import Claimed
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def message_id(context: Context, send_id: UUID) -> str:
    """The Message-ID of a send, without angle brackets: the same for ever, also after a crash, so that a provider can
    be asked for it. Its domain is the installation's, which does not change when a shop changes its sender."""
    return f"{send_id}@{context.message_domain}"


class Composer:
    """Holds compiled templates by version id; versions never change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._compiled: dict[int, CompiledEmail | None] = {}
        self._shops: dict[int, tuple[ShopSettings, ShopFacts]] = {}

    def learn(self, connection: Connection, books: Books, version_ids: Iterable[int]) -> None:
        """Compile the versions that were never met before. One that is missing or does not compile stays unusable."""
        for version_id in set(version_ids) - self._compiled.keys():
            content = books.template_content(connection, version_id)
            self._compiled[version_id] = None
            if content is None:
                continue
            try:
                self._compiled[version_id] = compile_email(
                    EmailTemplate(content.subject, content.preheader, content.html, content.text)
                )
            except TemplateError:
                log.exception("template_unusable", extra={"facts": {"version": version_id}})

    def missing(self, shop: ShopSettings | None, version_id: int | None) -> tuple[str, ...] | None:
        """What every message of this shop would lack, before any facts of the cart; None when that cannot be told."""
        if shop is None or version_id is None:
            return None
        lacks = {
            "template": self._compiled.get(version_id) is None,
            "sender_name": not (shop.sender_name or shop.name).strip(),
            "sender_email": not shop.sender_email,
            "postal_address": not shop.postal_address.strip(),
        }
        return tuple(name for name, lacking in lacks.items() if lacking)

    def compose(self, candidate: Candidate, now: datetime, *, in_parts: bool = False) -> Letter | Verdict:
        """The message, or the verdict that denies it: nothing leaves with a hole in it.

        ``now`` becomes its date; the same facts and the same instant make the same letter, byte for byte. ``in_parts``:
        it also says its pieces.
        """
        try:
            return self._write(candidate, now, in_parts)
        except (TemplateError, HeaderError) as fault:
            return deny(Reason.RENDER_FAILED, why=str(fault)[:300])
        except FactsError as fault:
            return deny(Reason.CONTENT_MISSING, missing=[str(fault)[:300]])
        except (TypeError, ValueError, KeyError) as fault:  # data of a cart that no rule foresaw: this one send only
            log.exception("compose_failed", extra={"facts": {"send": str(candidate.held.id)}})
            return deny(Reason.RENDER_FAILED, why=type(fault).__name__)

    def _write(self, candidate: Candidate, now: datetime, in_parts: bool) -> Letter | Verdict:
        held, row, cart, shop = candidate.held, candidate.row, candidate.cart, candidate.shop
        compiled = self._compiled.get(row.template_version_id) if row else None
        if row is None or cart is None or shop is None or compiled is None:
            return deny(Reason.RENDER_FAILED, why="the template, the cart or the shop is missing")
        offers = [one for one in row.context.get("recommended") or () if isinstance(one, dict)]
        links = _Links(self._context.public_url, held, len(row.context.get("links") or ()))
        own_links = links.count - len(offers)  # the links of the items come first, those of the recommendations after
        lines = cart.items or [one for one in row.context.get("viewed") or () if isinstance(one, dict)]  # of a visit
        items = [(at, item) for at, item in enumerate(lines) if _priced(item)]
        if lines and not items:
            return deny(Reason.CONTENT_MISSING, missing=["price of any item"])
        facts = build_facts(
            shop=self._shop_facts(shop),
            shopper=ShopperFacts(first_name=row.first_name or ""),
            cart=CartFacts(
                items=[_item(item) for _, item in items],
                item_count=sum(int(item["quantity"]) for item in lines),
                total_cents=(cart.total_cents or 0)
                if cart.items
                else sum(int(line["unit_cents"] or 0) for line in lines),
                currency=cart.currency or shop.currency,
            ),
            links=LinkFacts(
                recover=links.recover,
                unsubscribe=links.optout,
                preferences=links.optout,
                items=[links.product(at) if at < own_links else "" for at, _ in items],
                recommendations=[links.product(own_links + at) for at, one in enumerate(offers) if _priced(one)],
            ),
            recommendations=[_recommendation(one) for one in offers if _priced(one)],
            step=int(row.context.get("step_number", 1)),
            locale=str(row.context.get("locale") or shop.locale),
        )
        email = render_email(compiled, facts)
        errors = [found.code for found in lint_before_send(email, required_of(facts))]
        if errors:
            return deny(Reason.CONTENT_MISSING, missing=errors)
        domain = shop.sender_email.rpartition("@")[2]
        headers = MailHeaders(
            from_address=shop.sender_email,
            from_name=shop.sender_name or shop.name,
            to_address=row.address or "",
            reply_to=shop.reply_to,
            subject=email.subject,
            date=now,
            message_id=message_id(self._context, held.id),
            send_id=str(SendReference(held.bucket, held.id)),
            unsubscribe_url=links.optout,
            list_id=f"carts.{domain}",
        )
        return Letter(
            send_id=headers.send_id,
            message_id=headers.message_id,
            sender=shop.sender_email,
            recipient=headers.to_address,
            content=build_message(headers, email),
            wire_safe=True,
            parts=_parts(headers, email) if in_parts else None,
        )

    def _shop_facts(self, shop: ShopSettings) -> ShopFacts:
        known = self._shops.get(shop.id)
        if known is None or known[0] is not shop:
            facts = ShopFacts(
                name=shop.name,
                url=shop.url,
                postal_address=shop.postal_address,
                support_email=shop.support_email,
                logo_url=shop.logo_url,
                brand_color=shop.brand_color,
            )
            known = self._shops[shop.id] = (shop, facts)
        return known[1]


def _parts(headers: MailHeaders, email: RenderedEmail) -> LetterParts:
    return LetterParts(
        from_address=headers.from_address,
        from_name=headers.from_name,
        to_name=headers.to_name,
        reply_to=headers.reply_to,
        subject=email.subject,
        text=email.text,
        html=email.html,
        headers=piece_headers(headers),
    )


class _Links:
    """Addresses in a message: each carries the bucket and names the send, nothing personal. ``count``: product links
    that exist, as fixed when the send was created."""

    def __init__(self, public_url: str, held: Claimed, count: int) -> None:
        token = make_token(held.bucket, held.id, held.seed, Purpose.LINK)
        self.recover = f"{public_url}/r/{token}"
        self.optout = f"{public_url}/u/{make_token(held.bucket, held.id, held.seed, Purpose.OPTOUT)}"
        self._products = f"{public_url}/c/{token}/"
        self.count = count

    def product(self, at: int) -> str:
        """The tracked link of the item at this place of the cart; empty where the send was created without one."""
        return f"{self._products}{at}" if at < self.count else ""


def _priced(row: Mapping[str, object]) -> bool:
    """A row without a price is not shown: a letter never guesses one."""
    return row.get("unit_cents") is not None


def _recommendation(one: Mapping[str, object]) -> RecommendationFacts:
    return RecommendationFacts(
        title=str(one.get("title") or one["product_key"]),
        unit_cents=int(str(one["unit_cents"])),
        currency=str(one["currency"]),
        url=str(one.get("url") or ""),
        image_url=str(one.get("image_url") or ""),
    )


def _item(item: Mapping[str, Any]) -> ItemFacts:
    unit, quantity = int(item["unit_cents"]), int(item["quantity"])
    return ItemFacts(
        title=str(item.get("title") or item["product_key"]),
        quantity=quantity,
        unit_cents=unit,
        line_cents=unit * quantity,
        variant=str(item.get("variant") or ""),
        image_url=str(item.get("image_url") or ""),
        url=str(item.get("url") or ""),
    )
