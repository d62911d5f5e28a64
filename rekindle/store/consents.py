"""How are consents, suppressions and opt-outs written? One address at a time; each call names its bucket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from rekindle.policy.consent_chain import ConsentRow
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.consent import NO_MARKS, ConsentMarks


class Subject(NamedTuple):
    """Whose consent: an address on a channel of a shop, by its keyed hash."""

    shop_id: int
    channel: str
    address_hash: bytes

    @property
    def values(self) -> dict[str, object]:
        return {"shop_id": self.shop_id, "channel": self.channel, "address_hash": self.address_hash}


class Head(NamedTuple):
    """The newest row of a chain."""

    seq: int
    row_hash: bytes
    kind: str
    wording: str
    at: datetime
    evidence: Mapping[str, object]


def last_consent(connection: Connection, bucket: int, subject: Subject) -> Head | None:
    row = connection.execute(sql("last_consent"), {"bucket": bucket, **subject.values}).fetchone()
    return Head(row[0], bytes(row[1]), row[2], row[3], row[4], row[5]) if row else None


def append_consent(connection: Connection, bucket: int, consent_id: UUID, row: ConsentRow) -> bool:
    """False when the row could not be added: see the statement."""
    values: dict[str, object] = {name: getattr(row, name) for name in ConsentRow.__dataclass_fields__}
    values |= {"bucket": bucket, "id": consent_id, "evidence": Jsonb(dict(row.evidence))}
    return connection.execute(sql("append_consent"), values).fetchone() is not None


def has_consent(connection: Connection, bucket: int, consent_id: UUID) -> bool:
    return connection.execute(sql("has_consent"), {"bucket": bucket, "id": consent_id}).fetchone() is not None


def consent_chain(connection: Connection, bucket: int, subject: Subject) -> list[ConsentRow]:
    with connection.cursor(row_factory=class_row(ConsentRow)) as cursor:
        return cursor.execute(sql("consent_chain"), {"bucket": bucket, **subject.values}).fetchall()


def set_contact_consent(
    connection: Connection,
    bucket: int,
    contact_id: UUID,
    *,
    kind: str,
    at: datetime,
    wording: str,
    marks: ConsentMarks = NO_MARKS,
) -> tuple[int, UUID] | None:
    """The shopper whose address changed its mind; None when the fact is older than what is known, or nobody's."""
    values: dict[str, object] = {"bucket": bucket, "id": contact_id, "kind": kind, "at": at, "wording": wording}
    values |= {"confirmed": marks.is_confirmed, "written": marks.is_written, "names_carts": marks.mentions_cart}
    row = connection.execute(sql("set_contact_consent"), values).fetchone()
    return (row[0], row[1]) if row else None


def owner_of_contact(connection: Connection, bucket: int, contact_id: UUID) -> tuple[int, UUID] | None:
    row = connection.execute(sql("owner_of_contact"), {"bucket": bucket, "id": contact_id}).fetchone()
    return (row[0], row[1]) if row else None


def suppress(connection: Connection, bucket: int, subject: Subject, *, reason: str, at: datetime, source: str) -> None:
    values: Mapping[str, object] = {"bucket": bucket, **subject.values, "reason": reason, "at": at, "source": source}
    connection.execute(sql("suppress"), values)


def suppress_on_word(connection: Connection, bucket: int, subject: Subject, *, at: datetime, source: str) -> bool:
    """False when the address was suppressed before, other than for a doubt."""
    values: Mapping[str, object] = {"bucket": bucket, **subject.values, "at": at, "source": source}
    return connection.execute(sql("suppress_on_word"), values).fetchone() is not None


def lift_review(connection: Connection, bucket: int, subject: Subject) -> None:
    connection.execute(sql("lift_review"), {"bucket": bucket, **subject.values})


def lift_unsubscription(connection: Connection, bucket: int, subject: Subject, at: datetime) -> None:
    connection.execute(sql("lift_unsubscription"), {"bucket": bucket, **subject.values, "at": at})


def note_opt_out(connection: Connection, bucket: int, shopper_id: UUID, at: datetime) -> None:
    connection.execute(sql("note_opt_out"), {"bucket": bucket, "id": shopper_id, "at": at})


def end_opt_out(connection: Connection, bucket: int, shopper_id: UUID, at: datetime) -> None:
    connection.execute(sql("end_opt_out"), {"bucket": bucket, "id": shopper_id, "at": at})
