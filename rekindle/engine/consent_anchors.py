"""Is the ledger of consents whole, also at its ends? Every hour what was written down is sealed in one number.

Each address has a chain of its own, so rows cut off its end, or a whole chain that is gone, break nothing. An anchor
holds a digest over all rows that were written down since the one before it; the anchors are a chain themselves, and
its head is kept outside of the database (`audit_log.keep_outside`). What is younger than the last anchor is not sealed.
Old rows go lawfully by `consent_removals`, which seals what they leave behind.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from rekindle.engine.audit_log import keep_outside
from rekindle.engine.consents import ledger_key, with_bytes
from rekindle.engine.context import Context
from rekindle.policy import chain, consent_chain
from rekindle.policy.chain import GENESIS, Link, instant, link_hash
from rekindle.policy.consent_removal import REMOVALS, left_of_spans, removal_link
from rekindle.store import consent_anchors as store
from rekindle.store.audit import ledger
from rekindle.store.buckets import buckets_of
from rekindle.store.consent_anchors import Anchor, Recorded
from rekindle.store.database import Connection
from rekindle.store.shops import all_shops

#: The name of this chain among the heads that are kept outside.
LEDGER: Final = "consents"
#: A row may be committed so long after the instant it bears; until then it is not sealed.
LAG: Final = timedelta(minutes=5)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Checked(NamedTuple):
    """``faults`` empty: the ledger is whole, as far as the anchors reach."""

    rows: int
    chains: int
    anchors: int
    faults: tuple[str, ...]


def keep_anchor(connection: Connection, context: Context) -> object:
    """Seal what was written down since the last time, and write the heads outside. None when there was nothing."""
    with connection.transaction():
        store.hold_anchors(connection)
        last = store.last_anchor(connection)
        since, until = last.until if last else _BEGINNING, context.clock.now() - LAG
        if until > since:
            ((count, digest),) = digests_of(connection, [(since, until)])
            if count:
                seq, previous = (last.seq + 1, last.own_hash) if last else (1, GENESIS)
                plain = Anchor(seq, since, until, count, digest, previous, b"")
                last = plain._replace(own_hash=link_hash(ledger_key(context), previous, _fields(plain)))
                store.add_anchor(connection, last)
        removal = store.last_removal(connection)
    if removal is not None:
        keep_outside(context, REMOVALS, *removal)
    if last is None:
        return None
    keep_outside(context, LEDGER, last.seq, last.own_hash)
    return last.seq


def check_ledger(
    connection: Connection,
    context: Context,
    heads: Mapping[int, bytes] | None = None,
    removal_heads: Mapping[int, bytes] | None = None,
) -> Checked:
    """Look at every chain, every anchor and every removal. ``heads`` of anchors and of removals as kept outside, by
    number."""
    rows, chains, faults = 0, 0, []
    for bucket in _buckets(connection):
        with connection.transaction():
            for subject, group in groupby(ledger(connection, bucket), key=_subject):
                own = [with_bytes(row) for row in group]
                rows, chains = rows + len(own), chains + 1
                fault = consent_chain.first_fault(ledger_key(context), own)
                if fault:
                    faults.append(f"shop {subject[0]}, {subject[1]} {subject[2].hex()[:12]}: {fault}")
    anchors = store.all_anchors(connection)
    fault = chain.first_fault(ledger_key(context), (_link(anchor) for anchor in anchors), heads)
    if fault:
        faults.append(f"anchors: {fault}")
    removals = store.all_removals(connection)
    fault = chain.first_fault(ledger_key(context), map(removal_link, removals), removal_heads)
    if fault:
        faults.append(f"removals: {fault}")
    left = left_of_spans(ledger_key(context), removals)
    spans = [(anchor.since, anchor.until) for anchor in anchors]
    found = digests_of(connection, spans) if spans == sorted(spans) and all(a < b for a, b in spans) else []
    if len(found) != len(spans):
        faults.append("anchors: their times are not in order")
    for anchor, (count, digest) in zip(anchors, found, strict=False):
        sealed = left.get(anchor.seq, (anchor.row_count, anchor.digest))
        if (count, digest) != sealed:
            faults.append(
                f"written down from {anchor.since:%Y-%m-%d %H:%M} to {anchor.until:%Y-%m-%d %H:%M} UTC:"
                f" {sealed[0]} rows were sealed, {count} are there"
                + ("" if count != sealed[0] else ", and not the same ones")
            )
    return Checked(rows, chains, len(anchors), tuple(faults))


def digests_of(
    connection: Connection,
    spans: Sequence[tuple[datetime, datetime]],
    also: Mapping[int, Sequence[Recorded]] = MappingProxyType({}),
) -> list[tuple[int, bytes]]:
    """For each span (after, up to; one behind the other) how many rows there are, and SHA-256 over the digests of its
    buckets in their order, each over ids and hashes in the order of ids. Every bucket is read once. ``also``: rows that
    are there no longer, by bucket, in the order of ids; they count as if they were."""
    ends = [until for _, until in spans]
    counts, totals = [0] * len(spans), [hashlib.sha256() for _ in spans]
    for bucket in _buckets(connection) if spans else ():
        parts: dict[int, tuple[list[int], Any]] = {}
        with connection.transaction():
            stored = store.recorded_between(connection, bucket, spans[0][0], ends[-1])
            for row_id, row_hash, at in merge(stored, also.get(bucket, ()), key=_id_of):
                span = bisect_left(ends, at)
                if span == len(ends) or at <= spans[span][0]:
                    continue
                count, part = parts.setdefault(span, ([0], hashlib.sha256()))
                part.update(row_id.bytes + row_hash)
                count[0] += 1
        for span, (count, part) in parts.items():
            counts[span] += count[0]
            totals[span].update(bucket.to_bytes(2, "big") + part.digest())
    return [(count, total.digest()) for count, total in zip(counts, totals, strict=True)]


def _buckets(connection: Connection) -> Iterable[int]:
    return sorted({bucket for shop in all_shops(connection) for bucket in buckets_of(shop)})


def _id_of(row: Recorded) -> UUID:
    return row[0]


def _link(anchor: Anchor) -> Link:
    return Link(anchor.seq, _fields(anchor), anchor.previous_hash, anchor.own_hash)


def _fields(anchor: Anchor) -> list[object]:
    return [
        LEDGER,
        anchor.seq,
        instant(anchor.since),
        instant(anchor.until),
        anchor.row_count,
        anchor.digest.hex(),
    ]


def _subject(row: consent_chain.ConsentRow) -> tuple[int, str, bytes]:
    return row.shop_id, row.channel, bytes(row.address_hash)
