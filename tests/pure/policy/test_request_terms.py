"""By when must a request be answered? A table of cases, at the law's own numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rekindle.engine.law import default_pack
from rekindle.policy.request_terms import after_business_days, request_terms
from rekindle.terms.privacy_request import RequestKind

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("entries", "kind", "answer", "longer", "acknowledge"),
    [
        (["EU"], RequestKind.ACCESS, 30, 60, None),
        (["DE", "FR"], RequestKind.ERASURE, 30, 60, None),
        (["US"], RequestKind.ACCESS, 45, 45, 14),
        (["US-TX"], RequestKind.CORRECTION, 45, 45, 14),
        (["US"], RequestKind.SALE_OPT_OUT, 21, 45, 14),
        (["EU", "US"], RequestKind.ACCESS, 30, 45, 14),
        (["GB"], RequestKind.COMPLAINT, 30, 60, 30),
        (["CA"], RequestKind.ACCESS, 30, 0, 14),
        ([], RequestKind.ACCESS, 30, 0, 14),
    ],
)
def test_the_strictest_of_all_regions_holds(
    entries: list[str], kind: RequestKind, answer: int, longer: int, acknowledge: int | None
) -> None:
    terms = request_terms(default_pack(), entries, kind, MONDAY)
    assert terms.due_at == MONDAY + answer * DAY
    assert terms.extension == longer * DAY
    assert terms.acknowledge_by == (None if acknowledge is None else MONDAY + acknowledge * DAY)
    assert terms.escalate_at == MONDAY + 20 * DAY


def test_another_region_never_makes_a_date_later() -> None:
    pack = default_pack()
    assert pack is not None
    for first in pack.regions:
        alone = request_terms(pack, [first], RequestKind.ACCESS, MONDAY)
        for second in pack.regions:
            both = request_terms(pack, [first, second], RequestKind.ACCESS, MONDAY)
            assert both.due_at <= alone.due_at
            assert both.extension <= alone.extension
            assert both.acknowledge_by or not alone.acknowledge_by


def test_without_a_pack_the_shortest_terms_hold() -> None:
    assert request_terms(None, ["US"], RequestKind.ACCESS, MONDAY).due_at == MONDAY + 30 * DAY


@pytest.mark.parametrize(("day", "days", "ends"), [(0, 5, 7), (4, 1, 7), (5, 1, 7), (6, 10, 18), (0, 0, 0)])
def test_business_days_leave_out_weekends(day: int, days: int, ends: int) -> None:
    assert after_business_days(MONDAY + day * DAY, days) == MONDAY + ends * DAY
