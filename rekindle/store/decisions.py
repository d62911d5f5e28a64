"""How are verdicts kept? Appended in one COPY per batch, in the transaction that acts on them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from uuid import UUID

import msgspec

from rekindle.lib.ids import fresh_timed_bytes
from rekindle.store.binary_copy import EPOCH, NULL, US, id_bytes, instant, jsonb, text, whole
from rekindle.store.database import Connection
from rekindle.store.prepared import copy_in
from rekindle.terms.decision import Outcome, Question, Verdict
from rekindle.terms.reasons import Reason

_head = struct.Struct("!hiii16siqiq").pack  # 14 columns; bucket, id, shop_id, at
_id = struct.Struct("!i16s").pack
_json = msgspec.json.encode
_instant = attrgetter("at")


class DecisionRow(msgspec.Struct, kw_only=True):
    """One verdict about a cart, an enrolment or a send. ``bucket``: that of what the decision is about.

    ``evidence``: what is written down instead of the verdict's own.
    """

    bucket: int
    shop_id: int
    at: datetime
    question: Question
    verdict: Verdict
    cart_id: UUID | str | None = None
    shopper_id: UUID | str | None = None
    enrolment_id: UUID | str | None = None
    send_id: UUID | str | None = None
    step: str | None = None
    evidence: Mapping[str, object] | None = None


def write_decisions(connection: Connection, rows: Sequence[DecisionRow]) -> None:
    """Append the decisions. Evidence must be JSON values and never hold an address."""
    if rows:
        copy_in(connection, "copy_decisions", decision_block(rows))


def decision_block(rows: Sequence[DecisionRow]) -> bytes:
    """The decisions as one stream of COPY. A batch shares its instant, so its ids come from one call to the system."""
    parts: list[bytes] = []
    for at, group in groupby(rows, key=_instant):
        same, moment = list(group), (at - EPOCH) // US
        for row, key in zip(same, fresh_timed_bytes(at, len(same)), strict=True):
            verdict = row.verdict
            parts += (
                _head(14, 4, row.bucket, 16, key, 8, row.shop_id, 8, moment),
                _said(row.question, verdict.outcome, verdict.reason),
                NULL if verdict.retry_at is None else instant(verdict.retry_at),
                _subject(row.cart_id),
                _subject(row.shopper_id),
                _subject(row.enrolment_id),
                _subject(row.send_id),
                _step(row.step),
                jsonb(_json(verdict.evidence if row.evidence is None else row.evidence)),
            )
    return whole(parts)


def _subject(value: UUID | str | None) -> bytes:
    return NULL if value is None else _id(16, id_bytes(value))


@lru_cache(maxsize=1024)
def _said(question: Question, outcome: Outcome, reason: Reason) -> bytes:
    return text(question.value) + text(outcome.value) + text(reason.value)


@lru_cache(maxsize=4096)
def _step(step: str | None) -> bytes:
    return text(step)
