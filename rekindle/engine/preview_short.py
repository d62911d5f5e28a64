"""What would a text message or a message on a screen look like? As `engine.preview` for letters: facts of the newest
cart or a made-up one, nobody's name, links that lead nowhere. Nothing is sent, stored or decided.
"""

from __future__ import annotations

from dataclasses import dataclass

from rekindle.engine.compose_sms import SmsLinks
from rekindle.engine.context import Context
from rekindle.engine.letter_facts import Links, letter_facts, shop_part
from rekindle.engine.preview import content_of, somebody
from rekindle.render.facts import FactsError
from rekindle.render.merge import TemplateError
from rekindle.render.plain import Facts
from rekindle.render.push import RenderedPush, compile_push, read_push_template, render_push
from rekindle.render.sms import Segments, compile_sms, lint_sms, render_sms, segments
from rekindle.store.configuration import TemplateContent
from rekindle.store.database import Connection
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPreview:
    """``size``: how it is encoded and what it costs."""

    text: str
    size: Segments
    is_sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPreview:
    """What a device shows."""

    shown: RenderedPush
    is_sample: bool


def preview_short(
    connection: Connection, context: Context, shop: ShopSettings, version_id: int
) -> TextPreview | ScreenPreview | Verdict | None:
    """How a template version for text messages or push looks, or why it would not go out; None when the shop has none
    of this id."""
    content = content_of(connection, shop, version_id)
    if content is None or content.channel not in (Channel.SMS.value, Channel.PUSH.value):
        return None
    try:
        return _written(connection, context, shop, version_id, content)
    except TemplateError as fault:
        return deny(Reason.RENDER_FAILED, why=str(fault)[:300])
    except FactsError as fault:
        return deny(Reason.CONTENT_MISSING, missing=[str(fault)[:300]])


def _written(
    connection: Connection, context: Context, shop: ShopSettings, version_id: int, content: TemplateContent
) -> TextPreview | ScreenPreview | Verdict:
    channel = Channel(content.channel)
    candidate, is_sample = somebody(connection, shop, channel, version_id, context.clock.now())
    row, cart, held = candidate.row, candidate.cart, candidate.held
    assert row is not None, "somebody has a send"
    assert cart is not None, "and a cart"
    count = len(row.context["links"])
    links = SmsLinks(context, held, count) if channel is Channel.SMS else Links(context.public_url, held, count)
    facts = letter_facts(row, cart, shop, shop_part(shop), links)
    if channel is Channel.PUSH:
        return ScreenPreview(
            shown=render_push(compile_push(read_push_template(content.source)), facts), is_sample=is_sample
        )
    return _text(content, facts, is_sample)


def _text(content: TemplateContent, facts: Facts, is_sample: bool) -> TextPreview | Verdict:
    text = render_sms(compile_sms(content.text), facts)
    errors = [found.code for found in lint_sms(text, facts)]
    if errors:
        return deny(Reason.CONTENT_MISSING, missing=errors)
    return TextPreview(text=text, size=segments(text), is_sample=is_sample)
