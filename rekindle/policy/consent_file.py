"""What does a file of consents say, line by line? Pure: rows in, consents and mistakes out.

Columns, in any order, the first line names them: ``channel``, ``address`` and ``given_at`` must be there; ``version``,
``language``, ``wording``, ``form``, ``page``, ``method``, ``confirmed``, ``written``, ``mentions_cart`` and ``granted``
may be. A line without wording and version is kept and proves nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone

REQUIRED: Final = ("channel", "address", "given_at")
OPTIONAL: Final = (
    "version", "language", "wording", "form", "page", "method", "confirmed", "written", "mentions_cart", "granted",
)  # fmt: skip
_YES: Final = frozenset({"yes", "true", "1", "y"})
_NO: Final = frozenset({"no", "false", "0", "n", ""})
_LONGEST: Final = {"version": 40, "language": 40, "wording": 4_000, "form": 255, "page": 500, "method": 255}


class ImportedConsent(NamedTuple):
    """One line that can be used. ``address`` is normalised; ``line`` counts from 1, the names being line 1."""

    line: int
    channel: str
    address: str
    given_at: datetime
    granted: bool
    texts: Mapping[str, str]  #: version, language, wording, form, page, method
    confirmed: bool
    written: bool
    mentions_cart: bool


class Mistake(NamedTuple):
    """What is wrong with a line; without the address, for it is shown and logged."""

    line: int
    text: str


class ConsentFileError(ValueError):
    """The file as a whole cannot be read."""


def read_consent_file(lines: Iterable[str], *, country: str = "", now: datetime) -> Iterator[ImportedConsent | Mistake]:
    """Each line's consent, or what is wrong with it. National phone numbers are read in ``country``.

    Raises ConsentFileError for a file without the names of its columns, with an unknown one, or that is no CSV.
    """
    rows = csv.reader(lines, strict=True)
    try:
        names = [name.strip().lower().removeprefix("\ufeff") for name in next(rows, [])]
        _check_names(names)
        for row in rows:
            if any(cell.strip() for cell in row):
                yield _line(rows.line_num, names, row, country, now)
    except csv.Error as error:
        raise ConsentFileError(f"line {rows.line_num}: {error}") from None


def _check_names(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ConsentFileError(f"line 1 must name the columns; missing: {', '.join(missing)}")
    unknown = sorted({name for name in names if name not in REQUIRED + OPTIONAL})
    if unknown:
        raise ConsentFileError(f"unknown columns: {', '.join(unknown)}; known: {', '.join(REQUIRED + OPTIONAL)}")
    if len(set(names)) != len(names):
        raise ConsentFileError("a column is named twice")


def _line(number: int, names: list[str], row: list[str], country: str, now: datetime) -> ImportedConsent | Mistake:
    if len(row) != len(names):
        return Mistake(number, f"{len(row)} cells instead of {len(names)}")
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=True)}
    try:
        return ImportedConsent(
            line=number,
            channel=(channel := _channel(cells["channel"].lower())),
            address=_address(channel, cells["address"], country),
            given_at=_instant(cells["given_at"], now),
            granted=_flag("granted", cells.get("granted") or "yes"),
            texts={name: _text(name, cells.get(name, "")) for name in _LONGEST},
            confirmed=_flag("confirmed", cells.get("confirmed", "")),
            written=_flag("written", cells.get("written", "")),
            mentions_cart=_flag("mentions_cart", cells.get("mentions_cart", "")),
        )
    except ValueError as error:
        return Mistake(number, str(error))


def _channel(text: str) -> str:
    if text not in ("email", "sms"):
        raise ValueError("channel: must be email or sms")
    return text


def _address(channel: str, text: str, country: str) -> str:
    try:
        return normalise_email(text) if channel == "email" else normalise_phone(text, country or None)
    except AddressError as error:
        raise ValueError(f"address: {error}") from None


def _instant(text: str, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("given_at: must be a time such as 2026-03-02T09:15:00+01:00") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if at > now:
        raise ValueError("given_at: lies in the future")
    if at.year < 2000:
        raise ValueError("given_at: nobody agreed before the year 2000")
    return at.astimezone(UTC)


def _flag(name: str, text: str) -> bool:
    lowered = text.lower()
    if lowered in _YES:
        return True
    if lowered in _NO:
        return False
    raise ValueError(f"{name}: must be yes or no")


def _text(name: str, text: str) -> str:
    if len(text) > _LONGEST[name]:
        raise ValueError(f"{name}: longer than {_LONGEST[name]} characters")
    if "\0" in text:
        raise ValueError(f"{name}: holds a character that no database takes")
    return text
