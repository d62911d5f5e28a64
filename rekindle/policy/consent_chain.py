"""How is the consent ledger made so that nobody can change it unseen?

Each row of an address and channel carries a keyed hash over the previous row's hash and its own fields. Without the key
no row can be forged, and a changed, swapped or missing row breaks the chain at its place. Rows cut off at the end are
only seen against a head that was kept elsewhere: `head` is what to keep.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

#: What the first row of a chain follows.
GENESIS = bytes(32)


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
    if len(key) < 32:
        raise ValueError("the ledger's key needs at least 32 bytes")
    fields = [
        row.shop_id,
        row.channel,
        row.address_hash.hex(),
        row.seq,
        row.kind,
        _instant(row.at),
        _instant(row.recorded_at),
        row.wording,
        row.source,
        row.evidence,
    ]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.digest(key, row.previous_hash + text.encode(), sha256)


def first_fault(key: bytes, rows: Iterable[ConsentRow], *, head: tuple[int, bytes] | None = None) -> str | None:
    """What is wrong with one chain, in its order; None when nothing is.

    ``head``: the number and hash of its last row as kept elsewhere; with it a chain that was cut off is found too.
    """
    previous, seq, seen = GENESIS, 0, head is None
    for row in rows:
        if row.seq != seq + 1:
            return f"row {seq + 1} is missing"
        if row.previous_hash != previous:
            return f"row {row.seq} does not follow the one before it"
        if not hmac.compare_digest(row_hash(key, row), row.row_hash):
            return f"row {row.seq} was changed"
        previous, seq = row.row_hash, row.seq
        seen = seen or head == (row.seq, row.row_hash)
    if not seen:
        return f"the chain ends at row {seq}, before the head that was kept"
    return None


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
