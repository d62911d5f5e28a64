"""By which account does a shop send e-mail? Saved with its password sealed, and tried out with a real letter."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from rekindle.engine.context import Context
from rekindle.engine.make_provider import DEFAULT_CONNECTIONS, SMTP, make_provider, smtp_settings
from rekindle.engine.preview import compose_preview
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import VaultError, open_sealed, seal
from rekindle.providers.base import Accepted, EmailProvider, Letter, NotStarted, Outcome, Rejected
from rekindle.providers.email.smtp import Timeouts
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import change_account, insert_account, sealed_account
from rekindle.terms.decision import Verdict
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

#: Somebody sits in front of the page and waits.
_PATIENCE = Timeouts(connect=8, command=10, final=20, close=2, drain=2)
_PATIENCE_S = 25.0


class AccountError(Exception):
    """The account cannot be used like this; the text says why, to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """One SMTP account as typed in. ``tls``: starttls, implicit or none; ``password`` None keeps the stored one;
    ``connections``: most that a worker keeps open at once."""

    host: str
    port: int
    tls: str
    username: str
    password: str | None = field(default=None, repr=False)
    connections: int = DEFAULT_CONNECTIONS


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a letter that was only sent to see whether the account works."""

    worked: bool
    text: str


def save_smtp_account(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    account: SmtpAccount,
    *,
    account_id: int | None,
    by: int,
) -> int:
    """Store or change the shop's SMTP account; a pause of it ends. Raises AccountError, nothing is stored then."""
    options: dict[str, object] = {
        "host": account.host,
        "port": account.port,
        "tls": account.tls,
        "username": account.username,
        "connections": account.connections,
    }
    try:
        smtp_settings(options, (account.password or "").encode())
    except ValueError as mistake:
        raise AccountError(f"{mistake}".capitalize() + ".") from None
    sealed = None
    if account.password is not None:
        sealed = seal(context.vault_key, account.password.encode(), secret_owner(shop.id))
    if account_id is None:
        account_id = insert_account(
            connection,
            shop_id=shop.id,
            channel=Channel.EMAIL.value,
            kind=SMTP,
            name=account.host,
            options=options,
            secret=sealed or b"",
        )
    elif not change_account(
        connection, shop_id=shop.id, account_id=account_id, name=account.host, options=options, secret=sealed
    ):
        raise AccountError("This account is gone; reload the page.")
    log.info("account_saved", extra={"facts": {"shop": shop.id, "account": account_id, "by": by}})
    return account_id


def try_account(
    connection: Connection, context: Context, shop: ShopSettings, *, account_id: int, version_id: int, to: str
) -> Trial:
    """Send a shop's own message to somebody of the shop by this account, and say what the server answered.

    It is composed like any other; no send, event or decision is stored. Waits up to 25 seconds.
    """
    stored = sealed_account(connection, shop_id=shop.id, account_id=account_id)
    if stored is None:
        return Trial(False, "There is no such account.")
    composed = compose_preview(connection, context, shop, version_id, to=to)
    if composed is None:
        return Trial(False, "The shop has no message to send.")
    if isinstance(composed.made, Verdict):
        missing = composed.made.evidence.get("missing") or composed.made.evidence.get("why") or ""
        return Trial(False, f"{composed.made.reason.sentence} {missing}".strip())
    try:
        secret = open_sealed(context.vault_key, stored.secret, secret_owner(shop.id)) if stored.secret else b""
        provider = make_provider(stored.kind, stored.options, secret, timeouts=_PATIENCE)
    except (VaultError, ValueError) as mistake:
        return Trial(False, f"The account cannot be used: {mistake}.")
    return _trial(asyncio.run(_hand_over(provider, composed.made)))


async def _hand_over(provider: EmailProvider, letter: Letter) -> Outcome | NotStarted | None:
    """The provider's answer; None when it took longer than a person waits."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await provider.open()
            if not await provider.prepare(1):
                return provider.trouble
            (answer,) = provider.start([letter])
            return await asyncio.shield(answer)
    except TimeoutError:
        return None
    finally:
        await provider.close()


def _trial(answer: Outcome | NotStarted | None) -> Trial:
    if isinstance(answer, Accepted):
        return Trial(True, f"The server took the letter: {answer.detail or 'no comment'}")
    if isinstance(answer, Rejected):
        return Trial(False, f"The server refused the letter: {answer.code} {answer.detail}".strip())
    if isinstance(answer, NotStarted):
        return Trial(False, f"The server could not be used: {answer.detail}")
    return Trial(False, "The server did not answer in time; it may or may not have taken the letter.")
