"""Was every message sent once, and none lost? Typed calls of store/sql/certainty.sql."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.shop import ShopSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """Of the ``sends`` of a shop: ``lost`` without a trace, ``duplicated``, ``unexpected`` (taken and never planned),
    ``recovered`` from a doubt, and ``uncertain`` now."""

    sends: int
    lost: int
    duplicated: int
    unexpected: int
    recovered: int
    uncertain: int

    @property
    def holds(self) -> bool:
        """Is the promise kept? Doubts that are shown do not break it."""
        return self.lost == self.duplicated == self.unexpected == 0


def certainty_of(connection: Connection, shop: ShopSettings, since: datetime) -> Certainty:
    """About the sends made, and the messages taken, since an instant. Reads them all."""
    values = {"buckets": buckets_of(shop), "shop_id": shop.id, "since": since}
    row = connection.execute(sql("certainty_of_shop"), values).fetchone()
    other = connection.execute(sql("unexpected_of_shop"), values).fetchone()
    assert row is not None
    assert other is not None
    sends, lost, duplicated, recovered, uncertain = (int(value) for value in row)
    return Certainty(
        sends=sends,
        lost=lost,
        duplicated=duplicated,
        unexpected=int(other[0]),
        recovered=recovered,
        uncertain=uncertain,
    )
