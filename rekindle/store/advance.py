"""How are due enrolments claimed, and their next steps written? Set-based; ids pass through as text."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.policy.channel_choice import Reach, Response
from rekindle.store.binary_copy import EPOCH, US, id_bytes, jsonb, text, whole
from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in
from rekindle.store.statements import sql
from rekindle.terms.send import Channel, SendState

_send_head = struct.Struct("!hiii16siqi16siqiq").pack  # 18 columns; bucket to flow_version_id
_send_of = struct.Struct("!i16si16siii16s").pack  # shopper_id, contact_point_id, cart_bucket, cart_id
_send_made = struct.Struct("!iqiqiq").pack  # template_version_id, created_at, planned_at
_send_hashes = struct.Struct("!i32si32s").pack
_line_head = struct.Struct("!hiii16siqi16si16s").pack  # 13 columns; bucket to enrolment_id
_line_tail = struct.Struct("!iqiihiii16s").pack  # send_at, no lease, attempts, no account, not uncertain, seed
_SCHEDULED = text(SendState.SCHEDULED.value)


class DueEnrolment(NamedTuple):
    """A locked run whose next step is due."""

    id: str
    shop_id: int
    flow_id: int
    flow_version_id: int
    cart_bucket: int
    cart_id: str
    shopper_id: str
    step: str | None
    abandoned_at: datetime
    entered_at: datetime
    step_at: datetime


class CartToWriteAbout(NamedTuple):
    """The cart of a run; ``items`` and ``views`` as stored, ``facts`` recorded behaviour."""

    id: str
    state: str
    stage: str
    touched_at: datetime
    items: list[dict[str, Any]]
    currency: str | None
    total_cents: int
    facts: dict[str, Any]
    views: list[str]
    recover_url: str | None


class ShopperToWriteTo(NamedTuple):
    """The shopper of a run. ``preferred_channel``: as the shop told it, unchecked."""

    id: str
    country: str
    locale: str
    order_count: int
    last_order_at: datetime | None
    is_erased: bool
    preferred_channel: str | None = None
    region: str = ""


class NewSend(NamedTuple):
    """A message to create, due now. ``context``: what is fixed about it now (links, locale, step number)."""

    id: str
    run: DueEnrolment
    step: str
    channel: str
    contact_point_id: str
    template_version_id: int
    planned_at: datetime
    context: dict[str, object]


class EnrolmentMove(NamedTuple):
    """What becomes of a run. ``ended_at`` is set when it is over."""

    id: str
    state: str
    exit_reason: str | None
    step: str | None
    due_at: datetime | None
    step_at: datetime
    ended_at: datetime | None


def claim_due_enrolments(connection: Connection, bucket: int, now: datetime, limit: int) -> list[DueEnrolment]:
    """Lock due runs of a bucket; call inside a transaction."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("claim_due_enrolments"), {"bucket": bucket, "now": now, "limit": limit})
        return [DueEnrolment._make(row) for row in cursor]


def carts_to_write_about(connection: Connection, bucket: int, ids: Sequence[str]) -> dict[str, CartToWriteAbout]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("carts_to_write_about"), {"bucket": bucket, "ids": array_literal(ids)})
        return {row[0]: CartToWriteAbout._make(row) for row in cursor}


def shoppers_to_write_to(connection: Connection, bucket: int, ids: Iterable[str]) -> dict[str, ShopperToWriteTo]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("shoppers_to_write_to"), {"bucket": bucket, "ids": array_literal(list(ids))})
        return {row[0]: ShopperToWriteTo._make(row) for row in cursor}


def reaches_of_shoppers(connection: Connection, bucket: int, ids: Iterable[str]) -> dict[str, list[Reach]]:
    """Addresses that are still there, by shopper."""
    found: dict[str, list[Reach]] = {}
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql("reaches_of_shoppers"), {"bucket": bucket, "ids": array_literal(list(ids))})
        for row in cursor:
            found.setdefault(row[0], []).append(Reach._make(row[1:]))
    return found


def responses_of_shoppers(
    connection: Connection, bucket: int, ids: Iterable[str], since: datetime
) -> dict[str, dict[Channel, Response]]:
    """What became of the messages that shoppers got since then, by shopper and channel."""
    found: dict[str, dict[Channel, Response]] = {}
    parameters = {"bucket": bucket, "ids": array_literal(sorted(ids)), "since": since}
    for shopper_id, channel, messages, clicks in connection.execute(sql("responses_of_shoppers"), parameters):
        found.setdefault(shopper_id, {})[Channel(channel)] = Response(messages, clicks)
    return found


def clicked_enrolments(connection: Connection, bucket: int, runs: Sequence[DueEnrolment]) -> set[str]:
    """Ids of those runs in which a link was followed."""
    parameters = {
        "bucket": bucket,
        "shopper_ids": array_literal([run.shopper_id for run in runs]),
        "ids": array_literal([run.id for run in runs]),
    }
    return {row[0] for row in connection.execute(sql("clicked_enrolments"), parameters)}


def move_enrolments(connection: Connection, bucket: int, moves: Sequence[EnrolmentMove]) -> None:
    """Write what became of the runs of a batch, in one statement."""
    if moves:
        body = msgspec.json.encode([move._asdict() for move in moves]).decode()
        connection.execute(sql("move_enrolments"), {"bucket": bucket, "rows": body})


def add_sends(connection: Connection, bucket: int, sends: Sequence[NewSend], now: datetime) -> None:
    """Create messages and put them in line. Each gets a fresh seed, which stays with its outbox row only."""
    if not sends:
        return
    created = (now - EPOCH) // US
    messages: list[bytes] = []
    line: list[bytes] = []
    for send in sends:
        run, seed = send.run, new_seed()
        key, run_id, shopper = id_bytes(send.id), id_bytes(run.id), id_bytes(run.shopper_id)
        channel = text(send.channel)
        messages += (
            _send_head(18, 4, bucket, 16, key, 8, run.shop_id, 16, run_id, 8, run.flow_id, 8, run.flow_version_id),
            text(send.step),
            channel,
            _send_of(16, shopper, 16, id_bytes(send.contact_point_id), 4, run.cart_bucket, 16, id_bytes(run.cart_id)),
            _send_made(8, send.template_version_id, 8, created, 8, (send.planned_at - EPOCH) // US),
            _send_hashes(32, hash_of(secret_of(seed, Purpose.LINK)), 32, hash_of(secret_of(seed, Purpose.OPTOUT))),
            jsonb(msgspec.json.encode(send.context)),
        )
        line += (
            _line_head(13, 4, bucket, 16, key, 8, run.shop_id, 16, shopper, 16, run_id),
            channel,
            _SCHEDULED,
            _line_tail(8, created, -1, 2, 0, -1, -1, 16, seed),
        )
    copy_in(connection, "copy_sends", whole(messages))
    copy_in(connection, "copy_outbox", whole(line))
