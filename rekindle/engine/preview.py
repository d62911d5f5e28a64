"""What would a message look like? The same letter that `engine.compose` writes, for the newest cart or a made-up one.

Nothing is sent, stored or decided; the links in it lead nowhere, because their seed belongs to no send. Nobody's name
is shown: the cart is real, the shopper is not.
"""

from __future__ import annotations

import email
from dataclasses import dataclass
from datetime import datetime
from email.policy import default as modern
from typing import Any, Final
from uuid import UUID

from rekindle.engine.books import Books
from rekindle.engine.compose import Composer
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.providers.base import Letter
from rekindle.render.email import RenderedEmail
from rekindle.store.buckets import buckets_of
from rekindle.store.configuration import TemplateContent
from rekindle.store.database import Connection
from rekindle.store.outbox import CartRow, Claimed, SendRow
from rekindle.store.statements import sql
from rekindle.terms.cart import CartState, Stage
from rekindle.terms.decision import Verdict
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

NAME: Final = "Ada"
_NOBODY: Final = UUID(int=0)
_SAMPLE_ITEMS: Final[list[dict[str, Any]]] = [
    {
        "product_key": "jacket",
        "title": "Trail rain jacket",
        "variant": "Pine green, M",
        "quantity": 1,
        "unit_cents": 14_900,
    },
    {"product_key": "socks", "title": "Merino hiking socks, pack of two", "quantity": 2, "unit_cents": 2_450},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Either ``email``, or ``verdict``: why this message would not go out. ``is_sample``: the cart is made up."""

    email: RenderedEmail | None
    verdict: Verdict | None
    is_sample: bool


@dataclass(frozen=True, slots=True)
class ComposedPreview:
    """What `engine.compose` made: a letter, or the verdict that denies it."""

    made: Letter | Verdict
    is_sample: bool


def preview_email(connection: Connection, context: Context, shop: ShopSettings, version_id: int) -> Preview | None:
    """How a template version of this shop looks; None when the shop has no such version."""
    composed = compose_preview(connection, context, shop, version_id, to="ada@example.com")
    if composed is None:
        return None
    if isinstance(composed.made, Letter):
        return Preview(email=read_letter(composed.made), verdict=None, is_sample=composed.is_sample)
    return Preview(email=None, verdict=composed.made, is_sample=composed.is_sample)


def compose_preview(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    version_id: int,
    *,
    to: str,
    as_id: UUID = _NOBODY,
    in_parts: bool = False,
) -> ComposedPreview | None:
    """The letter of a template version, addressed to somebody; None when the shop has no such version.

    ``as_id``: a letter that really leaves needs an id of its own, or mailboxes and providers take it for one they have.
    """
    books, now = Books(), context.clock.now()
    content = content_of(connection, shop, version_id, books)
    if content is None or content.channel != Channel.EMAIL.value:
        return None
    composer = Composer(context)
    composer.learn(connection, books, [version_id])
    candidate, is_sample = somebody(connection, shop, Channel.EMAIL, version_id, now, to=to, as_id=as_id)
    return ComposedPreview(composer.compose(candidate, now, in_parts=in_parts), is_sample)


def content_of(
    connection: Connection, shop: ShopSettings, version_id: int, books: Books | None = None
) -> TemplateContent | None:
    """A template version of this shop; None when the shop has no such version."""
    content = (books or Books()).template_content(connection, version_id)
    return content if content is not None and content.shop_id == shop.id else None


def somebody(
    connection: Connection,
    shop: ShopSettings,
    channel: Channel,
    version_id: int,
    now: datetime,
    *,
    to: str = "",
    as_id: UUID = _NOBODY,
) -> tuple[Candidate, bool]:
    """A shopper who is nobody, with the newest cart of the shop; and whether even that had to be made up."""
    cart = _newest_cart(connection, shop)
    items, currency, total = cart or (_SAMPLE_ITEMS, shop.currency, 19_800)
    held = Claimed(0, as_id, shop.id, _NOBODY, _NOBODY, channel.value, 0, now, bytes(16))
    row = SendRow._make([None] * len(SendRow._fields))._replace(
        id=as_id,
        template_version_id=version_id,
        context={"links": [""] * len(items), "locale": shop.locale, "step_number": 1},
        first_name=NAME,
        address=to,
    )
    about = CartRow(_NOBODY, CartState.ABANDONED.value, now, False, items, currency, total, Stage.CHECKOUT.value)
    return Candidate(held, row, about, shop, ()), cart is None


def read_letter(letter: Letter) -> RenderedEmail:
    """The parts of a letter, read back from the very bytes that a provider would get."""
    message = email.message_from_bytes(letter.content, policy=modern)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    return RenderedEmail(
        subject=str(message["Subject"]),
        html=str(html.get_content()) if html else "",
        text=str(text.get_content()) if text else "",
    )


def _newest_cart(connection: Connection, shop: ShopSettings) -> tuple[list[dict[str, Any]], str, int] | None:
    values = {"buckets": buckets_of(shop), "shop_id": shop.id}
    row = connection.execute(sql("cart_for_preview"), values).fetchone()
    return (row[0], row[1] or shop.currency, row[2]) if row else None
