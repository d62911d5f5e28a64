"""How does the ledger of consents stay provable after old rows were deleted lawfully? The deletion is sealed itself.

An anchor seals the rows of a span of time. Who deletes old ones says in a removal what is left of each span they lay
in: how many rows, and the digest over them. Removals are a chain of their own. A span is right when it holds what its
newest removal left, or what its anchor sealed when there was none; a removal that was not made with the key counts
for nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rekindle.policy.chain import Link, instant, link_hash

#: The name of this chain among the heads that are kept outside.
REMOVALS: Final = "consent-removals"


class Left(NamedTuple):
    """What is left of the rows that an anchor sealed, after ``gone`` of them were deleted."""

    anchor: int  #: the anchor's number
    gone: int
    row_count: int
    digest: bytes


class Removal(NamedTuple):
    """One lawful deletion: ``row_count`` rows of chains to which nothing was added since ``before``. Those that no
    anchor had sealed yet are counted, and in no span."""

    seq: int
    at: datetime
    shop_id: int
    before: datetime
    row_count: int
    spans: Sequence[Left]
    previous_hash: bytes
    own_hash: bytes


def removal_hash(key: bytes, removal: Removal) -> bytes:
    return link_hash(key, removal.previous_hash, _fields(removal))


def removal_link(removal: Removal) -> Link:
    return Link(removal.seq, _fields(removal), removal.previous_hash, removal.own_hash)


def left_of_spans(key: bytes, removals: Iterable[Removal]) -> dict[int, tuple[int, bytes]]:
    """Count and digest of what must be left, by the anchor's number; ``removals`` oldest first."""
    found: dict[int, tuple[int, bytes]] = {}
    for removal in removals:
        if hmac.compare_digest(removal_hash(key, removal), removal.own_hash):
            found.update({span.anchor: (span.row_count, span.digest) for span in removal.spans})
    return found


def _fields(removal: Removal) -> list[object]:
    return [
        REMOVALS,
        removal.seq,
        instant(removal.at),
        removal.shop_id,
        instant(removal.before),
        removal.row_count,
        [[span.anchor, span.gone, span.row_count, span.digest.hex()] for span in removal.spans],
    ]
