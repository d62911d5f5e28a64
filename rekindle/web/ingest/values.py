"""How is one value read? Identifiers, texts, addresses of pages, numbers: each with its limit and its refusal."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rekindle.lib.money import MoneyError, parse_amount, parse_currency
from rekindle.terms.cart import MAX_QUANTITY
from rekindle.web.ingest.limits import MAX_KEY, MAX_URL
from rekindle.web.ingest.problem import EventError

_URL = re.compile(r"https?://[^\s\"'<>\\^`{|}\x00-\x20\x7f]+", re.IGNORECASE)
_NOTHING: dict[str, Any] = {}


def object_or_empty(value: object) -> dict[str, Any]:
    """A nested object, or an empty one when it is absent, null or something else."""
    return value if isinstance(value, dict) else _NOTHING


def read_key(value: object, path: str) -> str | None:
    """An identifier: text, or a whole number as text; None for nothing.

    Raises EventError for one that is longer than 255 characters or neither text nor number.
    """
    if type(value) is str and 0 < len(value) <= MAX_KEY:
        return value
    if value is None or value == "":
        return None
    if isinstance(value, str):
        raise EventError(path, f"an identifier must not exceed {MAX_KEY} characters")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return str(value)
    raise EventError(path, "an identifier must be text or a whole number")


def read_text(value: object, limit: int = MAX_KEY) -> str:
    """A text or number cut to the limit; "" for anything else."""
    if type(value) is str:
        return value if len(value) <= limit else value[:limit]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:limit]
    return ""


def read_url(value: object, shop_url: str = "") -> str:
    """An http or https address; "" for anything else, script addresses included.

    Addresses without a scheme, as shops' templates write them, are completed from the shop's own.
    """
    if not isinstance(value, str) or not value or len(value) > MAX_URL:
        return ""
    if value[0] == "/":
        value = "https:" + value if value.startswith("//") else shop_url.rstrip("/") + value
    return value if len(value) <= MAX_URL and _URL.fullmatch(value) else ""


def read_quantity(value: object) -> int:
    """Pieces. Raises EventError unless it is a whole number from 1 to 100,000."""
    if type(value) is int and 1 <= value <= MAX_QUANTITY:
        return value
    number = 0
    is_whole = isinstance(value, float) and value.is_integer()
    is_digits = isinstance(value, str) and len(value) <= 6 and value.isascii() and value.isdigit()
    if is_whole or is_digits:
        number = int(value)  # type: ignore[call-overload]
    if not 1 <= number <= MAX_QUANTITY:
        raise EventError("quantity", f"a quantity must be a whole number from 1 to {MAX_QUANTITY}")
    return number


def read_currency(value: object, default: str) -> str:
    """The ISO currency told, else the default. Raises EventError for a code that does not exist."""
    if value is None or value == "":
        return default
    try:
        return _currency(value) if isinstance(value, str) else parse_currency(value)
    except MoneyError as error:
        raise EventError("properties.currency", str(error)) from None


def read_amount(value: object, currency: str, path: str) -> int | None:
    """An amount in minor units; None for nothing. Raises EventError for a wrong one."""
    if value is None or value == "":
        return None
    try:
        return _amount(value, currency) if type(value) in _CACHED else parse_amount(value, currency)
    except MoneyError as error:
        raise EventError(path, str(error)) from None


#: The prices of a catalogue come again and again, and a Decimal costs ten times a look-up.
_CACHED = (float, int, str)
_amount = lru_cache(maxsize=16_384, typed=True)(parse_amount)
_currency = lru_cache(maxsize=512)(parse_currency)
