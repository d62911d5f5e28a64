"""What does this JSON from outside say? Reading that survives every type in every place; nothing here raises.

Providers change types without notice: numbers come as text, lists as single values, objects as null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

import msgspec

MAX_TEXT: Final = 2_000
_NOTHING: Final[Mapping[str, object]] = {}


def parsed(body: bytes | str) -> object:
    """The decoded value; None for what is no JSON, or nested beyond the decoder's limit.

    >>> parsed(b'{"a": 1}'), parsed(b"<html>"), parsed(b"[" * 100_000)
    ({'a': 1}, None, None)
    """
    try:
        return cast(object, msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError):
        return None


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return cast(Mapping[str, object], value) if isinstance(value, dict) else _NOTHING


def members(value: object) -> list[object]:
    """A list's members, a single value as the only member, nothing for null.

    >>> members([1, 2]), members("x"), members(None)
    ([1, 2], ['x'], [])
    """
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Text, or a number written as such; empty for everything else.

    >>> text("a"), text(42), text(True), text({})
    ('a', '42', '', '')
    """
    if isinstance(value, str):
        return value[:limit]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)[:limit]
    return ""


def number(value: object) -> float | None:
    """A finite number, also when it comes as text; None for everything else.

    >>> number("1600112492"), number(1.5), number("x"), number(float("inf"))
    (1600112492.0, 1.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if abs(result) < 1e18 else None
