"""What is a batch of sends while it is on its way? Shared by the parts of delivery, from claim to last record."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime

from rekindle.engine.facts import Candidate
from rekindle.providers.base import Letter


@dataclass(slots=True)
class Going:
    """One message on its way out by an account."""

    candidate: Candidate
    letter: Letter
    account_id: int


@dataclass(slots=True)
class Tally:
    """What became of a batch. ``again``: back to waiting, by decision, by the provider, or because facts changed."""

    claimed: int = 0
    handed_over: int = 0
    skipped: int = 0
    again: int = 0
    failed: int = 0
    uncertain: int = 0

    def add(self, other: Tally) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Batch:
    """``claimed_until``: the lease of the claim, which is also its fence; ``facts_at``: when the facts were read."""

    bucket: int
    claimed_until: datetime
    facts_at: datetime
    tally: Tally = field(default_factory=Tally)
