"""What does a decision look like? Allowed, or a reason, and when to ask again: never a bare boolean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from rekindle.terms.reasons import Reason


class Question(StrEnum):
    """What was asked."""

    ABANDON = "abandon"  #: is this cart abandoned, and does it enter a flow?
    ASSIGN = "assign"  #: holdout or treated?
    NEXT_STEP = "next_step"  #: what does the flow do now?
    MAY_SEND = "may_send"  #: may this shopper get this message on this channel now?
    EXIT = "exit"  #: does the enrolment end here?


class Outcome(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    DEFER = "defer"  #: not now; ``retry_at`` says when to ask again


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one question, with its reason and the evidence that a person can read later.

    ``evidence`` holds JSON values only and never an address.
    """

    outcome: Outcome
    reason: Reason
    retry_at: datetime | None = None
    evidence: Mapping[str, object] = msgspec.field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        return self.outcome is Outcome.ALLOW

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.DEFER) != (self.retry_at is not None):
            raise ValueError("a deferral says when to ask again, and nothing else does")


def allow(reason: Reason = Reason.ALLOWED, **evidence: object) -> Verdict:
    return Verdict(outcome=Outcome.ALLOW, reason=reason, evidence=evidence)


def deny(reason: Reason, **evidence: object) -> Verdict:
    return Verdict(outcome=Outcome.DENY, reason=reason, evidence=evidence)


def defer(reason: Reason, retry_at: datetime, **evidence: object) -> Verdict:
    return Verdict(outcome=Outcome.DEFER, reason=reason, retry_at=retry_at, evidence=evidence)
