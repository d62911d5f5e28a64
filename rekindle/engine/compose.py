"""Which letter does this send become? Facts of a send in, a rendered and linted message out, or a verdict why not.

Called by ``engine.deliver`` after ``may_send`` said yes and before any lock: nothing here waits or writes. Templates
are compiled once per version and kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.engine.letter_facts import Links, can_link, letter_facts
from rekindle.providers.base import Letter, LetterParts
from rekindle.render.email import CompiledEmail, EmailTemplate, RenderedEmail, compile_email, render_email
from rekindle.render.facts import FactsError, ShopFacts, shop_values
from rekindle.render.lint import lint_before_send, required_of
from rekindle.render.merge import TemplateError
from rekindle.render.mime import HeaderError, Letterhead, MailHeaders, build_message, piece_headers
from rekindle.render.plain import Facts, Plain
from rekindle.render.quick_letter import write_bare, write_for_mail
from rekindle.store.database import Connection
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def message_id(context: Context, send_id: UUID) -> str:
    """The Message-ID of a send, without angle brackets: the same for ever, also after a crash, so that a provider can
    be asked for it. Its domain is the installation's, which does not change when a shop changes its sender."""
    return f"{send_id}@{context.message_domain}"


@dataclass(frozen=True, slots=True)
class _Shop:
    """What all letters of a shop share, made once for each state of its settings."""

    settings: ShopSettings
    values: Plain
    letterhead: Letterhead


class Composer:
    """Holds compiled templates by version id; versions never change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._compiled: dict[int, CompiledEmail | None] = {}
        self._shops: dict[int, _Shop] = {}
        self._can_link = can_link(context.public_url)
        self._domain = context.message_domain

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
        if not self._can_link:
            raise FactsError("links.recover: must be an http or https address")
        known = self._shop(shop)
        links = Links(self._context.public_url, held, len(row.context.get("links") or ()))
        facts = letter_facts(row, cart, shop, known.values, links)
        send_id = str(held.id)  # spelled once: see `message_id` and `SendReference`
        headers = MailHeaders(
            from_address=shop.sender_email,
            from_name=shop.sender_name or shop.name,
            to_address=row.address or "",
            reply_to=shop.reply_to,
            subject="",
            date=now,
            message_id=f"{send_id}@{self._domain}",
            send_id=f"{held.bucket}-{send_id}",
            unsubscribe_url=links.optout,
            list_id=_list_id(shop),
        )
        written = _quickly(compiled, facts, known.letterhead, headers, in_parts)
        if written is None:
            email = render_email(compiled, facts)
            errors = [found.code for found in lint_before_send(email, required_of(facts))]
            if errors:
                return deny(Reason.CONTENT_MISSING, missing=errors)
            written = build_message(replace(headers, subject=email.subject), email), email
        content, parts = written
        return Letter(
            send_id=headers.send_id,
            message_id=headers.message_id,
            sender=shop.sender_email,
            recipient=headers.to_address,
            content=content,
            wire_safe=True,
            parts=_parts(headers, parts) if in_parts and parts else None,
        )

    def _shop(self, shop: ShopSettings) -> _Shop:
        known = self._shops.get(shop.id)
        if known is None or known.settings is not shop:
            values = shop_values(
                ShopFacts(
                    name=shop.name,
                    url=shop.url,
                    postal_address=shop.postal_address,
                    support_email=shop.support_email,
                    logo_url=shop.logo_url,
                    brand_color=shop.brand_color,
                )
            )
            letterhead = Letterhead(
                from_address=shop.sender_email,
                from_name=shop.sender_name or shop.name,
                reply_to=shop.reply_to,
                list_id=_list_id(shop),
            )
            known = self._shops[shop.id] = _Shop(shop, values, letterhead)
        return known


def _quickly(
    compiled: CompiledEmail, facts: Facts, letterhead: Letterhead, headers: MailHeaders, in_parts: bool
) -> tuple[bytes, RenderedEmail | None] | None:
    """The message, or where they are wanted its pieces; None when this letter needs the template engine."""
    quick = compiled.quick
    if quick is None:
        return None
    written = write_bare(quick, facts) if in_parts else write_for_mail(quick, facts)
    if written is None:
        return None
    subject, text, html = written
    if in_parts:
        letterhead.check(headers, subject)
        return b"", RenderedEmail(subject, html, text)
    return letterhead.message(headers, subject=subject, text=text, html=html), None


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


def _list_id(shop: ShopSettings) -> str:
    return f"carts.{shop.sender_email.rpartition('@')[2]}"
