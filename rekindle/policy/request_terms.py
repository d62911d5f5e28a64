"""By when must a request about personal data be answered? The strictest of all plausible regions, per date.

A region without terms of its own in the pack takes those of the unknown region: what is not known to be longer is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from rekindle.terms.policy_pack import UNKNOWN_REGION, PolicyPack, Privacy
from rekindle.terms.privacy_request import RequestKind


class RequestTerms(NamedTuple):
    """``due_at``: answered by then; ``extension``: how much longer it may take with a reason; ``acknowledge_by``: the
    person is told that it came in; ``escalate_at``: nobody leaves it lying after that."""

    due_at: datetime
    extension: timedelta
    acknowledge_by: datetime | None
    escalate_at: datetime


def request_terms(
    pack: PolicyPack | None, entries: Iterable[str], kind: RequestKind, received_at: datetime
) -> RequestTerms:
    """The dates of a request that came in at ``received_at``. Without a pack the shortest terms known hold.

    Sources: GDPR art. 12(3) (a month, and two more), CCPA 1798.130(a)(2) and 11 CCR 7021 (45 days, and 45 more;
    acknowledged in 10 business days), 11 CCR 7026(f) (15 business days for the opt-out of sale), the UK's Data (Use and
    Access) Act 2025 s. 103 (complaints acknowledged within 30 days). The day of escalation is the house's choice.
    """
    each = [_of(pack, entry) for entry in entries] or [_of(pack, UNKNOWN_REGION)]
    due_at = min(received_at + timedelta(days=terms.answer_days) for terms in each)
    if kind is RequestKind.SALE_OPT_OUT:
        days = [terms.optout_business_days for terms in each if terms.optout_business_days is not None]
        due_at = min([due_at, *(after_business_days(received_at, day) for day in days)])
    asked = [
        after_business_days(received_at, terms.acknowledge_business_days)
        for terms in each
        if terms.acknowledge_business_days is not None
    ]
    if kind is RequestKind.COMPLAINT:
        asked = [received_at + timedelta(days=terms.complaint_acknowledge_days) for terms in each]
    acknowledge_by = min(asked, default=None)
    escalate_at = min(received_at + timedelta(days=min(terms.escalate_days for terms in each)), due_at)
    extension = timedelta(days=min(terms.extension_days for terms in each))
    return RequestTerms(due_at, extension, acknowledge_by, escalate_at)


def after_business_days(start: datetime, days: int) -> datetime:
    """The same time of day so many days later, Saturdays and Sundays not counted.

    Holidays are counted, so that a date is never later than a law without them would have it.

    >>> from datetime import UTC
    >>> after_business_days(datetime(2026, 3, 5, 9, tzinfo=UTC), 3).isoformat()  # a Thursday
    '2026-03-10T09:00:00+00:00'
    """
    at = start
    while days:
        at += timedelta(days=1)
        if at.weekday() < 5:
            days -= 1
    return at


def _of(pack: PolicyPack | None, entry: str) -> Privacy:
    if pack is None:
        return Privacy(answer_days=30)
    region = pack.regions.get(entry) or pack.regions[UNKNOWN_REGION]
    return region.privacy or pack.regions[UNKNOWN_REGION].privacy or Privacy(answer_days=30)
