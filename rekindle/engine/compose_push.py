"""Which message on a screen does this send become? As ``engine.compose`` for e-mail: one for all devices of a shopper.

A click and the first button lead to the recovery link, which is noted like one in a letter; the second button leads to
the page on which everything can be stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.device_kinds import served_by
from rekindle.engine.facts import Candidate
from rekindle.engine.letter_facts import Links, can_link, letter_facts, shop_part
from rekindle.providers.base import Push, PushAction
from rekindle.render.facts import FactsError
from rekindle.render.merge import TemplateError
from rekindle.render.push import CompiledPush, compile_push, read_push_template, render_push
from rekindle.store.configuration import ProviderAccountRow
from rekindle.store.database import Connection
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

#: A device that was off for longer gets nothing: a reminder of this morning is none in the evening.
LIFE_S: Final = 4 * 3600


class PushComposer:
    """Holds compiled templates by version id; versions never change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._compiled: dict[int, CompiledPush | None] = {}

    def learn(self, connection: Connection, books: Books, version_ids: Iterable[int]) -> None:
        """Compile the versions that were never met before. One that is missing or does not compile stays unusable."""
        for version_id in set(version_ids) - self._compiled.keys():
            content = books.template_content(connection, version_id)
            self._compiled[version_id] = None
            if content is None or content.channel != Channel.PUSH.value:
                continue
            try:
                self._compiled[version_id] = compile_push(read_push_template(content.source))
            except TemplateError:
                log.exception("template_unusable", extra={"facts": {"version": version_id}})

    def missing(self, shop: ShopSettings | None, version_id: int | None) -> tuple[str, ...] | None:
        """What every push message of this shop would lack; None when that cannot be told."""
        if shop is None or version_id is None:
            return None
        return ("template",) if self._compiled.get(version_id) is None else ()

    def compose(self, candidate: Candidate, account: ProviderAccountRow | None) -> Push | Verdict:
        """The message for those devices that the account reaches, or the verdict that denies it."""
        try:
            return self._write(candidate, account)
        except TemplateError as fault:
            return deny(Reason.RENDER_FAILED, why=str(fault)[:300])
        except FactsError as fault:
            return deny(Reason.CONTENT_MISSING, missing=[str(fault)[:300]])
        except (TypeError, ValueError, KeyError) as fault:  # data of a cart that no rule foresaw: this one send only
            log.exception("compose_failed", extra={"facts": {"send": str(candidate.held.id)}})
            return deny(Reason.RENDER_FAILED, why=type(fault).__name__)

    def _write(self, candidate: Candidate, account: ProviderAccountRow | None) -> Push | Verdict:
        held, row, cart, shop = candidate.held, candidate.row, candidate.cart, candidate.shop
        compiled = self._compiled.get(row.template_version_id) if row else None
        if row is None or cart is None or shop is None or compiled is None or account is None:
            return deny(Reason.RENDER_FAILED, why="the template, the cart, the shop or the account is missing")
        if not can_link(self._context.public_url):
            raise FactsError("links.recover: must be an http or https address")
        links = Links(self._context.public_url, held, len(row.context.get("links") or ()))
        shown = render_push(compiled, letter_facts(row, cart, shop, shop_part(shop), links))
        buttons = ((shown.button, links.recover), (shown.stop, links.optout))
        return Push(
            send_id=str(SendReference(held.bucket, held.id)),
            devices=served_by(account.kind, candidate.devices),
            title=shown.title,
            body=shown.body,
            url=links.recover,
            topic=row.cart_id.hex,
            valid_for_s=LIFE_S,
            icon=shown.icon,
            image=shown.image,
            actions=tuple(PushAction(title, url) for title, url in buttons if title),
            locale=str(row.context.get("locale") or shop.locale),
        )
