"""Which filters may a template use, and what do they do with a missing value?

Every filter is ours: the template engine's own ones are out of reach (`ARGUMENTS` is the whole list). A filter that
gets a missing value (None) raises MissingValueError, except ``default``, whose job it is. Texts never repeat a value:
they end in logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Final
from urllib.parse import quote

from rekindle.render.date_format import long_date
from rekindle.render.locales import language_of
from rekindle.render.money_format import money as money_text

MAX_LOOP_ITEMS = 500

#: Filter name -> least and most values in its brackets.
ARGUMENTS: Final[dict[str, tuple[int, int]]] = {
    "default": (0, 1),
    "money": (1, 2),
    "date": (0, 1),
    "truncate": (1, 2),
    "plural": (3, 5),
    "upper": (0, 0),
    "lower": (0, 0),
    "capitalize": (0, 0),
    "trim": (0, 0),
    "length": (0, 0),
    "first": (0, 0),
    "last": (0, 0),
    "join": (1, 1),
    "urlencode": (0, 0),
}


class MergeValueError(ValueError):
    """A value does not fit the filter; the text says what was expected and never repeats the value."""


class MissingValueError(MergeValueError):
    """A variable has no value and no ``default`` was given."""


def _need(value: object, kind: type, what: str) -> None:
    if value is None:
        raise MissingValueError("has no value")
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise MergeValueError(f"needs {what}")


def default(value: object, fallback: object = "") -> object:
    """The value, or the fallback where it is missing, none or the empty string (0 and false are values).

    >>> default("", "there"), default(None, "x"), default(0, 5)
    ('there', 'x', 0)
    """
    return fallback if value is None or value == "" else value


def money(cents: object, currency: object, locale: object = "en") -> str:
    """``{{ cart.total_cents|money(cart.currency, locale) }}``.

    >>> money(1999, "EUR", "de")
    '19,99\\xa0€'
    """
    if type(cents) is int and type(currency) is str and type(locale) is str:  # nearly always, eight times a letter
        return money_text(cents, currency, locale)
    _need(cents, int, "an amount in minor units for money")
    _need(currency, str, "a currency such as EUR for money")
    _need(locale, str, "a locale such as de for money")
    return money_text(cents, currency, locale)


def date(value: object, locale: object = "en") -> str:
    """``{{ offer.ends_on|date(locale) }}``: an ISO date in words.

    >>> date("2026-11-02", "fr")
    '2 novembre 2026'
    """
    _need(value, str, "an ISO date such as 2026-11-22 for date")
    _need(locale, str, "a locale such as de for date")
    try:
        return long_date(value, locale)
    except ValueError:
        raise MergeValueError("needs an ISO date such as 2026-11-22 for date") from None


def truncate(value: object, length: object, end: object = "…") -> str:
    """At most ``length`` characters, cut between words where one ends in the last third.

    >>> truncate("A very long title", 12), truncate("short", 12)
    ('A very long…', 'short')
    """
    _need(value, str, "a text for truncate")
    _need(length, int, "a number of characters for truncate")
    _need(end, str, "a text as its ending for truncate")
    text, limit, ending = str(value), int(str(length)), str(end)
    if limit < 1:
        raise MergeValueError("needs at least one character for truncate")
    if len(text) <= limit:
        return text
    kept = text[: max(limit - len(ending), 0)]
    space = kept.rfind(" ")
    if text[len(kept) : len(kept) + 1] not in {" ", ""} and space >= len(kept) * 2 // 3 > 0:
        kept = kept[:space]
    return (kept.rstrip() + ending)[:limit]


def plural(count: object, locale: object, *forms: object) -> str:
    """The form for this number; ``#`` becomes the number. Forms are one, other; in Polish one, few, many.

    >>> plural(1, "en", "# item", "# items"), plural(0, "fr", "# article", "# articles")
    ('1 item', '0 article')
    >>> [plural(n, "pl", "# produkt", "# produkty", "# produktów") for n in (1, 3, 12, 22)]
    ['1 produkt', '3 produkty', '12 produktów', '22 produkty']
    """
    _need(count, int, "a whole number for plural")
    _need(locale, str, "a locale such as de for plural")
    for form in forms:
        _need(form, str, "texts as forms for plural")
    number = abs(int(str(count)))
    index = min(_plural_index(number, language_of(str(locale)), len(forms)), len(forms) - 1)
    return str(forms[index]).replace("#", str(count))


def _plural_index(number: int, language: str, forms: int) -> int:
    """Position of the form. Source: Unicode CLDR 47, plural rules for whole numbers."""
    if language in {"fr", "pt"}:
        return 0 if number <= 1 else forms - 1
    if language == "pl" and forms > 2:
        few = 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14
        return 0 if number == 1 else 1 if few else 2
    return 0 if number == 1 else forms - 1


def upper(value: object) -> str:
    """Capital letters.

    >>> upper("ada")
    'ADA'
    """
    _need(value, str, "a text for upper")
    return str(value).upper()


def lower(value: object) -> str:
    """Small letters.

    >>> lower("ADA")
    'ada'
    """
    _need(value, str, "a text for lower")
    return str(value).lower()


def capitalize(value: object) -> str:
    """First letter large, the rest untouched.

    >>> capitalize("ada McBride")
    'Ada McBride'
    """
    _need(value, str, "a text for capitalize")
    return str(value)[:1].upper() + str(value)[1:]


def trim(value: object) -> str:
    """Without white space at both ends.

    >>> trim(" a ")
    'a'
    """
    _need(value, str, "a text for trim")
    return str(value).strip()


def length(value: object) -> int:
    """Number of characters or elements.

    >>> length([1, 2])
    2
    """
    _need(value, Sized, "a text or a list for length")
    return len(value)  # type: ignore[arg-type]  # checked above


def first(value: object) -> object:
    """First element of a list or character of a text; missing when there is none.

    >>> first([]), first(["a", "b"])
    (None, 'a')
    """
    _need(value, list if isinstance(value, list) else str, "a text or a list for first")
    return next(iter(value), None)  # type: ignore[call-overload]  # checked above


def last(value: object) -> object:
    """Last element of a list or character of a text; missing when there is none.

    >>> last(["a", "b"])
    'b'
    """
    _need(value, list if isinstance(value, list) else str, "a text or a list for last")
    return value[-1] if value else None  # type: ignore[index]  # checked above


def join(value: object, between: object) -> str:
    """The texts and whole numbers of a list as one text.

    >>> join(["a", 1], ", ")
    'a, 1'
    """
    _need(value, list, "a list for join")
    _need(between, str, "a text to put between for join")
    elements = list(value)  # type: ignore[call-overload]  # checked above
    for element in elements:
        if type(element) not in {str, int}:
            raise MergeValueError("needs texts or whole numbers in the list for join")
    return str(between).join(map(str, elements))


def urlencode(value: object) -> str:
    """Percent-encoded for one query value.

    >>> urlencode("a b&c")
    'a%20b%26c'
    """
    if type(value) is int:
        return str(value)
    _need(value, str, "a text for urlencode")
    return quote(str(value), safe="")


def each(value: object) -> object:
    """What a loop may walk: a list of at most `MAX_LOOP_ITEMS`.

    >>> each(["a"])
    ['a']
    """
    _need(value, list, "a list to loop over")
    if len(value) > MAX_LOOP_ITEMS:  # type: ignore[arg-type]  # checked above
        raise MergeValueError(f"has more than {MAX_LOOP_ITEMS} elements")
    return value


FILTERS: Final[dict[str, Callable[..., object]]] = {
    "default": default,
    "money": money,
    "date": date,
    "truncate": truncate,
    "plural": plural,
    "upper": upper,
    "lower": lower,
    "capitalize": capitalize,
    "trim": trim,
    "length": length,
    "first": first,
    "last": last,
    "join": join,
    "urlencode": urlencode,
}
