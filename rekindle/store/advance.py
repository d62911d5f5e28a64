"""How are due enrolments claimed, and their next steps written? Set-based; ids pass through as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rekindle.lib.tokens import Purpose, hash_of, new_seed, secret_of
from rekindle.policy.channel_choice import Reach, Response
from rekindle.store.copying import NULL, array_literal, bytes_cell, copy_lines, json_cell
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.send import Channel


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
    instant = now.isoformat()
    seeded = [(send, new_seed()) for send in sends]
    copy_lines(connection, sql("copy_sends"), [_send_line(bucket, send, seed, instant) for send, seed in seeded])
    copy_lines(connection, sql("copy_outbox"), [_outbox_line(bucket, send, seed, instant) for send, seed in seeded])


def _send_line(bucket: int, send: NewSend, seed: bytes, now: str) -> str:
    run = send.run
    link, optout = (hash_of(secret_of(seed, purpose)) for purpose in (Purpose.LINK, Purpose.OPTOUT))
    return (
        f"{bucket}\t{send.id}\t{run.shop_id}\t{run.id}\t{run.flow_id}\t{run.flow_version_id}\t{send.step}\t{send.channel}"
        f"\t{run.shopper_id}\t{send.contact_point_id}\t{run.cart_bucket}\t{run.cart_id}\t{send.template_version_id}"
        f"\t{now}\t{send.planned_at.isoformat()}\t{bytes_cell(link)}\t{bytes_cell(optout)}\t{json_cell(send.context)}"
    )


def _outbox_line(bucket: int, send: NewSend, seed: bytes, now: str) -> str:
    run = send.run
    return (
        f"{bucket}\t{send.id}\t{run.shop_id}\t{run.shopper_id}\t{run.id}\t{send.channel}\tscheduled\t{now}\t{NULL}\t0"
        f"\t{NULL}\t{NULL}\t{bytes_cell(seed)}"
    )
