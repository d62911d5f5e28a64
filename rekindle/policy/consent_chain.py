"""How is the consent ledger made so that nobody can change it unseen?

Each row of an address and channel carries a keyed hash over the previous row's hash and its own fields. Without the key
no row can be forged, and a changed, swapped or missing row breaks the chain at its place. Rows cut off at the end are
only seen against a head that was kept elsewhere: `head` is what to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from rekindle.policy import chain
from rekindle.policy.chain import GENESIS, Link, instant, link_hash
from rekindle.terms.consent import ConsentKind, ConsentMarks

__all__ = ["GENESIS", "REDACTED", "ConsentRow", "first_fault", "redacted", "row_hash"]

#: Under this name a shortened row carries the code of who shortened it.
REDACTED = "redacted"
#: How something was agreed to; says nothing about the person.
KEPT_EVIDENCE = frozenset({"method", "form", "version", "language", *ConsentMarks._fields})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """One row of the ledger. ``seq`` counts from 1 within an address and channel of a shop."""

    shop_id: int
    channel: str
    address_hash: bytes
    seq: int
    kind: str
    at: datetime
    recorded_at: datetime
    wording: str
    source: str
    evidence: Mapping[str, object]
    previous_hash: bytes
    row_hash: bytes = b""


def row_hash(key: bytes, row: ConsentRow) -> bytes:
    """HMAC-SHA256 of a row: 32 bytes over the previous hash and the row's fields in canonical JSON.

    Raises: ValueError for a key shorter than 32 bytes.
    """
    return link_hash(key, row.previous_hash, _fields(row))


def first_fault(key: bytes, rows: Iterable[ConsentRow], *, head: tuple[int, bytes] | None = None) -> str | None:
    """What is wrong with one chain, in its order; None when nothing is. A row of an erased person is right when what
    was taken out of it was taken out by us: see `redacted`.

    ``head``: the number and hash of its last row as kept elsewhere; with it a chain that was cut off is found too.
    """
    links = (Link(row.seq, _fields(row), row.previous_hash, row.row_hash, _stands_in(key, row)) for row in rows)
    return chain.first_fault(key, links, dict([head]) if head else None)


def redacted(key: bytes, row: ConsentRow) -> ConsentRow:
    """The row as it stays after an erasure: who agreed to what wording, when and how; nothing of the person's own
    words, page, network or browser. The chain goes on over the hash of the whole row; a keyed code over that hash and
    what is left says that it was us who shortened it."""
    if REDACTED in row.evidence:
        return row
    wording = "" if row.kind == ConsentKind.WITHDRAWN else row.wording  # a no is kept in the shopper's own words
    kept = {name: value for name, value in row.evidence.items() if name in KEPT_EVIDENCE}
    bare = replace(row, wording=wording, evidence=kept)
    return replace(bare, evidence={**kept, REDACTED: _redaction(key, bare).hex()})


def _stands_in(key: bytes, row: ConsentRow) -> tuple[bytes, bytes] | None:
    """Of a shortened row: the code it must carry, and the one it does; None for a whole one."""
    if REDACTED not in row.evidence:
        return None
    kept = {name: value for name, value in row.evidence.items() if name != REDACTED}
    try:
        told = bytes.fromhex(str(row.evidence[REDACTED]))
    except ValueError:
        told = b""
    return _redaction(key, replace(row, evidence=kept)), told


def _redaction(key: bytes, row: ConsentRow) -> bytes:
    return link_hash(key, b"redacted" + row.row_hash + row_hash(key, row), [])


def _fields(row: ConsentRow) -> list[object]:
    return [
        row.shop_id,
        row.channel,
        row.address_hash.hex(),
        row.seq,
        row.kind,
        instant(row.at),
        instant(row.recorded_at),
        row.wording,
        row.source,
        row.evidence,
    ]
