"""Which of the languages we speak fits this locale tag?

A locale is a BCP 47 tag as a shop or browser sends it (``de``, ``de-AT``, ``pt_BR``). What is unknown falls back to
the language, then to English; it never raises, because a letter must not fail over a browser's odd language header.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

LANGUAGES: Final = ("en", "de", "fr", "es", "it", "pt", "nl", "pl")

_T = TypeVar("_T")


@lru_cache(maxsize=1024)
def locale_chain(locale: str) -> tuple[str, ...]:
    """From the most special to English.

    >>> locale_chain("de_at"), locale_chain("xx")
    (('de-AT', 'de', 'en'), ('xx', 'en'))
    """
    parts = locale.strip().replace("_", "-").split("-")
    language = parts[0].lower()
    region = next((part.upper() for part in parts[1:] if len(part) in {2, 3} and part.isalnum()), "")
    chain = ([f"{language}-{region}"] if region else []) + [language, "en"]
    return tuple(dict.fromkeys(chain))


def language_of(locale: str) -> str:
    """The language of `LANGUAGES` in which a letter for this locale is written.

    >>> language_of("pt-PT"), language_of("sv-SE"), language_of("")
    ('pt', 'en', 'en')
    """
    return next(name for name in locale_chain(locale) if name in LANGUAGES)


def for_locale(table: Mapping[str, _T], locale: str) -> _T:
    """The entry of the most special locale that the table has; the table must have ``en``."""
    return next(table[name] for name in locale_chain(locale) if name in table)
