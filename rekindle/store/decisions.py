"""How are verdicts kept? Appended in one COPY per batch, in the transaction that acts on them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rekindle.lib.ids import epoch_ms
from rekindle.store.copying import copy_lines, id_cell, instant_cell, json_cell
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.decision import Question, Verdict


@dataclass(slots=True, kw_only=True)
class DecisionRow:
    """One verdict about a cart, an enrolment or a send. ``bucket``: that of what the decision is about."""

    bucket: int
    shop_id: int
    at: datetime
    question: Question
    verdict: Verdict
    cart_id: UUID | None = None
    shopper_id: UUID | None = None
    enrolment_id: UUID | None = None
    send_id: UUID | None = None
    step: str | None = None


def write_decisions(connection: Connection, rows: Iterable[DecisionRow]) -> None:
    """Append the decisions. Evidence must be JSON values and never hold an address."""
    copy_lines(connection, sql("copy_decisions"), [_line(row) for row in rows])


def _line(row: DecisionRow) -> str:
    verdict = row.verdict
    return (
        f"{row.bucket}\t{_fresh_id(row.at)}\t{row.shop_id}\t{row.at.isoformat()}\t{row.question.value}"
        f"\t{verdict.outcome.value}\t{verdict.reason.value}\t{instant_cell(verdict.retry_at)}\t{id_cell(row.cart_id)}"
        f"\t{id_cell(row.shopper_id)}\t{id_cell(row.enrolment_id)}\t{id_cell(row.send_id)}\t{id_cell(row.step)}"
        f"\t{json_cell(verdict.evidence)}"
    )


def _fresh_id(at: datetime) -> str:
    """What lib.ids.fresh_timed_id makes, as text: this is written for every cart and step."""
    tail = secrets.token_hex(10)
    return f"{epoch_ms(at):012x}7{tail[:3]}{'89ab'[int(tail[3], 16) & 3]}{tail[4:19]}"
