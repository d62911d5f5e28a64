"""Which days near now are public holidays where the shopper may be?

The calendars are those of the `holidays` package: national ones, and a state's own where the state is known. Without a
state only the national days count: the days of all states together would close 64 days of a year in the United States
and 100 in Italy, most of them where the shopper is not. A country without a calendar has no holidays here; its windows
hold as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

#: Days looked at before and after: one for the time zones, eight for the search for the next opening.
_BEFORE, _AFTER = timedelta(days=1), timedelta(days=9)


def holidays_near(places: Iterable[tuple[str, str]], day: date) -> frozenset[date]:
    """Holidays of any of these places, (country, state) pairs as ISO 3166 has them, from the day before ``day`` on.

    >>> sorted(holidays_near([("FR", "")], date(2026, 7, 12)))
    [datetime.date(2026, 7, 14)]
    >>> sorted(holidays_near([("DE", "BY")], date(2026, 1, 5))), holidays_near([("", "")], date(2026, 1, 1))
    ([datetime.date(2026, 1, 6)], frozenset())
    """
    return frozenset().union(*(_near(country.strip().upper(), state.strip().upper(), day) for country, state in places))


@lru_cache(maxsize=4096)
def _near(country: str, state: str, day: date) -> frozenset[date]:
    first, last = day - _BEFORE, day + _AFTER
    years = {first.year, last.year}
    return frozenset(one for year in years for one in _of_year(country, state, year) if first <= one <= last)


@lru_cache(maxsize=1024)
def _of_year(country: str, state: str, year: int) -> frozenset[date]:
    subdivisions = _supported().get(country)
    if subdivisions is None:
        return frozenset()
    own = state.removeprefix(f"{country}-")
    return frozenset(_calendars().country_holidays(country, subdiv=own if own in subdivisions else None, years=year))


@lru_cache(maxsize=1)
def _supported() -> dict[str, list[str]]:
    countries: dict[str, list[str]] = _calendars().list_supported_countries()
    return countries


def _calendars() -> ModuleType:
    """Read when first asked for: an e-mail has no hours, and the package is a third of a worker's start."""
    import holidays

    return holidays
