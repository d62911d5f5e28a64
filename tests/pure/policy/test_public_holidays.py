"""Which days are holidays where the shopper may be?"""

from __future__ import annotations

from datetime import date

import pytest

from rekindle.policy.public_holidays import holidays_near


@pytest.mark.parametrize(
    ("places", "day", "expected"),
    [
        ([("FR", "")], "2026-07-14", ["2026-07-14"]),
        ([("fr", " ")], "2026-07-10", ["2026-07-14"]),
        ([("FR", ""), ("US", "")], "2026-07-03", ["2026-07-03", "2026-07-04"]),
        # the fourth of July is a Saturday in 2026: the day it is observed on counts too
        ([("US", "")], "2026-07-02", ["2026-07-03", "2026-07-04"]),
        ([("DE", "")], "2026-01-05", []),
        ([("DE", "BY")], "2026-01-05", ["2026-01-06"]),
        ([("DE", "DE-BY")], "2026-01-05", ["2026-01-06"]),
        ([("DE", "Bavaria")], "2026-01-05", []),
        # over the end of a year, and the day before for zones behind
        ([("AT", "")], "2026-12-27", ["2026-12-26", "2027-01-01"]),
        ([("", ""), ("XX", ""), ("Atlantis", "")], "2026-01-01", []),
        ([], "2026-01-01", []),
    ],
)  # fmt: skip
def test_days_near(places: list[tuple[str, str]], day: str, expected: list[str]) -> None:
    found = holidays_near(places, date.fromisoformat(day))
    assert sorted(one.isoformat() for one in found) == expected
