"""Which message asks an address to confirm? Facts of its send in, a letter or a text out, or a verdict why not."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rekindle.engine.compose_sms import report_url
from rekindle.engine.context import Context
from rekindle.engine.facts import Candidate
from rekindle.lib.tokens import Purpose, make_short_token, make_token
from rekindle.policy.confirmation import LIFE
from rekindle.providers.base import Letter, LetterParts, Sms
from rekindle.render.confirmation import Asked, confirmation_email, confirmation_sms
from rekindle.render.merge import TemplateError
from rekindle.render.mime import HeaderError, MailHeaders, build_message, piece_headers
from rekindle.store.configuration import ProviderAccountRow
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings

#: A text that arrives later than this would come as a surprise.
SMS_VALID_S: Final = 3_600


def missing_of_confirmation(channel: str, shop: ShopSettings | None) -> tuple[str, ...] | None:
    """What every question of this shop would lack; None when that cannot be told."""
    if shop is None:
        return None
    lacks = {"sender_name": not (shop.sender_name or shop.name).strip()}
    if channel == Channel.EMAIL.value:
        lacks |= {"sender_email": not shop.sender_email, "postal_address": not shop.postal_address.strip()}
    return tuple(name for name, lacking in lacks.items() if lacking)


def compose_confirmation(
    context: Context, candidate: Candidate, account: ProviderAccountRow | None, now: datetime, *, in_parts: bool
) -> Letter | Sms | Verdict:
    """The message; the same facts and the same instant make the same one."""
    try:
        if candidate.held.channel == Channel.SMS.value:
            return _text(context, candidate, account)
        return _letter(context, candidate, now, in_parts)
    except (TemplateError, HeaderError, KeyError, TypeError, ValueError) as fault:
        return deny(Reason.RENDER_FAILED, why=str(fault)[:300])


def confirm_url(context: Context, token: str) -> str:
    return f"{context.public_url}/k/{token}"


def _letter(context: Context, candidate: Candidate, now: datetime, in_parts: bool) -> Letter | Verdict:
    held, row, shop = candidate.held, candidate.row, candidate.shop
    asks = row.context.get("asks") if row else None
    if row is None or shop is None or not row.address or not isinstance(asks, dict):
        return deny(Reason.RENDER_FAILED, why="the question, the address or the shop is missing")
    link = confirm_url(context, make_token(held.bucket, held.id, held.seed, Purpose.CONFIRM))
    sender = (shop.sender_name or shop.name).strip()
    email = confirmation_email(
        Asked(
            shop=shop.name,
            sender=sender,
            postal_address=shop.postal_address.strip(),
            brand_color=shop.brand_color,
            locale=str(row.context.get("locale") or shop.locale),
            agreed=str(asks["agreed"]),
            link=link,
            until=(row.planned_at + LIFE).date(),
        )
    )
    headers = MailHeaders(
        from_address=shop.sender_email,
        from_name=sender,
        to_address=row.address,
        reply_to=shop.reply_to,
        subject=email.subject,
        date=now,
        message_id=f"{held.id}@{context.message_domain}",
        send_id=f"{held.bucket}-{held.id}",
        unsubscribe_url=f"{context.public_url}/u/{make_token(held.bucket, held.id, held.seed, Purpose.OPTOUT)}",
        list_id=f"carts.{shop.sender_email.rpartition('@')[2]}",
    )
    parts = LetterParts(
        from_address=headers.from_address,
        from_name=headers.from_name,
        to_name="",
        reply_to=headers.reply_to,
        subject=email.subject,
        text=email.text,
        html=email.html,
        headers=piece_headers(headers),
    )
    return Letter(
        send_id=headers.send_id,
        message_id=headers.message_id,
        sender=shop.sender_email,
        recipient=headers.to_address,
        content=build_message(headers, email),
        wire_safe=True,
        parts=parts if in_parts else None,
    )


def _text(context: Context, candidate: Candidate, account: ProviderAccountRow | None) -> Sms | Verdict:
    held, row, shop = candidate.held, candidate.row, candidate.shop
    if row is None or shop is None or not row.address or account is None:
        return deny(Reason.RENDER_FAILED, why="the number, the shop or the account is missing")
    link = confirm_url(context, make_short_token(held.bucket, held.seed, Purpose.CONFIRM))
    return Sms(
        send_id=str(SendReference(held.bucket, held.id)),
        recipient=row.address,
        text=confirmation_sms(shop.sender_name or shop.name, str(row.context.get("locale") or shop.locale), link),
        valid_for_s=SMS_VALID_S,
        sender=str(account.options.get("sender", "")),
        report_url=report_url(context, account),
    )
