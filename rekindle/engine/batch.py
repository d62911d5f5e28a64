"""What is a batch of sends while it is on its way? Shared by the parts of delivery, from claim to last record."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import TypeAlias

from rekindle.engine.facts import Candidate
from rekindle.providers.base import Letter, Push, Sms

#: What leaves by an account.
Message: TypeAlias = Letter | Sms | Push


@dataclass(slots=True)
class Going:
    """One message on its way out by an account; ``started_at``: when its call was started."""

    candidate: Candidate
    letter: Message
    account_id: int
    started_at: datetime | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once, and how long what is held. Shorter times only where every provider is known to be quick."""

    limit: int = 256  #: sends in a batch
    #: From the claim until `sending` is committed: long enough for a batch over a slow provider. A dead worker's claims
    #: come back after it.
    claim_lease: timedelta = timedelta(seconds=90)
    #: From `sending` on. A reply that takes longer finds its send `uncertain`, and settles that.
    sending_lease: timedelta = timedelta(seconds=120)
    #: Longer than any provider may still be at work on what it was given before a doubt began: the ten minutes that
    #: RFC 5321 4.5.3.2.6 grants the final dot, and some for its own queue. Measured: look-ups without it doubled 3 %.
    settle_time: timedelta = timedelta(minutes=11)
    settle_every_s: float = 5.0  #: ended leases and old doubts are looked for this often


PACE = Pace()


@dataclass(slots=True)
class Batch:
    """``claimed_until``: the lease of the claim, which is also its fence; ``facts_at``: when the facts were read."""

    bucket: int
    claimed_until: datetime
    facts_at: datetime
    tally: Tally = field(default_factory=Tally)
