"""What may a template get to see? Text, whole numbers, truth values, nothing, lists and groups of these: nothing else.

`plain_facts` builds a fresh copy and refuses every other type (also subclasses), so that no object of ours, no method
and no shared list can be reached from a template. Texts lose control characters on the way: a shop's product title
must not fail a letter or break a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"

MAX_TEXT_CHARS: Final = 20_000
MAX_LIST: Final = 1_000
MAX_DEPTH: Final = 8
MAX_VALUES: Final = 20_000
_MAX_INT: Final = (1 << 63) - 1

#: Control characters, lone surrogates, and the bidirectional overrides that make text read as something else.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)


class Facts:
    """Plain data that `plain_facts` has checked; ``values`` belongs to the template engine alone."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Plain]) -> None:
        self.values = values


def plain_facts(source: Mapping[str, object]) -> Facts:
    """Check and copy. Raises TypeError naming the place (never the value), ValueError for one of the limits.

    >>> plain_facts({"a": [1, "x\\x00y"]}).values
    {'a': [1, 'x y']}
    >>> plain_facts({"a": {"b": object()}})
    Traceback (most recent call last):
    TypeError: a.b: object cannot enter a template
    """
    for name in source:
        if type(name) is not str or not _NAME.fullmatch(name):
            raise TypeError("names of facts are identifiers")
    budget = [MAX_VALUES]
    return Facts({name: _plain(value, name, 0, budget) for name, value in source.items()})


def clean_text(text: str) -> str:
    """The text without control characters, which become one space each; line breaks and tabs stay.

    >>> clean_text("a\\x07b\\nc")
    'a b\\nc'
    """
    return text if text.isprintable() else _UNSAFE.sub(" ", text)


def _plain(value: object, path: str, depth: int, budget: list[int]) -> Plain:
    kind = type(value)
    if kind is str:
        if len(value) > MAX_TEXT_CHARS:  # type: ignore[arg-type]  # exact type checked above
            raise ValueError(f"{path}: more than {MAX_TEXT_CHARS} characters")
        return clean_text(value)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value  # type: ignore[return-value]
    if kind is int:
        if not -_MAX_INT <= value <= _MAX_INT:  # type: ignore[operator]
            raise ValueError(f"{path}: a number of more than 64 bits")
        return value  # type: ignore[return-value]
    if kind not in {list, tuple, dict}:
        raise TypeError(f"{path}: {kind.__name__} cannot enter a template")
    return _group(value, path, depth + 1, budget)


def _group(value: object, path: str, depth: int, budget: list[int]) -> Plain:
    size = len(value)  # type: ignore[arg-type]  # a list, tuple or dict
    budget[0] -= size
    if depth > MAX_DEPTH or size > MAX_LIST or budget[0] < 0:
        raise ValueError(f"{path}: too deep or too many values")
    if not isinstance(value, dict):
        return [_plain(element, f"{path}[]", depth, budget) for element in value]  # type: ignore[attr-defined]
    out: dict[str, Plain] = {}
    for name, element in value.items():
        if type(name) is not str:
            raise TypeError(f"{path}: names inside facts are texts")
        out[name] = _plain(element, f"{path}.{name}", depth, budget)
    return out
