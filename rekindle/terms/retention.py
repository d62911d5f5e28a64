"""How long is what kept? Classes of data with the days a shop may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class DataClass(StrEnum):
    """What is kept for the same time and goes together."""

    EVENTS = "events"  #: what shops and browsers told, as it was told
    ANONYMOUS_CARTS = "anonymous_carts"  #: carts and visits of nobody known, without a purchase
    CARTS = "carts"  #: carts of known shoppers, without a purchase
    SENDS = "sends"  #: messages, and what was fixed in them
    SEND_EVENTS = "send_events"  #: what became of messages: delivered, clicked, bounced
    DECISIONS = "decisions"  #: what was decided, and why
    REPLIES = "replies"  #: what shoppers wrote back
    REQUESTS = "requests"  #: closed requests about personal data, with their history
    CONSENTS = "consents"  #: the ledger of what was agreed to


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """``days``: the default; ``least`` and ``most`` bound what a shop may choose; ``end``: what happens then."""

    days: int
    least: int
    most: int
    end: str
    src: str


#: Defaults: the engine needs 30 days of carts (`lost_after_days`), attribution and yearly comparisons 13 months.
KEPT: Final[Mapping[DataClass, Kept]] = {
    DataClass.EVENTS: Kept(days=180, least=30, most=1_095, end="deleted, by whole days", src="house"),
    DataClass.ANONYMOUS_CARTS: Kept(days=60, least=30, most=395, end="deleted, visits too", src="house"),
    DataClass.CARTS: Kept(days=90, least=30, most=1_095, end="keys, links and free text are taken out", src="house"),
    DataClass.SENDS: Kept(days=395, least=90, most=1_095, end="deleted, by whole months", src="house"),
    DataClass.SEND_EVENTS: Kept(days=395, least=90, most=1_095, end="deleted, by whole days", src="house"),
    DataClass.DECISIONS: Kept(days=395, least=90, most=1_095, end="deleted, by whole days", src="house"),
    DataClass.REPLIES: Kept(days=365, least=30, most=1_095, end="the text is taken out", src="house"),
    DataClass.REQUESTS: Kept(days=730, least=730, most=3_650, end="deleted with its history", src="11 CCR 7101(a)"),
    DataClass.CONSENTS: Kept(
        days=3_650, least=1_095, most=7_300, end="deleted, when the newest row of an address is older", src="house"
    ),
}
#: Kept for good: a suppression is a keyed hash that protects the person, and names nobody.
FOREVER: Final = ("suppressions",)


class RetentionError(ValueError):
    """These days cannot be used; the text says why, to a person."""


def parse_retention(chosen: Mapping[str, object] | None) -> dict[DataClass, int]:
    """Days for every class: a shop's own, else the default. Raises RetentionError.

    >>> parse_retention({"events": 30})[DataClass.EVENTS], parse_retention(None)[DataClass.EVENTS]
    (30, 180)
    """
    found = {one: kept.days for one, kept in KEPT.items()}
    for name, days in (chosen or {}).items():
        if name not in list(DataClass):
            raise RetentionError(f"there is no class of data {name}; one of {', '.join(DataClass)}")
        one = DataClass(name)
        if not isinstance(days, int) or isinstance(days, bool) or not KEPT[one].least <= days <= KEPT[one].most:
            raise RetentionError(f"{name}: from {KEPT[one].least} to {KEPT[one].most} days")
        found[one] = days
    return found
