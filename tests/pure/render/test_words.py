"""Money, dates, plurals and filters as shoppers of eight languages read them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.lib.money import CURRENCIES, exponent
from rekindle.render.date_format import long_date
from rekindle.render.locales import LANGUAGES, language_of, locale_chain
from rekindle.render.merge_filters import (
    ARGUMENTS,
    FILTERS,
    MAX_LOOP_ITEMS,
    MergeValueError,
    MissingValueError,
    each,
    plural,
    truncate,
)
from rekindle.render.money_format import money

N, T = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("cents", "currency", "locale", "wanted"),
    [
        (0, "EUR", "en", "€0.00"),
        (5, "USD", "en-US", "$0.05"),
        (123_456_789, "USD", "en", "$1,234,567.89"),
        (-1_999, "GBP", "en-GB", "-£19.99"),
        (1_200, "JPY", "en", "¥1,200"),
        (1_500, "KWD", "en", f"KWD{N}1.500"),
        (123_450, "EUR", "de", f"1.234,50{N}€"),
        (123_450, "EUR", "de-AT", f"€{N}1.234,50"),
        (123_450, "CHF", "de-CH", f"CHF{N}1’234.50"),
        (123_450, "EUR", "fr", f"1{T}234,50{N}€"),
        (123_450, "CAD", "fr-CA", f"1{N}234,50{N}$"),
        (123_450, "EUR", "es", f"1234,50{N}€"),
        (1_234_500, "EUR", "es", f"12.345,00{N}€"),
        (123_450, "MXN", "es-MX", "$1,234.50"),
        (123_450, "EUR", "it", f"1.234,50{N}€"),
        (123_450, "BRL", "pt-BR", f"R${N}1.234,50"),
        (1_234_550, "EUR", "pt-PT", f"12{N}345,50{N}€"),
        (-123_450, "EUR", "nl", f"€{N}-1.234,50"),
        (123_450, "PLN", "pl", f"1234,50{N}zł"),
        (1_234_550, "PLN", "pl_PL", f"12{N}345,50{N}zł"),
        (999, "SEK", "sv-SE", f"SEK{N}9.99"),
    ],
)
def test_money_reads_as_the_shopper_is_used_to(cents: int, currency: str, locale: str, wanted: str) -> None:
    assert money(cents, currency, locale) == wanted


@given(st.integers(-(10**14), 10**14), st.sampled_from(sorted(CURRENCIES)), st.sampled_from(LANGUAGES))
def test_money_never_changes_the_amount(cents: int, currency: str, locale: str) -> None:
    text = money(cents, currency, locale)
    digits = "".join(c for c in text if c.isdigit())
    assert int(digits) == abs(cents)
    assert ("-" in text) == (cents < 0)
    if exponent(currency):
        decimal = "." if locale == "en" else ","
        whole, _, tail = text.rpartition(decimal)
        assert whole
        assert len([c for c in tail if c.isdigit()]) == exponent(currency)


def test_money_agrees_with_cldr_where_babel_is_installed() -> None:
    numbers = pytest.importorskip("babel.numbers", reason="babel is only in the bench requirements")
    for locale in LANGUAGES:
        for currency in ("EUR", "USD", "GBP", "JPY", "PLN"):
            for cents in (5, 1_999, 1_234_567_89, -1_999_99):
                wanted = numbers.format_currency(Decimal(cents).scaleb(-exponent(currency)), currency, locale=locale)
                if currency == "PLN" and locale == "en":
                    wanted = wanted.replace("PLN", f"PLN{N}")  # CLDR 42 added the space, this babel has not
                if len(str(abs(cents))) - exponent(currency) == 4:
                    continue  # babel knows no minimum grouping digits
                assert money(cents, currency, locale) == wanted


@pytest.mark.parametrize(
    ("locale", "wanted"),
    [
        ("en", "1 March 2026"),
        ("en-US", "March 1, 2026"),
        ("de", "1. März 2026"),
        ("fr", "1 mars 2026"),
        ("es", "1 de marzo de 2026"),
        ("it", "1 marzo 2026"),
        ("pt", "1 de março de 2026"),
        ("nl", "1 maart 2026"),
        ("pl", "1 marca 2026"),
        ("xx", "1 March 2026"),
    ],
)
def test_dates_are_written_out(locale: str, wanted: str) -> None:
    assert long_date("2026-03-01", locale) == wanted
    assert long_date("2026-03-01T23:59:59+02:00", locale) == wanted


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-03-01x", "1.3.2026"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        long_date(text)


def test_polish_has_three_forms_and_french_a_singular_zero() -> None:
    forms = ("# koszyk", "# koszyki", "# koszyków")
    got = [plural(n, "pl", *forms).split()[1] for n in (0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 112, 122)]
    assert got == [
        "koszyków",
        "koszyk",
        "koszyki",
        "koszyki",
        "koszyków",
        "koszyków",
        "koszyków",
        "koszyków",
        "koszyków",
        "koszyki",
        "koszyków",
        "koszyków",
        "koszyki",
    ]
    assert [plural(n, "fr-CA", "# jour", "# jours") for n in (0, 1, 2)] == ["0 jour", "1 jour", "2 jours"]
    assert [plural(n, "de", "# Tag", "# Tage") for n in (0, 1, 2)] == ["0 Tage", "1 Tag", "2 Tage"]


@given(st.text(max_size=50), st.integers(1, 50))
def test_truncate_never_exceeds_its_length(text: str, limit: int) -> None:
    out = truncate(text, limit)
    assert len(out) <= limit
    assert out == text or len(text) > limit


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"default", "first", "last"}))
def test_every_filter_refuses_a_missing_value(name: str) -> None:
    arguments = {"money": ["EUR"], "truncate": [5], "plural": ["en", "a", "b"], "join": [","]}.get(name, [])
    with pytest.raises(MissingValueError):
        FILTERS[name](None, *arguments)


def test_every_filter_has_its_number_of_arguments() -> None:
    assert set(ARGUMENTS) == set(FILTERS)


@pytest.mark.parametrize("value", ["text", {"a": 1}, 5, list(range(MAX_LOOP_ITEMS + 1))])
def test_loops_walk_short_lists_only(value: object) -> None:
    with pytest.raises(MergeValueError):
        each(value)


@pytest.mark.parametrize("tag", ["", "-", "x" * 200, "de_DE.UTF-8", "zh-Hant-TW", "de-", "12"])
def test_an_odd_locale_never_fails(tag: str) -> None:
    assert language_of(tag) in LANGUAGES
    assert locale_chain(tag)[-1] == "en"
    assert money(1, "EUR", tag)
