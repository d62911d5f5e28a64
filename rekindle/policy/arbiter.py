"""Several messages to one shopper could go out now: which one does?

A shopper's attention is one budget over all channels and flows. The more important flow goes first, then the message
that has waited longest by its flow's own times. The others lose this time: they are asked again after it, and what it
used up of the caps then counts for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from rekindle.terms.decision import Verdict, defer
from rekindle.terms.reasons import Reason


class Bid(NamedTuple):
    """A message that may go out. ``priority``: of its flow, higher goes first; ``planned_at``: when it was due."""

    send_id: UUID
    flow_id: int
    priority: int
    planned_at: datetime


def arbitrate(bids: Sequence[Bid], again_at: datetime) -> dict[UUID, Verdict]:
    """The verdicts of those that lose, by send; the one that is missing goes out. ``again_at``: when to ask again.

    >>> arbitrate([], datetime(2026, 1, 1))
    {}
    """
    ranked = sorted(bids, key=lambda bid: (-bid.priority, bid.planned_at, bid.send_id))
    return {bid.send_id: _lost(bid, ranked[0], again_at) for bid in ranked[1:]}


def _lost(bid: Bid, winner: Bid, again_at: datetime) -> Verdict:
    by = "priority" if winner.priority > bid.priority else "planned_at"
    return defer(
        Reason.OUTRANKED,
        again_at,
        by=by,
        winner=str(winner.send_id),
        winner_flow=winner.flow_id,
        winner_priority=winner.priority,
        priority=bid.priority,
    )
