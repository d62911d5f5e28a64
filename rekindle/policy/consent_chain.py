"""How is the consent ledger made so that nobody can change it unseen?

Each row of an address and channel carries a keyed hash over the previous row's hash and its own fields. Without the key
no row can be forged, and a changed, swapped or missing row breaks the chain at its place. Rows cut off at the end are
only seen against a head that was kept elsewhere: `head` is what to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rekindle.policy import chain
from rekindle.policy.chain import GENESIS, Link, instant, link_hash

__all__ = ["GENESIS", "ConsentRow", "first_fault", "row_hash"]


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
    """What is wrong with one chain, in its order; None when nothing is.

    ``head``: the number and hash of its last row as kept elsewhere; with it a chain that was cut off is found too.
    """
    links = (Link(row.seq, _fields(row), row.previous_hash, row.row_hash) for row in rows)
    return chain.first_fault(key, links, dict([head]) if head else None)


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
