"""What may a person ask for about their own data, and what has been done about it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from rekindle.terms.send import Channel


class RequestKind(StrEnum):
    """What is asked for."""

    ACCESS = "access"  #: know, access, portability (GDPR art. 15, 20; CCPA 1798.110): a file with everything
    ERASURE = "erasure"  #: delete (GDPR art. 17; CCPA 1798.105)
    CORRECTION = "correction"  #: a name or an address is wrong (GDPR art. 16; CCPA 1798.106)
    OBJECTION = "objection"  #: to marketing and its profiling; absolute (GDPR art. 21(2), (3))
    SALE_OPT_OUT = "sale_opt_out"  #: no sale, no sharing (CCPA 1798.120); a GPC signal says the same
    COMPLAINT = "complaint"  #: about how data was handled (UK Data (Use and Access) Act 2025 s. 103)


class RequestState(StrEnum):
    """How far a request is. Whether it is late follows from its dates, so it is never stored."""

    RECEIVED = "received"  #: came in; nobody has checked yet who asks
    VERIFIED = "verified"  #: it is known to come from the person
    ANSWERED = "answered"  #: done, and the person was told
    REFUSED = "refused"  #: with a reason, which is kept


class Step(StrEnum):
    """What a person at the shop does about a request; each is a line of its history."""

    ACKNOWLEDGE = "acknowledge"  #: told the person that it came in
    VERIFY = "verify"  #: made sure that the person is who they say
    EXTEND = "extend"  #: took the longer term, and told the person why
    EXPORT = "export"  #: ordered the file; a worker makes it
    ERASE = "erase"  #: erased the person
    CORRECT = "correct"  #: put in what is right
    OBJECT = "object"  #: stopped every message and all profiling
    STOP_SALE = "stop_sale"  #: nothing is passed on about the person
    ANSWER = "answer"  #: closed it as answered
    REFUSE = "refuse"  #: closed it without doing it
    NOTE = "note"  #: wrote something down


class Happened(StrEnum):
    """Lines of a request's history that nobody at the shop did."""

    RECEIVED = "received"  #: it came in
    ESCALATED = "escalated"  #: too old to be left lying
    EXPORTED = "exported"  #: the file is ready
    EXPORT_FAILED = "export_failed"  #: the file could not be made
    DOWNLOADED = "downloaded"  #: the file was taken, once
    EXPIRED = "expired"  #: the file was thrown away


CLOSED = frozenset({RequestState.ANSWERED, RequestState.REFUSED})


class Subject(NamedTuple):
    """One address of who asks. ``address`` is empty after erasure; the hash is the keyed one."""

    channel: Channel
    hash: bytes
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A request as stored. ``regions``: entries of the policy pack from which its dates follow."""

    bucket: int
    id: UUID
    shop_id: int
    kind: RequestKind
    state: RequestState
    source: str
    regions: str
    subjects: tuple[Subject, ...]
    customer_key: str = ""
    note: str = ""
    shopper_bucket: int | None = None
    shopper_id: UUID | None = None
    received_at: datetime
    due_at: datetime
    acknowledge_by: datetime | None = None
    acknowledged_at: datetime | None = None
    escalate_at: datetime
    escalated_at: datetime | None = None
    extended_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state not in CLOSED

    def is_overdue(self, now: datetime) -> bool:
        """Past its legal date, or not acknowledged in time."""
        late = self.acknowledge_by is not None and self.acknowledged_at is None and now > self.acknowledge_by
        return self.is_open and (late or now > self.due_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One line of a request's history, never changed. ``detail`` holds no address and no name."""

    at: datetime
    what: str
    by: str
    detail: Mapping[str, object] = field(default_factory=dict)
