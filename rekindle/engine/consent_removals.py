"""How are old rows of the consent ledger deleted so that the ledger stays provable? With a sealed word about it.

In one transaction the rows go and a removal says what is left of each anchor's span; its hash is kept outside. A span
that did not hold what was sealed before gets no removal: a lawful deletion never covers up an unlawful one.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rekindle.engine.audit_log import keep_outside
from rekindle.engine.consent_anchors import digests_of
from rekindle.engine.consents import ledger_key
from rekindle.engine.context import Context
from rekindle.policy.chain import GENESIS
from rekindle.policy.consent_removal import REMOVALS, Left, Removal, left_of_spans, removal_hash
from rekindle.store import consent_anchors as store
from rekindle.store.buckets import buckets_of
from rekindle.store.consent_anchors import Anchor, Recorded
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def take_old_consents(connection: Connection, context: Context, shop: ShopSettings, before: datetime) -> int:
    """Delete a shop's chains to which nothing was added since ``before``; commits. Returns how many rows went."""
    with connection.transaction():
        store.hold_anchors(connection)
        gone = {
            bucket: rows
            for bucket in buckets_of(shop)
            if (rows := store.delete_old_consents(connection, bucket, shop.id, before))
        }
        if not gone:
            return 0
        count = sum(len(rows) for rows in gone.values())
        spans = _spans(connection, context, shop, gone)
        last = store.last_removal(connection)
        seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
        plain = Removal(seq, context.clock.now(), shop.id, before, count, spans, previous, b"")
        removal = plain._replace(own_hash=removal_hash(ledger_key(context), plain))
        store.add_removal(connection, removal)
    keep_outside(context, REMOVALS, removal.seq, removal.own_hash)
    return count


def _spans(
    connection: Connection, context: Context, shop: ShopSettings, gone: Mapping[int, Sequence[Recorded]]
) -> list[Left]:
    """What is left of each span that rows went from, in the order of anchors."""
    anchors = store.all_anchors(connection)
    went = _count_by_anchor(anchors, gone)
    hit = [anchor for anchor in anchors if anchor.seq in went]
    times = [(anchor.since, anchor.until) for anchor in hit]
    was, left = digests_of(connection, times, gone), digests_of(connection, times)
    sealed = left_of_spans(ledger_key(context), store.all_removals(connection))
    found, odd = [], []
    for anchor, had, has in zip(hit, was, left, strict=True):
        if had == sealed.get(anchor.seq, (anchor.row_count, anchor.digest)):
            found.append(Left(anchor.seq, went[anchor.seq], *has))
        else:
            odd.append(anchor.seq)
    if odd:
        log.error("consents_broken", extra={"facts": {"shop": shop.id, "anchors": odd}})
    return found


def _count_by_anchor(anchors: Sequence[Anchor], gone: Mapping[int, Sequence[Recorded]]) -> Counter[int]:
    """How many rows went from each anchor's span; those after the last anchor are in none."""
    ends = [anchor.until for anchor in anchors]
    went = Counter[int]()
    for rows in gone.values():
        for _, _, at in rows:
            place = bisect_left(ends, at)
            if place < len(anchors) and at > anchors[place].since:
                went[anchors[place].seq] += 1
    return went
