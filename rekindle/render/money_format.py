"""How does a shopper read this amount? ``1.234,50 €`` for a German, ``€1,234.50`` for an Irishman.

Pure tables instead of the machine's locale: the same letter on every machine. Decimals follow ISO 4217 (JPY none,
KWD three). Source of patterns, separators and symbols: Unicode CLDR 47, locale data "numbers".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rekindle.lib.money import exponent
from rekindle.render.locales import for_locale

_NBSP, _NARROW = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class _Style:
    """``pattern`` places sign, symbol and number; grouping starts at ``group_from`` integer digits."""

    decimal: str
    group: str
    pattern: str
    group_from: int = 4
    negative: str = "-{amount}"


_STYLES = {
    "en": _Style(".", ",", "{symbol}{number}"),
    "de": _Style(",", ".", f"{{number}}{_NBSP}{{symbol}}"),
    "de-AT": _Style(",", ".", f"{{symbol}}{_NBSP}{{number}}"),
    "de-CH": _Style(".", "’", f"{{symbol}}{_NBSP}{{number}}", negative="{symbol}-{number}"),
    "fr": _Style(",", _NARROW, f"{{number}}{_NBSP}{{symbol}}"),
    "fr-CA": _Style(",", _NBSP, f"{{number}}{_NBSP}{{symbol}}"),
    "es": _Style(",", ".", f"{{number}}{_NBSP}{{symbol}}", group_from=5),
    "es-MX": _Style(".", ",", "{symbol}{number}"),
    "it": _Style(",", ".", f"{{number}}{_NBSP}{{symbol}}"),
    "pt": _Style(",", ".", f"{{symbol}}{_NBSP}{{number}}"),
    "pt-PT": _Style(",", _NBSP, f"{{number}}{_NBSP}{{symbol}}", group_from=5),
    "nl": _Style(",", ".", f"{{symbol}}{_NBSP}{{number}}", negative=f"{{symbol}}{_NBSP}-{{number}}"),
    "pl": _Style(",", _NBSP, f"{{number}}{_NBSP}{{symbol}}", group_from=5),
}

#: Symbols most of our languages share; a currency without one shows its ISO code, which nobody misreads.
_COMMON = {"EUR": "€", "GBP": "£", "BRL": "R$", "INR": "₹", "ILS": "₪", "KRW": "₩", "VND": "₫"}
_DOLLARS = {"CAD": "CA$", "AUD": "AU$", "NZD": "NZ$", "MXN": "MX$"}
_ENGLISH = {**_COMMON, **_DOLLARS, "USD": "$", "JPY": "¥", "AUD": "A$", "PHP": "₱"}
_SYMBOLS = {
    "en": _ENGLISH,
    "en-GB": {**_ENGLISH, "USD": "US$", "JPY": "JP¥"},
    "en-CA": {**_ENGLISH, "CAD": "$", "USD": "US$", "JPY": "JP¥"},
    "en-AU": {"AUD": "$"},
    "de": {**_COMMON, **_DOLLARS, "USD": "$", "JPY": "¥"},
    "fr": {
        **_COMMON,
        "USD": "$US",
        "GBP": "£GB",
        "CAD": "$CA",
        "AUD": "$AU",
        "NZD": "$NZ",
        "MXN": "$MX",
    },
    "fr-CA": {"EUR": "€", "GBP": "£", "JPY": "¥", "BRL": "R$", "CAD": "$", "USD": f"${_NBSP}US", "AUD": f"${_NBSP}AU"},
    "es": {"EUR": "€", "USD": "US$", "VND": "₫"},
    "es-MX": {"MXN": "$"},
    "it": {"EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "ILS": "₪", "PHP": "₱"},
    "pt": {**_COMMON, **_DOLLARS, "USD": "US$", "JPY": "JP¥"},
    "nl": {**_COMMON, **_DOLLARS, "USD": "US$", "CAD": "C$", "JPY": "JP¥"},
    "pl": {"EUR": "€", "PLN": "zł", "BRL": "R$"},
}


@dataclass(frozen=True, slots=True)
class _Writing:
    """Everything that stands still for one currency and locale."""

    digits: int
    decimal: str
    group: str
    group_from: int
    before: str
    behind: str
    negative: str
    symbol: str


@lru_cache(maxsize=512)
def _writing(currency: str, locale: str) -> _Writing:
    style, symbol = for_locale(_STYLES, locale), for_locale(_SYMBOLS, locale).get(currency, currency)
    if style.pattern.startswith("{symbol}{number}") and symbol[-1].isalpha():
        symbol += _NBSP  # "PLN 12.00", not "PLN12.00"
    before, _, behind = style.pattern.replace("{symbol}", symbol).partition("{number}")
    return _Writing(
        exponent(currency), style.decimal, style.group, style.group_from, before, behind, style.negative, symbol
    )


@lru_cache(maxsize=4096)  # each amount is printed twice, in the HTML and in the text part
def money(cents: int, currency: str, locale: str = "en") -> str:
    """Minor units as text in the shopper's habit. Spaces inside are no-break spaces.

    >>> money(123450, "EUR"), money(123450, "EUR", "de"), money(1200, "JPY"), money(-1500, "KWD", "en-GB")
    ('€1,234.50', '1.234,50\\xa0€', '¥1,200', '-KWD\\xa01.500')
    """
    writing = _writing(currency, locale)
    whole, tail = str(abs(cents)), ""
    if digits := writing.digits:
        text = whole.rjust(digits + 1, "0")
        whole, tail = text[:-digits], writing.decimal + text[-digits:]
    if len(whole) >= writing.group_from:
        whole = f"{int(whole):,}".replace(",", writing.group)
    number = whole + tail
    amount = writing.before + number + writing.behind
    return amount if cents >= 0 else writing.negative.format(amount=amount, symbol=writing.symbol, number=number)
