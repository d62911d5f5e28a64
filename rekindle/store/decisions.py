"""How are verdicts kept? Appended in one COPY per batch, in the transaction that acts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from rekindle.lib.ids import fresh_timed_hexes
from rekindle.store.copying import NULL, copy_lines, json_cell
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
    cart_id: UUID | str | None = None
    shopper_id: UUID | str | None = None
    enrolment_id: UUID | str | None = None
    send_id: UUID | str | None = None
    step: str | None = None


def write_decisions(connection: Connection, rows: Sequence[DecisionRow]) -> None:
    """Append the decisions. Evidence must be JSON values and never hold an address."""
    copy_lines(connection, sql("copy_decisions"), decision_lines(rows))


def decision_lines(rows: Sequence[DecisionRow]) -> list[str]:
    """One line of COPY per decision; a batch shares its instant, so that is written out once."""
    lines: list[str] = []
    for at, group in groupby(rows, key=lambda row: row.at):
        same = list(group)
        instant = at.isoformat()
        lines += [_line(row, key, instant) for row, key in zip(same, fresh_timed_hexes(at, len(same)), strict=True)]
    return lines


def _line(row: DecisionRow, key: str, instant: str) -> str:
    verdict = row.verdict
    retry = NULL if verdict.retry_at is None else verdict.retry_at.isoformat()
    subjects = "\t".join(
        [
            NULL if value is None else f"{value.int:032x}" if isinstance(value, UUID) else value
            for value in (row.cart_id, row.shopper_id, row.enrolment_id, row.send_id, row.step)
        ]
    )
    return (
        f"{row.bucket}\t{key}\t{row.shop_id}\t{instant}\t{row.question}\t{verdict.outcome}"
        f"\t{verdict.reason}\t{retry}\t{subjects}\t{json_cell(verdict.evidence)}"
    )
