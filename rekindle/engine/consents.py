"""What did an address agree to, and how is that kept so that it can be proven?

Every consent and withdrawal is a row of the ledger in the address's bucket, chained by keyed hashes; the newest fact
stands on the address itself, where a send looks. Nothing is ever inferred: no event, no consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from rekindle.engine.context import Context
from rekindle.engine.transactions import OvertakenError, Work
from rekindle.lib.hashing import keyed_hash
from rekindle.lib.ids import natural_id, timed_id
from rekindle.policy.consent_chain import GENESIS, ConsentRow, first_fault, redacted, row_hash
from rekindle.store import consents as store
from rekindle.store.buckets import address_bucket
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.forget import consents_of_erased, redact_consent
from rekindle.terms.consent import NO_MARKS, ConsentKind, ConsentMarks, Purpose
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

_TRIES = 50


class Fact(NamedTuple):
    """What is written down about one address."""

    subject: Subject
    kind: ConsentKind
    wording: str
    source: str
    evidence: Mapping[str, object]
    at: datetime
    marks: ConsentMarks
    is_lifting: bool = True


def record_consent(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    *,
    bucket: int,
    channel: Channel | Purpose,
    address_hash: bytes,
    kind: ConsentKind,
    wording: str,
    source: str,
    evidence: Mapping[str, object],
    at: datetime,
    marks: ConsentMarks = NO_MARKS,
    is_lifting: bool = True,
) -> bool:
    """Write what an address agreed to or withdrew; commits before it returns.

    ``channel``: where messages come, or another purpose. ``bucket`` is the shopper's, whose copy of the address a send
    reads; the ledger itself lies in the address's own.
    ``evidence``: JSON values (method, page, message id), never an address. A new express consent with its wording ends
    an earlier unsubscription, unless ``is_lifting`` is False (an imported one never does); it never ends a bounce, a
    complaint or an erasure. ``marks`` become part of the evidence.

    Returns False when the same was known already: the same fact told again, or the newest one without a new wording.
    """
    fact = Fact(
        Subject(shop.id, channel.value, address_hash),
        kind,
        wording,
        source,
        {**evidence, **marks.known()},
        at,
        marks,
        is_lifting,
    )
    work, home = Work(connection, shop), address_bucket(shop, address_hash)

    def write() -> bool:
        is_new = work.run_in_bucket(home, lambda: _write(connection, context, home, fact))
        if bucket != home:
            work.run_in_bucket(bucket, lambda: _stand(connection, bucket, fact))
        return is_new

    is_new = work.run_whole(write)
    if is_new and kind is ConsentKind.WITHDRAWN:
        note_refusal(context, fact.subject, "opted_out", at)
    return is_new


def note_refusal(context: Context, subject: Subject, what: str, at: datetime) -> None:
    """A line in the journal outside the database, which no restore undoes. ``what``: opted_out, erased, no_sale.

    It may be written for work that is undone afterwards: replayed, it then stops more than was asked for, never less.
    """
    if context.journal is not None:
        facts = {"shop": subject.shop_id, "channel": subject.channel, "hash": subject.address_hash.hex()}
        context.journal.note({"v": 1, "at": at.isoformat(), "what": what, **facts})


def fault_of_chain(
    connection: Connection, context: Context, shop: ShopSettings, channel: Channel | Purpose, address_hash: bytes
) -> str | None:
    """What is wrong with the ledger of an address; None when it is whole."""
    bucket = address_bucket(shop, address_hash)
    rows = store.consent_chain(connection, bucket, Subject(shop.id, channel.value, address_hash))
    return first_fault(ledger_key(context), [with_bytes(row) for row in rows])


def redact_ledger(
    connection: Connection, context: Context, shop: ShopSettings, bucket: int, address_hash: bytes
) -> None:
    """Take what is a person's own out of the ledger of their address, in the address's bucket; the proof stays."""
    purposes = [purpose.value for purpose in Purpose]
    for row in consents_of_erased(connection, bucket, shop.id, purposes, address_hash):
        shorter = redacted(ledger_key(context), with_bytes(row))
        if shorter.evidence != row.evidence:
            redact_consent(connection, bucket, shorter)


def ledger_key(context: Context) -> bytes:
    """The key of the consent ledger, derived from the installation's hash key."""
    return keyed_hash(context.hash_key, "consents")


def _write(connection: Connection, context: Context, home: int, fact: Fact) -> bool:
    is_new = _append(connection, context, home, fact)
    _stand(connection, home, fact)
    return is_new


def _append(connection: Connection, context: Context, bucket: int, fact: Fact) -> bool:
    subject = fact.subject
    seed = "\0".join((subject.channel, subject.address_hash.hex(), fact.kind.value, fact.source, fact.wording))
    consent_id = timed_id(fact.at, seed.encode())
    for _ in range(_TRIES):
        head = store.last_consent(connection, bucket, subject)
        if head is not None and head.at <= fact.at and _says_no_more(fact, head):
            return False
        row = ConsentRow(
            shop_id=subject.shop_id,
            channel=subject.channel,
            address_hash=subject.address_hash,
            seq=head.seq + 1 if head is not None else 1,
            kind=fact.kind.value,
            at=fact.at,
            recorded_at=context.clock.now(),
            wording=fact.wording,
            source=fact.source,
            evidence=fact.evidence,
            previous_hash=head.row_hash if head is not None else GENESIS,
        )
        row = replace(row, row_hash=row_hash(ledger_key(context), row))
        if store.append_consent(connection, bucket, consent_id, row):
            return True
        if store.has_consent(connection, bucket, consent_id):
            return False
    raise OvertakenError


def _says_no_more(fact: Fact, head: store.Head) -> bool:
    return (head.kind, head.wording) == (fact.kind, fact.wording) and (
        fact.marks.known().items() <= head.evidence.items()
    )


def _stand(connection: Connection, bucket: int, fact: Fact) -> None:
    """Put the newest fact on the address, in one of the buckets that know it."""
    subject = fact.subject
    contact_id = natural_id("contact", subject.shop_id, f"{subject.channel}:{subject.address_hash.hex()}")
    owner = store.set_contact_consent(
        connection, bucket, contact_id, kind=fact.kind.value, at=fact.at, wording=fact.wording, marks=fact.marks
    )
    if fact.kind is ConsentKind.EXPRESS and fact.wording and fact.is_lifting:
        store.lift_unsubscription(connection, bucket, subject, fact.at)
        if owner is not None and owner[0] == bucket:
            store.end_opt_out(connection, bucket, owner[1], fact.at)


def with_bytes(row: ConsentRow) -> ConsentRow:
    """psycopg hands out bytea as bytes or memoryview, depending on its build."""
    return replace(
        row,
        address_hash=bytes(row.address_hash),
        previous_hash=bytes(row.previous_hash),
        row_hash=bytes(row.row_hash),
    )
