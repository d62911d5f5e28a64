"""Does this account work? A real message to somebody of the shop goes out by it, and the provider's answer is told.

It is composed like any other, under an id of its own; no send, event or decision is stored of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.make_provider import SMTP, Maker, Provider, make_provider, needs_parts
from rekindle.engine.preview import compose_preview
from rekindle.engine.route import secret_owner
from rekindle.lib.ids import fresh_timed_id
from rekindle.lib.vault import VaultError, open_sealed
from rekindle.providers.base import (
    Accepted,
    Letter,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Sms,
)
from rekindle.providers.email.smtp import Timeouts
from rekindle.providers.http_client import HttpSettings
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import SealedAccount, sealed_account
from rekindle.terms.decision import Verdict
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

#: Somebody sits in front of the page and waits.
_PATIENCE: Final = Timeouts(connect=8, command=10, final=20, close=2, drain=2)
_HTTP: Final = HttpSettings(connections=1, connect_s=8, answer_s=20)
_PATIENCE_S: Final = 25.0
_VALID_FOR_S: Final = 600

_Message: TypeAlias = Letter | Sms


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a message that was only sent to see whether the account works. ``answer``: the provider's own
    words, empty where there are none."""

    worked: bool
    text: str
    answer: str = ""


def try_account(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    account_id: int,
    to: str,
    version_id: int | None = None,
    sender: str = "",
    http: HttpSettings = _HTTP,
) -> Trial:
    """Send something to ``to`` (normalised) through an account, and say what the provider answered.

    ``version_id``: the template of a letter; ``sender``: number or name that a short message comes from, where the
    account does not decide that. Waits up to 25 seconds.
    """
    stored = sealed_account(connection, shop_id=shop.id, account_id=account_id)
    if stored is None:
        return Trial(False, "There is no such account.")
    message = (
        _letter(connection, context, shop, version_id, to=to, in_parts=needs_parts(stored.kind))
        if stored.channel == Channel.EMAIL.value
        else _sms(context, shop, sender, to)
    )
    if isinstance(message, Trial):
        return message
    return asyncio.run(_try(context, shop, stored, message, http))


def _letter(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    version_id: int | None,
    *,
    to: str,
    in_parts: bool,
) -> Letter | Trial:
    if version_id is None:
        return Trial(False, "The shop has no message to send.")
    mine = _test_id(context)
    composed = compose_preview(connection, context, shop, version_id, to=to, as_id=mine, in_parts=in_parts)
    if composed is None:
        return Trial(False, "The shop has no message to send.")
    if isinstance(composed.made, Verdict):
        missing = composed.made.evidence.get("missing") or composed.made.evidence.get("why") or ""
        return Trial(False, f"{composed.made.reason.sentence} {missing}".strip())
    return composed.made


def _sms(context: Context, shop: ShopSettings, sender: str, to: str) -> Sms:
    text = f"{shop.name}: this is a test. Short messages of your shop go out like this one."
    return Sms(send_id=str(_test_id(context)), recipient=to, text=text, valid_for_s=_VALID_FOR_S, sender=sender)


def _test_id(context: Context) -> UUID:
    return fresh_timed_id(context.clock.now())


async def _try(
    context: Context, shop: ShopSettings, stored: SealedAccount, message: _Message, http: HttpSettings
) -> Trial:
    maker = Maker(context.clock, http)
    try:
        secret = open_sealed(context.vault_key, stored.secret, secret_owner(shop.id)) if stored.secret else b""
        if stored.kind == SMTP:
            provider: Provider = make_provider(stored.kind, stored.options, secret, timeouts=_PATIENCE)
        else:
            provider = maker(stored.kind, stored.options, secret)
    except (VaultError, ValueError) as mistake:
        return Trial(False, f"The account cannot be used: {mistake}.")
    try:
        return _told(await _hand_over(provider, message))
    finally:
        await maker.close()


async def _hand_over(provider: Provider, message: _Message) -> Outcome | None:
    """The provider's answer; None when it took longer than a person waits."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await provider.open()
            if not await provider.prepare(1):
                return provider.trouble
            return await asyncio.shield(_start(provider, message))
    except TimeoutError:
        return None
    finally:
        await provider.close()


def _start(provider: Provider, message: _Message) -> asyncio.Future[Outcome]:
    (answer,) = provider.start([message])  # type: ignore[list-item]  # the account's channel has chosen both
    return answer


def _told(answer: Outcome | None) -> Trial:
    if isinstance(answer, Accepted):
        named = f"under the id {answer.provider_id}" if answer.provider_id else ""
        return Trial(True, f"The provider took the message {named}".strip() + ".", answer.detail)
    if isinstance(answer, Rejected):
        return Trial(False, "The provider refused the message.", f"{answer.code} {answer.detail}".strip())
    if isinstance(answer, NotStarted):
        text = "The account could not be used; nothing was sent."
        if answer.pause is Pause.OPERATOR:
            text = "The provider refuses this account; nothing was sent. Look at its key, sender and plan."
        return Trial(False, text, f"{answer.code} {answer.detail}".strip())
    return Trial(False, "The provider did not answer in time; it may or may not have taken the message.")
