"""How is a record kept so that nobody can change it unseen? A chain of keyed hashes, with heads kept elsewhere.

Each link carries a keyed hash over the previous link's hash and its own fields: without the key none can be forged, and
a changed, swapped or missing one breaks the chain at its place. What was cut off at the end is only seen against a head
(the number and hash of the last link) that was kept outside.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

#: What the first link of a chain follows.
GENESIS = bytes(32)


class Link(NamedTuple):
    """One link: ``seq`` counts from 1, ``fields`` are JSON values."""

    seq: int
    fields: Sequence[object]
    previous_hash: bytes
    own_hash: bytes
    stands_in: tuple[bytes, bytes] | None = None  #: of a shortened link: the code it must carry, and the one it carries


def link_hash(key: bytes, previous_hash: bytes, fields: Sequence[object]) -> bytes:
    """HMAC-SHA256, 32 bytes, over the previous hash and the fields in canonical JSON.

    Raises: ValueError for a key shorter than 32 bytes.
    """
    if len(key) < 32:
        raise ValueError("the key of a chain needs at least 32 bytes")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.digest(key, previous_hash + text.encode(), sha256)


def first_fault(key: bytes, links: Iterable[Link], heads: Mapping[int, bytes] | None = None) -> str | None:
    """What is wrong with a chain, in its order; None when nothing is.

    ``heads``: number and hash of links as kept elsewhere over time; with them a chain that was cut off, or made anew by
    somebody with the key, is found too.
    """
    waiting = dict(heads or {})
    previous, seq = GENESIS, 0
    for link in links:
        if link.seq != seq + 1:
            return f"row {seq + 1} is missing"
        if link.previous_hash != previous:
            return f"row {link.seq} does not follow the one before it"
        wanted, told = link.stands_in or (link_hash(key, previous, link.fields), link.own_hash)
        if not hmac.compare_digest(wanted, told):
            return f"row {link.seq} was changed"
        kept = waiting.pop(link.seq, link.own_hash)
        if not hmac.compare_digest(kept, link.own_hash):
            return f"row {link.seq} is not the one whose hash was kept elsewhere"
        previous, seq = link.own_hash, link.seq
    if waiting:
        return f"the chain ends at row {seq}, before row {max(waiting)}, whose hash was kept elsewhere"
    return None


def instant(at: datetime) -> str:
    """An instant as a field of a link."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
