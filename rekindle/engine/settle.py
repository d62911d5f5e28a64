"""What became of the sends of a worker that died, and of those whose answer was lost?

Ended claims wait again: nothing was sent. Ended calls become `uncertain`. An uncertain send is cleared only after the
settle time, when nothing that was under way can still arrive: by asking the provider, or, where the provider answers
a repeated key without a second delivery, by sending it again under the same key. Otherwise it stays until a person
decides (``engine.doubt``). Nothing here repeats a message blindly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from rekindle.engine.batch import PACE, Pace
from rekindle.engine.compose import message_id
from rekindle.engine.compose_sms import cart_link
from rekindle.engine.context import Context
from rekindle.engine.make_provider import Provider
from rekindle.engine.repeat import may_repeat
from rekindle.engine.route import Routes
from rekindle.lib.ids import timed_id
from rekindle.providers.base import EmailProvider, SmsProvider, SmsTrace
from rekindle.store import outbox
from rekindle.store import settle as store
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.changed_hours import note_hours_of_sends_later
from rekindle.store.outbox import SendEventRow
from rekindle.store.settle import Doubt, EndedCall
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, SendEventKind
from rekindle.terms.send_reference import SendReference

#: A provider that does not know yet is asked again after this.
ASK_AGAIN = timedelta(minutes=5)
BATCH = 500

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Settled:
    """``released`` claims, new doubts (``doubted``), doubts cleared as ``sent`` and as ``to_send`` again."""

    released: int = 0
    doubted: int = 0
    sent: int = 0
    to_send: int = 0


class Settler:
    """Rescues and reconciles."""

    def __init__(self, context: Context, routes: Routes, pace: Pace = PACE) -> None:
        self._context, self._routes, self._pace = context, routes, pace
        self._asked: dict[object, datetime] = {}  # send -> when its provider was last asked in vain

    async def settle(self, link: AsyncConnection, buckets: Sequence[int]) -> Settled:
        """One sweep over these buckets."""
        now = self._context.clock.now()
        done = Settled()
        self._asked = {send: at for send, at in self._asked.items() if now - at < ASK_AGAIN}
        for bucket in await store.buckets_to_settle(link, buckets, now, now - self._pace.settle_time):
            done.released += await store.release_ended_claims(link, bucket, now, BATCH)
            done.doubted += await self._doubt(link, bucket, now)
            for doubt in await store.settled_doubts(link, bucket, now - self._pace.settle_time, BATCH):
                await self._clear(link, bucket, doubt, done)
        if done != Settled():
            log.info("settled", extra={"facts": {name: getattr(done, name) for name in done.__slots__}})
        return done

    async def _doubt(self, link: AsyncConnection, bucket: int, now: datetime) -> int:
        async with link.transaction():
            ended = await store.doubt_ended_calls(link, bucket, now, BATCH)
            rows = [_event(one, SendEventKind.UNCERTAIN, now, Reason.WORKER_DIED) for one in ended]
            await outbox.add_events(link, bucket, rows)
        return len(ended)

    async def _clear(self, link: AsyncConnection, bucket: int, doubt: Doubt, done: Settled) -> None:
        """Ask the provider, or rely on its keys; no transaction is open while it is asked."""
        if doubt.account_id is None or doubt.id in self._asked:
            return
        provider = await self._routes.provider_for_lookup(doubt.account_id)
        if provider is None:
            return
        was_sent = await self._was_sent(link, bucket, provider, doubt)
        now = self._context.clock.now()
        if was_sent is None:
            self._asked[doubt.id] = now
        elif was_sent:
            async with link.transaction():
                if await store.clear_doubt_sent(link, bucket, doubt):
                    row = _event(doubt, SendEventKind.HANDED_OVER, doubt.uncertain_at, None, found_by="look-up")
                    await outbox.add_events(link, bucket, [row])
                    await note_hours_of_sends_later(link, bucket, [doubt.id])
                    done.sent += 1
        else:
            only = None if provider.capabilities.lookup else doubt.account_id  # a key means nothing elsewhere
            done.to_send += await store.clear_doubt_not_sent(link, bucket, doubt, now, only_account=only)

    async def _was_sent(self, link: AsyncConnection, bucket: int, provider: Provider, doubt: Doubt) -> bool | None:
        """True and False only when it is certain, or (False) when a repeated key is harmless. None: nobody knows."""
        can = provider.capabilities
        if can.lookup:
            if doubt.channel == Channel.SMS.value:
                return await self._is_listed(link, bucket, cast("SmsProvider", provider), doubt)
            return await cast("EmailProvider", provider).lookup(message_id(self._context, doubt.id))
        if doubt.first_try_at is None or doubt.letter_hash is None:
            return None
        return False if may_repeat(can, doubt.first_try_at, self._context.clock.now()) else None

    async def _is_listed(self, link: AsyncConnection, bucket: int, provider: SmsProvider, doubt: Doubt) -> bool | None:
        """Is the text message in the gateway's list? Found by its link, which no other message holds."""
        number = await store.number_of_send(link, bucket, doubt.id)
        if number is None:
            return None
        trace = SmsTrace(
            send_id=str(SendReference(bucket, doubt.id)),
            recipient=number,
            marker=cart_link(self._context, bucket, bytes(doubt.seed)),
            since=doubt.uncertain_at - self._pace.sending_lease,
        )
        return await provider.lookup(trace)


def _event(
    one: EndedCall | Doubt, kind: SendEventKind, at: datetime, reason: Reason | None, **detail: object
) -> SendEventRow:
    return SendEventRow(
        id=timed_id(at, f"{one.id}:{kind.value}:{reason.value if reason else ''}".encode()),
        shop_id=one.shop_id,
        send_id=one.id,
        shopper_id=one.shopper_id,
        kind=kind.value,
        at=at,
        reason=reason.value if reason else None,
        detail={"account": one.account_id, **detail},
    )
