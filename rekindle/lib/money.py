"""How is money read? Decimal in, integer minor units with an ISO 4217 currency out; never a float inside."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

#: Minor-unit exponents that differ from 2. Source: ISO 4217 list one (SIX Financial Information).
_EXPONENTS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}

#: Active ISO 4217 codes of circulating currencies and units of account in trade.
CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
    GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG
    QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS
    UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()
)

#: One thousand billion major units: above it a price is a mistake, and 64-bit sums stay safe.
MAX_MAJOR = Decimal(10) ** 12


class MoneyError(ValueError):
    """This is not an amount of money."""


def exponent(currency: str) -> int:
    """Digits after the decimal point in this currency: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


def parse_currency(value: object) -> str:
    """An upper-case ISO 4217 code. Raises MoneyError for anything else.

    >>> parse_currency("eur")
    'EUR'
    """
    if isinstance(value, str):
        code = value.strip().upper()
        if code in CURRENCIES:
            return code
    raise MoneyError("currency must be an ISO 4217 code such as EUR")


def parse_amount(value: object, currency: str) -> int:
    """Major units (a JSON number or a plain decimal string) to minor units, half up.

    Refuses booleans, NaN, infinities, negatives and more than 10**12 major units with MoneyError.

    >>> parse_amount(19.99, "EUR"), parse_amount("1200", "JPY")
    (1999, 1200)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise MoneyError("an amount must be a number")
    if isinstance(value, str) and len(value) > 40:
        raise MoneyError("an amount must be a plain decimal number")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise MoneyError("an amount must be a plain decimal number") from None
    if not amount.is_finite():
        raise MoneyError("an amount must be finite")
    if amount < 0:
        raise MoneyError("an amount must not be negative")
    if amount > MAX_MAJOR:
        raise MoneyError("an amount above 10^12 is refused")
    return int(amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def to_major(cents: int, currency: str) -> Decimal:
    """Minor units to an exact Decimal of major units.

    >>> to_major(1999, "EUR")
    Decimal('19.99')
    """
    return Decimal(cents).scaleb(-exponent(currency))
