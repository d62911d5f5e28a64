"""Did the provider take this uncertain send? Asked when a person wants to know; the answer ends the doubt, or does not.

A provider that knows the message settles it as handed over. One that certainly does not gets it again, decided on like
any other. Whoever asked is kept with the answer. Nothing is asked before the settle time: what was under way when the
doubt began could still arrive after a no.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, cast
from uuid import UUID

import msgspec

from rekindle.engine.batch import PACE
from rekindle.engine.compose import message_id
from rekindle.engine.compose_sms import cart_link
from rekindle.engine.context import Context
from rekindle.engine.make_provider import Maker, Provider
from rekindle.engine.route import secret_owner
from rekindle.lib.ids import timed_id
from rekindle.lib.vault import VaultError, open_sealed
from rekindle.providers.base import EmailProvider, SmsProvider, SmsTrace
from rekindle.providers.http_client import HttpSettings
from rekindle.store import settle as store
from rekindle.store.changed_hours import note_hours_of_sends
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.store.outbox import SendEventRow
from rekindle.store.provider_accounts import sealed_account
from rekindle.store.settle import Doubt
from rekindle.terms.decision import Question, allow, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, SendEventKind
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings

_HTTP: Final = HttpSettings(connections=1, connect_s=8, answer_s=20)
_PATIENCE_S: Final = 25.0


class Finding(StrEnum):
    """What asking led to."""

    TAKEN = "taken"  #: the provider has it: settled as handed over
    NOT_TAKEN = "not_taken"  #: the provider never had it: it goes out again
    UNKNOWN = "unknown"  #: the provider does not know yet, or did not answer
    CANNOT_ASK = "cannot_ask"  #: this provider cannot be asked, or its account is gone
    TOO_EARLY = "too_early"  #: a no would not be certain yet
    SETTLED = "settled"  #: it is not uncertain any more


@dataclass(frozen=True, slots=True)
class LookedUp:
    """``ask_at``: when asking makes sense, where it is too early."""

    finding: Finding
    ask_at: datetime | None = None


def look_up(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    bucket: int,
    send_id: UUID,
    by: str,
    http: HttpSettings = _HTTP,
) -> LookedUp:
    """Ask the provider of an uncertain send and act on its answer. Waits up to 25 seconds; no transaction is open."""
    doubt = store.doubt_of_send(connection, bucket, send_id, shop.id)
    if doubt is None:
        return LookedUp(Finding.SETTLED)
    now, ask_at = context.clock.now(), doubt.uncertain_at + PACE.settle_time
    if now < ask_at:
        return LookedUp(Finding.TOO_EARLY, ask_at)
    question = _question(connection, context, bucket, doubt)
    was_sent, can_ask = asyncio.run(_ask(connection, context, shop, doubt, question, http=http))
    if not can_ask:
        return LookedUp(Finding.CANNOT_ASK)
    finding = {True: Finding.TAKEN, False: Finding.NOT_TAKEN, None: Finding.UNKNOWN}[was_sent]
    with connection.transaction():
        if not _settle(connection, bucket, doubt, finding, by=by, now=now):
            return LookedUp(Finding.SETTLED)
        write_decisions(connection, [_audit(connection, shop, bucket, doubt, finding, by=by, at=now)])
    return LookedUp(finding)


def _settle(connection: Connection, bucket: int, doubt: Doubt, finding: Finding, *, by: str, now: datetime) -> bool:
    """False when somebody else was faster."""
    if finding is Finding.TAKEN:
        if not store.end_doubt_sent(connection, bucket, doubt):
            return False
        row = SendEventRow(
            id=timed_id(doubt.uncertain_at, f"{doubt.id}:{SendEventKind.HANDED_OVER.value}:".encode()),
            shop_id=doubt.shop_id,
            send_id=doubt.id,
            shopper_id=doubt.shopper_id,
            kind=SendEventKind.HANDED_OVER.value,
            at=doubt.uncertain_at,
            reason=None,
            detail={"account": doubt.account_id, "found_by": "look-up", "by": by},
        )
        store.add_events(connection, bucket, msgspec.json.encode([row]).decode())
        note_hours_of_sends(connection, bucket, [doubt.id])
    elif finding is Finding.NOT_TAKEN:
        return store.end_doubt_not_sent(connection, bucket, doubt, now)
    return True


def _question(connection: Connection, context: Context, bucket: int, doubt: Doubt) -> SmsTrace | str | None:
    """By what the provider knows the message: an e-mail's id, or what a text message holds that no other does."""
    if doubt.channel == Channel.EMAIL.value:
        return message_id(context, doubt.id)
    number = store.phone_of_send(connection, bucket, doubt.id) if doubt.channel == Channel.SMS.value else None
    if number is None:
        return None
    return SmsTrace(
        send_id=str(SendReference(bucket, doubt.id)),
        recipient=number,
        marker=cart_link(context, bucket, bytes(doubt.seed)),
        since=doubt.uncertain_at - PACE.sending_lease,
    )


async def _ask(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    doubt: Doubt,
    question: SmsTrace | str | None,
    *,
    http: HttpSettings,
) -> tuple[bool | None, bool]:
    """What the provider says, and whether it could be asked at all."""
    stored = sealed_account(connection, shop_id=shop.id, account_id=doubt.account_id or 0)
    if stored is None or question is None:
        return None, False
    maker = Maker(context.clock, http)
    try:
        secret = open_sealed(context.vault_key, stored.secret, secret_owner(shop.id)) if stored.secret else b""
        provider: Provider = maker(stored.kind, stored.options, secret)
    except (VaultError, ValueError):
        return None, False
    try:
        if not provider.capabilities.lookup:
            return None, False
        async with asyncio.timeout(_PATIENCE_S):
            await provider.open()
            if isinstance(question, SmsTrace):
                return await cast("SmsProvider", provider).lookup(question), True
            return await cast("EmailProvider", provider).lookup(question), True
    except TimeoutError:
        return None, True
    finally:
        await provider.close()
        await maker.close()


def _audit(
    connection: Connection, shop: ShopSettings, bucket: int, doubt: Doubt, finding: Finding, *, by: str, at: datetime
) -> DecisionRow:
    cart_id, step = store.cart_and_step(connection, bucket, doubt.id)
    verdict = allow if finding is Finding.NOT_TAKEN else deny
    return DecisionRow(
        bucket=bucket,
        shop_id=shop.id,
        at=at,
        question=Question.MAY_SEND,
        verdict=verdict(Reason.OPERATOR, choice="look_up", answer=finding.value, by=by),
        cart_id=cart_id,
        shopper_id=doubt.shopper_id,
        send_id=doubt.id,
        step=step,
    )
