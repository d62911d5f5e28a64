"""What did a shopper agree to, and how can it be proven?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class ConsentKind(StrEnum):
    EXPRESS = "express"  #: asked and agreed
    SOFT_OPT_IN = "soft_opt_in"  #: existing customer, similar products, opt-out offered (2002/58/EC art. 13(2))
    WITHDRAWN = "withdrawn"  #: said no; final until a new express consent
    PENDING = "pending"  #: double opt-in not yet confirmed


class Purpose(StrEnum):
    """What an address can agree to: messages on a channel, or being watched in messages that it gets."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    TRACK_OPENS = "track_opens"  #: that it is noticed when a letter is opened (2002/58/EC art. 5(3))
    TRACK_CLICKS = "track_clicks"  #: that it is noticed who follows a link


class Wording(NamedTuple):
    """A text shown before somebody agrees, as kept: never changed, a new text is another version."""

    purpose: str
    language: str
    version: str
    text: str
    mentions_cart: bool
    valid_from: datetime


class ConsentMarks(NamedTuple):
    """What makes an express consent good enough where the law asks for more than a yes."""

    is_confirmed: bool = False  #: the address itself confirmed (double opt-in)
    is_written: bool = False  #: agreed to in writing, as US law asks for texts (47 CFR 64.1200(f)(9))
    mentions_cart: bool = False  #: the wording names cart reminders

    def split(self) -> tuple[ConsentMarks, ConsentMarks]:
        """What anybody may say of a consent, and what only the shop's own server or a confirmation can prove."""
        return self._replace(is_confirmed=False, is_written=False), self._replace(mentions_cart=False)

    def known(self) -> dict[str, object]:
        """The marks that are there, as evidence for the ledger."""
        return {name: True for name, value in zip(self._fields, self, strict=True) if value}


NO_MARKS = ConsentMarks()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """The newest consent of one address on one channel, derived from the ledger."""

    kind: ConsentKind
    at: datetime
    wording: str = ""  #: the text, or its version, that the shopper agreed to; empty = cannot be proven
    source: str = ""
    marks: ConsentMarks = NO_MARKS


class SuppressionReason(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"
    ERASED = "erased"
    IMPORTED = "imported"
    MANUAL = "manual"
    REVIEW = "review"  #: wrote something that may be a no; until a person has read it
