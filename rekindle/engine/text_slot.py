"""Does a cart get no second text message, whatever way it comes? A key of the database says so, just before the call.

``may_send`` counts what went before; this holds also for what it cannot see: two workers, a message copied by hand, one
put into the outbox by whatever is built next. Only where the law names one text message a cart is the place asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rekindle.engine.batch import Batch, Going
from rekindle.engine.context import Context
from rekindle.engine.facts import law_of
from rekindle.engine.outcome import decision, event
from rekindle.policy.validity import USEFUL
from rekindle.store import outbox
from rekindle.store.async_connection import AsyncConnection
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.shops import all_shops
from rekindle.store.text_slots import SlotWish, drop_free_text_slots, take_text_slots
from rekindle.terms.decision import deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, SendEventKind


async def keep_text_slots(link: AsyncConnection, batch: Batch, wave: list[Going], now: datetime) -> list[Going]:
    """Those of a wave that hold their cart's place, or need none; the others end here, with their reason."""
    asking = [one for one in wave if _needs_slot(one)]
    if not asking:
        return wave
    wishes = {(wish.shop_id, wish.cart_id): wish for one in reversed(asking) if (wish := _wish(one))}
    held = await take_text_slots(link, batch.bucket, list(wishes.values()), now=now, until_at=now + USEFUL)
    late = [one for one in asking if one.candidate.held.id not in held]
    if late:
        await _end(link, batch, late, now)
    gone = {one.candidate.held.id for one in late}
    return [one for one in wave if one.candidate.held.id not in gone]


def forget_text_slots(connection: Connection, context: Context) -> int:
    """Places that nobody holds any more; returns how many were forgotten."""
    buckets = {bucket for shop in all_shops(connection) for bucket in buckets_of(shop)}
    return drop_free_text_slots(connection, sorted(buckets), context.clock.now())


def _needs_slot(one: Going) -> bool:
    if one.candidate.held.channel != Channel.SMS.value:
        return False
    rules = law_of(one.candidate, Channel.SMS).rules
    return rules is None or rules.max_per_cart <= 1


def _wish(one: Going) -> SlotWish:
    held, row = one.candidate.held, one.candidate.row
    assert row is not None, "only a send with facts was allowed"
    return SlotWish(shop_id=held.shop_id, cart_id=row.cart_id, send_id=held.id)


async def _end(link: AsyncConnection, batch: Batch, late: Sequence[Going], now: datetime) -> None:
    async with link.transaction():
        ids = [one.candidate.held.id for one in late]
        gone = await outbox.drop_claimed(link, batch.bucket, ids, batch.claimed_until)
        ended = [one for one in late if one.candidate.held.id in gone]
        verdict = deny(Reason.CART_CAP, channel=Channel.SMS.value, slot="held by another message")
        await outbox.write_decisions(link, [decision(one.candidate, verdict, now) for one in ended])
        rows = [event(one.candidate, SendEventKind.SKIPPED, now, Reason.CART_CAP) for one in ended]
        await outbox.add_events(link, batch.bucket, rows)
    batch.tally.skipped += len(ended)
