"""How do a shop's own rules change? Together with the note of who did it and why, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rekindle.store.database import Connection
from rekindle.store.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChangeLine:
    """``changes``: the fields of policy.own_rules.RuleChange."""

    at: datetime
    person_name: str
    role: str
    loosens: bool
    reason: str
    changes: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChangeNote:
    at: datetime
    person_id: int
    person_name: str
    role: str
    loosens: bool
    reason: str
    changes: Sequence[Mapping[str, object]]


def lock_own_rules(connection: Connection, shop_id: int) -> Mapping[str, object] | None:
    """The rules that hold, locked until the transaction ends."""
    row = connection.execute(sql("lock_own_rules"), {"shop_id": shop_id}).fetchone()
    return row[0] if row else None


def write_own_rules(
    connection: Connection, shop_id: int, own_rules: Mapping[str, object] | None, note: RuleChangeNote
) -> None:
    """Inside a transaction that holds the lock."""
    stored = Jsonb(own_rules) if own_rules else None
    connection.execute(sql("set_own_rules"), {"shop_id": shop_id, "own_rules": stored})
    values = {
        "shop_id": shop_id,
        "at": note.at,
        "person_id": note.person_id,
        "person_name": note.person_name,
        "role": note.role,
        "loosens": note.loosens,
        "reason": note.reason,
        "changes": Jsonb(list(note.changes)),
        "own_rules": stored,
    }
    connection.execute(sql("note_rule_change"), values)


def rule_changes(connection: Connection, shop_id: int, n: int) -> list[RuleChangeLine]:
    with connection.cursor(row_factory=class_row(RuleChangeLine)) as cursor:
        return cursor.execute(sql("rule_changes_of_shop"), {"shop_id": shop_id, "n": n}).fetchall()
