"""How do sends move through the outbox? Typed calls of store/sql/deliver.sql, set-based, on an asynchronous connection.

Called by the engine's delivery only. Every change names the state and the lease it expects, so a worker that lost a
row changes nothing. ``lease_until`` doubles as the fence: two claims of one row never share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from rekindle.store.async_connection import AsyncConnection
from rekindle.store.copying import array_literal
from rekindle.store.decisions import DecisionRow, decision_block
from rekindle.store.id_arrays import ids_of
from rekindle.store.statements import sql


class Claimed(NamedTuple):
    """A row of the outbox that this worker holds until its lease ends."""

    bucket: int
    id: UUID
    shop_id: int
    shopper_id: UUID
    enrolment_id: UUID
    channel: str
    attempts: int
    send_at: datetime
    seed: bytes
    only_account: int | None = None  #: repeats a key, which means something at this account only
    first_try_at: datetime | None = None  #: when it first went to an account that knows keys
    letter_hash: bytes | None = None  #: of what was said then


class SendRow(NamedTuple):
    """Facts of one send as stored; None where a row or a value is missing."""

    id: UUID
    step: str
    contact_point_id: UUID
    cart_bucket: int
    cart_id: UUID
    template_version_id: int
    flow_id: int
    context: dict[str, Any]
    kind: str
    planned_at: datetime
    enrolment_state: str | None
    arm: str | None
    exit_reason: str | None
    abandoned_at: datetime | None
    first_name: str | None
    country: str | None
    region: str | None
    timezones: list[str] | None
    last_order_at: datetime | None
    order_count: int | None
    opted_out_at: datetime | None
    erased_at: datetime | None
    preferences: dict[str, Any] | None
    address: str | None
    consent: str | None
    consent_at: datetime | None
    consent_wording: str | None
    consent_confirmed: bool | None
    consent_written: bool | None
    consent_names_carts: bool | None
    suppressed: bool | None
    cart_state: str | None
    touched_at: datetime | None
    ordered: bool | None
    items: list[dict[str, Any]] | None
    currency: str | None
    total_cents: int | None
    cart_stage: str | None


class CartRow(NamedTuple):
    """A cart that lies in another bucket than its shopper."""

    id: UUID
    cart_state: str
    touched_at: datetime
    ordered: bool
    items: list[dict[str, Any]]
    currency: str | None
    total_cents: int
    cart_stage: str


class HistoryRow(NamedTuple):
    """One earlier message that counts towards caps."""

    shopper_id: UUID
    channel: str
    cart_id: UUID
    enrolment_id: UUID
    planned_at: datetime
    at: datetime


class ShopperNow(NamedTuple):
    """A shopper's row as it is while locked."""

    id: UUID
    last_order_at: datetime | None
    order_count: int
    opted_out_at: datetime | None
    erased_at: datetime | None


class SecondLook(NamedTuple):
    """What could have changed since the facts were read; only rows that are still sending and ours."""

    id: UUID
    enrolment_state: str | None
    exit_reason: str | None
    consent: str | None
    suppressed: bool | None
    others_going: bool
    others_gone: bool


class SendEventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of send_events; ``id`` is made of the facts, so that a repeat changes nothing."""

    id: UUID
    shop_id: int
    send_id: UUID
    shopper_id: UUID
    kind: str
    at: datetime
    reason: str | None = None
    provider_key: str | None = None
    detail: dict[str, Any] = {}


class SuppressionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An address that a provider says does not exist. ``address_hash`` in hex."""

    shop_id: int
    channel: str
    address_hash: str
    reason: str
    at: datetime
    source: str


class FirstTry(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to be said to an account that knows keys. ``letter_hash`` in hex."""

    id: UUID
    letter_hash: str


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """A send that waits again until ``send_at``. ``attempts`` and ``account_id`` matter only after `sending`."""

    id: UUID
    send_at: datetime
    attempts: int = 0
    account_id: int | None = None

    @classmethod
    def of(cls, held: Claimed, send_at: datetime, *, attempts: int | None = None) -> Later:
        """As it was claimed, but later."""
        count = held.attempts if attempts is None else attempts
        return cls(id=held.id, send_at=send_at, attempts=count, account_id=held.only_account)


async def due_buckets(link: AsyncConnection, buckets: Sequence[int], now: datetime) -> list[int]:
    """Those of the buckets in which a send is due, the most overdue first."""
    cursor = await link.execute(sql("due_buckets"), {"buckets": list(buckets), "now": now})
    return [row[0] for row in await cursor.fetchall()]


async def next_send_at(link: AsyncConnection, buckets: Sequence[int]) -> datetime | None:
    cursor = await link.execute(sql("next_send_at"), {"buckets": list(buckets)})
    row = await cursor.fetchone()
    return row[0] if row else None


async def claim(
    link: AsyncConnection, *, bucket: int, after: int, now: datetime, limit: int, lease_until: datetime
) -> list[Claimed]:
    """Claim due sends, fair between the shops after ``after`` (a shop id; 0 for all)."""
    values = {"bucket": bucket, "after": after, "now": now, "limit": limit, "lease_until": lease_until}
    cursor = await link.execute(sql("claim_due_sends"), values)
    return [Claimed(bucket, *row) for row in await cursor.fetchall()]


async def read_facts(
    link: AsyncConnection, bucket: int, claimed: Sequence[Claimed], *, since: datetime, since_id: UUID
) -> tuple[list[SendRow], list[HistoryRow]]:
    """Facts and history of a batch, in one round trip."""
    ids = ids_of([row.id for row in claimed])
    shoppers = ids_of([row.shopper_id for row in claimed])
    history_values = {"bucket": bucket, "shopper_ids": shoppers, "ids": ids, "since": since, "since_id": since_id}
    async with link.pipeline():
        facts = await link.execute(sql("send_facts"), {"bucket": bucket, "ids": ids}, binary=True)
        history = await link.execute(sql("send_history"), history_values)
        return (
            [SendRow._make(row) for row in await facts.fetchall()],
            [HistoryRow._make(row) for row in await history.fetchall()],
        )


async def read_carts(link: AsyncConnection, buckets: Sequence[int], ids: Sequence[UUID]) -> list[CartRow]:
    cursor = await link.execute(sql("carts_elsewhere"), {"buckets": list(buckets), "ids": ids_of(ids)})
    return [CartRow._make(row) for row in await cursor.fetchall()]


async def drop_claimed(link: AsyncConnection, bucket: int, ids: Sequence[UUID], lease_until: datetime) -> set[UUID]:
    """End claimed sends; returns those that were still ours."""
    values = {"bucket": bucket, "ids": ids_of(ids), "lease_until": lease_until}
    return await _ids(link, "drop_claimed", values)


async def hand_back(link: AsyncConnection, bucket: int, rows: Sequence[Later], lease_until: datetime) -> set[UUID]:
    values = {"bucket": bucket, "rows": _json(_in_order(rows)), "lease_until": lease_until}
    return await _ids(link, "hand_back", values)


async def mark_sending(
    link: AsyncConnection,
    bucket: int,
    accounts: Mapping[UUID, int],
    *,
    held_until: datetime,
    now: datetime,
    lease_until: datetime,
    events: Sequence[SendEventRow] = (),
) -> set[UUID]:
    """First lock. ``accounts``: by which account each send leaves. ``events`` of the wave before are recorded as by
    `record_sent`, in the same round trip and commit.

    What is missing from the answer was cancelled, or its lease ran out: it must not be sent.
    """
    ids = sorted(accounts, key=_number)
    values = {"bucket": bucket, "ids": ids_of(ids), "held_until": held_until, "now": now}
    values |= {"accounts": array_literal([accounts[one] for one in ids]), "lease_until": lease_until}
    if not events:
        return await _ids(link, "mark_sending", values)
    async with link.pipeline():
        await record_sent(link, bucket, events)
        cursor = await link.execute(sql("mark_sending"), values)
    return {row[0] for row in await cursor.fetchall()}


async def remember_letters(
    link: AsyncConnection, bucket: int, rows: Sequence[FirstTry], *, held_until: datetime, now: datetime
) -> None:
    """Before the first lock; a row that is not ours any more is left as it is."""
    if rows:
        values = {"bucket": bucket, "rows": _json(rows), "held_until": held_until, "now": now}
        await link.execute(sql("remember_letters"), values)


async def leave_in_doubt(
    link: AsyncConnection, bucket: int, ids: Sequence[UUID], *, held_until: datetime, at: datetime
) -> set[UUID]:
    """Repeats that cannot be made; returns those that were still ours."""
    values = {"bucket": bucket, "ids": ids_of(ids), "held_until": held_until, "at": at}
    return await _ids(link, "leave_in_doubt", values)


async def lock_and_look(
    link: AsyncConnection,
    bucket: int,
    contacts: Mapping[UUID, UUID],
    shopper_ids: Sequence[UUID],
    *,
    held_until: datetime,
    now: datetime,
    since_id: UUID,
) -> tuple[list[ShopperNow], list[SecondLook]]:
    """Second lock: begin a transaction, lock the shoppers, then look, in one round trip. End it with `let_go`.

    ``contacts``: the contact point of each send.
    """
    values = {
        "bucket": bucket,
        "ids": ids_of(contacts),
        "contacts": ids_of(contacts.values()),
    }
    values |= {"held_until": held_until, "now": now, "since_id": since_id}
    async with link.pipeline():
        await link.execute("BEGIN")
        locked = await link.execute(sql("lock_shoppers"), {"bucket": bucket, "ids": ids_of(shopper_ids)})
        looked = await link.execute(sql("second_look"), values)
        return (
            [ShopperNow._make(row) for row in await locked.fetchall()],
            [SecondLook._make(row) for row in await looked.fetchall()],
        )


async def let_go(link: AsyncConnection) -> None:
    """End the second lock. Nothing was written under it, so nothing needs to reach the disk."""
    await link.execute("ROLLBACK")


async def add_events(link: AsyncConnection, bucket: int, rows: Sequence[SendEventRow]) -> None:
    if rows:
        await link.execute(sql("add_send_events"), {"bucket": bucket, "rows": _json(rows)})


async def record_sent(link: AsyncConnection, bucket: int, events: Sequence[SendEventRow]) -> None:
    """What a provider took: its events, and out of the outbox."""
    if events:
        ids = ids_of([row.send_id for row in events])
        await link.execute(sql("record_sent"), {"bucket": bucket, "events": _json(events), "sent": ids})


async def drop_sending(link: AsyncConnection, bucket: int, ids: Sequence[UUID], held_until: datetime) -> set[UUID]:
    values = {"bucket": bucket, "ids": ids_of(ids), "held_until": held_until}
    return await _ids(link, "drop_sending", values)


async def try_again_later(link: AsyncConnection, bucket: int, rows: Sequence[Later], held_until: datetime) -> set[UUID]:
    values = {"bucket": bucket, "rows": _json(_in_order(rows)), "held_until": held_until}
    return await _ids(link, "try_again_later", values)


async def mark_uncertain(
    link: AsyncConnection, bucket: int, ids: Sequence[UUID], *, held_until: datetime, at: datetime
) -> set[UUID]:
    values = {"bucket": bucket, "ids": ids_of(ids), "held_until": held_until, "at": at}
    return await _ids(link, "mark_uncertain", values)


async def _ids(link: AsyncConnection, name: str, values: dict[str, Any]) -> set[UUID]:
    cursor = await link.execute(sql(name), values)
    return {row[0] for row in await cursor.fetchall()}


def _in_order(rows: Sequence[Later]) -> list[Later]:
    """Rows are locked in the order they are told in; an order or an opt-out that withdraws some goes by their ids."""
    return sorted(rows, key=lambda row: row.id)


def _number(one: UUID) -> int:
    """Ids in the order in which PostgreSQL sorts them."""
    return one.int


def _json(rows: Sequence[msgspec.Struct]) -> str:
    return msgspec.json.encode(rows).decode()


async def write_decisions(link: AsyncConnection, rows: Sequence[DecisionRow]) -> None:
    """Append decisions; the same rows as store.decisions writes, on an asynchronous connection."""
    if rows:
        async with link.cursor() as cursor, cursor.copy(sql("copy_decisions")) as copy:
            await copy.write(decision_block(rows))


async def suppress(link: AsyncConnection, bucket: int, rows: Sequence[SuppressionRow]) -> None:
    """Remember addresses that must not be written to; what is suppressed already stays as it is."""
    if rows:
        await link.execute(sql("suppress_refused"), {"bucket": bucket, "rows": _json(rows)})
