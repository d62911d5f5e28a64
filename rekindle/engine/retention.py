"""What is too old to be kept, and how does it go? Once a day, by shop and class; each run writes down what it took.

A partition goes as a whole when no shop keeps it any longer; what a shop keeps for less goes row by row.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rekindle.engine.consent_removals import take_old_consents
from rekindle.engine.context import Context
from rekindle.store import retention as store
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.retention import Taken
from rekindle.store.shops import all_shops
from rekindle.terms.retention import KEPT, DataClass, RetentionError, parse_retention
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)


def keep_in_bounds(connection: Connection, context: Context) -> list[Taken]:
    """The daily run; returns what went. A shop whose own days mean nothing keeps the defaults, which is logged."""
    now = context.clock.now()
    shops = [(shop, days_of(shop)) for shop in all_shops(connection)]
    taken = [_note(connection, None, one) for one in _drop_partitions(connection, [days for _, days in shops], now)]
    for shop, days in shops:
        for kind, kept in days.items():
            before = now - timedelta(days=kept)
            count = _take(connection, context, shop, kind, before)
            if count:
                taken.append(_note(connection, shop.id, Taken(kind.value, now, before, count, "")))
    if taken:
        facts = {"rows": sum(one.row_count for one in taken), "runs": len(taken)}
        log.info("retention_taken", extra={"facts": facts})
    return taken


def would_take(connection: Connection, context: Context, shop: ShopSettings) -> list[Taken]:
    """What the next run takes of a shop, class by class, without taking it; partitions are counted by their rows."""
    now = context.clock.now()
    found = []
    for kind, kept in days_of(shop).items():
        before = now - timedelta(days=kept)
        count = sum(store.count_old(connection, bucket, shop.id, kind, before) for bucket in buckets_of(shop))
        found.append(Taken(kind.value, now, before, count, ""))
    return found


def days_of(shop: ShopSettings) -> dict[DataClass, int]:
    """How long the shop keeps each class."""
    try:
        return parse_retention(shop.retention)
    except RetentionError as mistake:
        log.error("retention_unusable", extra={"facts": {"shop": shop.id, "why": str(mistake)}})
        return parse_retention(None)


def _take(connection: Connection, context: Context, shop: ShopSettings, kind: DataClass, before: datetime) -> int:
    if kind is DataClass.CONSENTS:
        return take_old_consents(connection, context, shop, before)
    return sum(store.take_old(connection, bucket, shop.id, kind, before) for bucket in buckets_of(shop))


def _drop_partitions(connection: Connection, shops: Sequence[Mapping[DataClass, int]], now: datetime) -> list[Taken]:
    taken = []
    for kind in DataClass:
        longest = max([days[kind] for days in shops] or [KEPT[kind].days])
        before = now - timedelta(days=longest)
        gone = [
            name for name in store.old_partitions(connection, kind, before) if store.drop_partition(connection, name)
        ]
        if gone:
            taken.append(Taken(kind.value, now, before, 0, " ".join(gone)))
    return taken


def _note(connection: Connection, shop_id: int | None, taken: Taken) -> Taken:
    store.note_run(connection, shop_id, taken)
    return taken
