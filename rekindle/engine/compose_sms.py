"""Which text message does this send become? As ``engine.compose`` for e-mail: facts in, a linted text or a verdict out.

The way back to the cart is a short link of its own: half the length, as hard to guess. Every message carries the time
after which the gateway must give it up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate, law_of, plausible_zones
from rekindle.engine.letter_facts import Links, letter_facts, shop_part
from rekindle.lib.tokens import make_short_token
from rekindle.policy.validity import LEAST, last_moment
from rekindle.providers.base import Sms
from rekindle.render.facts import FactsError
from rekindle.render.merge import TemplateError
from rekindle.render.sms import CompiledSms, compile_sms, lint_sms, render_sms
from rekindle.store.configuration import ProviderAccountRow
from rekindle.store.database import Connection
from rekindle.store.outbox import Claimed
from rekindle.terms.decision import Verdict, defer, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def cart_link(context: Context, bucket: int, seed: bytes) -> str:
    """The short way back to the cart of a send; no other message holds it."""
    return f"{context.public_url}/r/{make_short_token(bucket, seed)}"


class TextComposer:
    """Holds compiled templates by version id; versions never change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._compiled: dict[int, CompiledSms | None] = {}

    def learn(self, connection: Connection, books: Books, version_ids: Iterable[int]) -> None:
        """Compile the versions that were never met before. One that is missing or does not compile stays unusable."""
        for version_id in set(version_ids) - self._compiled.keys():
            content = books.template_content(connection, version_id)
            self._compiled[version_id] = None
            if content is None or content.channel != Channel.SMS.value:
                continue
            try:
                self._compiled[version_id] = compile_sms(content.text)
            except TemplateError:
                log.exception("template_unusable", extra={"facts": {"version": version_id}})

    def missing(self, shop: ShopSettings | None, version_id: int | None) -> tuple[str, ...] | None:
        """What every text message of this shop would lack; None when that cannot be told."""
        if shop is None or version_id is None:
            return None
        lacks = {"template": self._compiled.get(version_id) is None, "sender_name": not _sender_name(shop)}
        return tuple(name for name, lacking in lacks.items() if lacking)

    def compose(self, candidate: Candidate, account: ProviderAccountRow | None, now: datetime) -> Sms | Verdict:
        """The message for an account, or the verdict that denies it or puts it off."""
        try:
            return self._write(candidate, account, now)
        except TemplateError as fault:
            return deny(Reason.RENDER_FAILED, why=str(fault)[:300])
        except FactsError as fault:
            return deny(Reason.CONTENT_MISSING, missing=[str(fault)[:300]])
        except (TypeError, ValueError, KeyError) as fault:  # data of a cart that no rule foresaw: this one send only
            log.exception("compose_failed", extra={"facts": {"send": str(candidate.held.id)}})
            return deny(Reason.RENDER_FAILED, why=type(fault).__name__)

    def _write(self, candidate: Candidate, account: ProviderAccountRow | None, now: datetime) -> Sms | Verdict:
        held, row, cart, shop = candidate.held, candidate.row, candidate.cart, candidate.shop
        compiled = self._compiled.get(row.template_version_id) if row else None
        if row is None or cart is None or shop is None or compiled is None or account is None:
            return deny(Reason.RENDER_FAILED, why="the template, the cart, the shop or the account is missing")
        if row.abandoned_at is None or not row.address:
            return deny(Reason.RENDER_FAILED, why="the run or the number is missing")
        law = law_of(candidate, Channel.SMS)
        if law.rules is None:
            return deny(Reason.EVALUATION_FAILED, error="no policy pack")
        zones = plausible_zones(row, shop)
        valid_for = last_moment(row.abandoned_at, law.rules.windows, zones, now, law.holidays(now)) - now
        if valid_for < LEAST:
            return defer(Reason.QUIET_HOURS, now + LEAST, why="it could not be delivered before the window closes")
        links = SmsLinks(self._context, held, len(row.context.get("links") or ()))
        facts = letter_facts(row, cart, shop, shop_part(shop), links)
        text = render_sms(compiled, facts)
        errors = [found.code for found in lint_sms(text, facts)]
        if errors:
            return deny(Reason.CONTENT_MISSING, missing=errors)
        return Sms(
            send_id=str(SendReference(held.bucket, held.id)),
            recipient=row.address,
            text=text,
            valid_for_s=int(valid_for / timedelta(seconds=1)),
            sender=str(account.options.get("sender", "")),
            report_url=report_url(self._context, account),
        )


def report_url(context: Context, account: ProviderAccountRow) -> str:
    """Where a gateway reports what became of a text; empty for one that cannot reach us."""
    from rekindle.engine.hooks import hook_url  # with the whole catalogue behind it: not for those who never text
    from rekindle.providers.catalogue import KINDS

    if account.kind not in KINDS or not context.public_url.startswith("https://"):
        return ""  # a gateway reports to the public web only
    return hook_url(context, account.kind, account.id, account.hook_serial)


class SmsLinks(Links):
    """As in a letter, with a shorter way back."""

    def __init__(self, context: Context, held: Claimed, count: int) -> None:
        super().__init__(context.public_url, held, count)
        self.recover = cart_link(context, held.bucket, held.seed)


def _sender_name(shop: ShopSettings) -> str:
    return (shop.sender_name or shop.name).strip()
