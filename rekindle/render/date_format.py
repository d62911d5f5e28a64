"""How does a shopper read this date? ``22 November 2026``, ``22. November 2026``, ``22 de noviembre de 2026``.

Dates enter a template as ISO 8601 text (``2026-11-22`` or a full instant, whose own date is used: the caller has
already moved it to the shopper's zone). Source of names and patterns: Unicode CLDR 47, "dates", gregorian long format.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from rekindle.render.locales import for_locale, language_of

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
}
_PATTERNS = {
    "en": "{day} {month} {year}",
    "en-US": "{month} {day}, {year}",
    "de": "{day}. {month} {year}",
    "es": "{day} de {month} de {year}",
    "pt": "{day} de {month} de {year}",
    "fr": "{day} {month} {year}",
    "it": "{day} {month} {year}",
    "nl": "{day} {month} {year}",
    "pl": "{day} {month} {year}",
}


@lru_cache(maxsize=1024)
def long_date(iso: str, locale: str = "en") -> str:
    """An ISO date in words. Raises ValueError for text that is not an ISO 8601 date.

    >>> long_date("2026-11-02", "de"), long_date("2026-11-02T23:30:00+01:00", "en-US")
    ('2. November 2026', 'November 2, 2026')
    """
    day = datetime.fromisoformat(iso[:10])
    if len(iso) > 10 and iso[10] not in "T ":
        raise ValueError("not an ISO 8601 date")
    month = _MONTHS[language_of(locale)].split()[day.month - 1]
    return for_locale(_PATTERNS, locale).format(day=day.day, month=month, year=day.year)
