"""What did a shopper choose about messages? Less often, later, not about this, on that channel, in that language.

Preferences only ever narrow what a consent allows. One answer is kept with them that is a consent itself, with its
proof in the ledger: whether it may be noticed which links are followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from rekindle.terms.send import Channel

#: Carts that a shopper does not want to hear of; the oldest is forgotten beyond that.
MOST_DECLINED = 20


class Topic(StrEnum):
    """What a message is about."""

    CART = "cart"  #: something was put into a cart
    BROWSE = "browse"  #: something was only looked at


class Preferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``per_week``: messages on all channels together within seven days; ``off``: topics; ``declined``: carts.

    ``clicks``: may it be noticed which links they follow? None: no answer. ``clicks_at``: when that was said.
    """

    paused_until: datetime | None = None
    per_week: int | None = None
    off: tuple[Topic, ...] = ()
    channel: Channel | None = None
    locale: str = ""
    declined: tuple[UUID, ...] = ()
    clicks: bool | None = None
    clicks_at: datetime | None = None


NO_PREFERENCES = Preferences()


def parse_preferences(stored: Mapping[str, object] | None) -> Preferences:
    """From a row. Raises ValueError for what cannot be read: whoever decides then says no.

    >>> parse_preferences({"per_week": 1}).per_week, parse_preferences(None) is NO_PREFERENCES
    (1, True)
    """
    if not stored:
        return NO_PREFERENCES
    try:
        return msgspec.convert(stored, Preferences, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"preferences: {error}") from None
