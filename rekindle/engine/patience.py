"""After how much silence must a cart be looked at first?

A flow may have less patience than its shop. A cart's idle timer is set when the cart opens, so ingest has to know the
shortest threshold of the shop's active flows; it asks every few seconds, not at every batch. Timers that run already
when a flow is switched on are brought forward then; only a cart that opens within `FRESH_S` after it, told to another
process, may still be looked at as late as the shop's own threshold says.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Final

from rekindle.engine.context import Context
from rekindle.store import configuration
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.ingest import flow_patience
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Trigger, parse_flow
from rekindle.terms.shop import ShopSettings

FRESH_S: Final = 5.0
_MAX_KNOWN: Final = 10_000
_BATCH: Final = 5_000
_known: dict[tuple[str, int], tuple[float, dict[str, int]]] = {}


def with_patience(connection: Connection, shop: ShopSettings) -> ShopSettings:
    """The shop with each idle threshold lowered to the shortest that anybody waits for."""
    idle_s = _idle_s(connection, shop.id)
    if not idle_s:
        return shop
    late = min(idle_s.get(kind.value, shop.checkout_idle_s) for kind in (Stage.CHECKOUT, Stage.PAYMENT))
    return replace(
        shop,
        cart_idle_s=min(shop.cart_idle_s, idle_s.get(Stage.CART.value, shop.cart_idle_s)),
        checkout_idle_s=min(shop.checkout_idle_s, late),
        browse_idle_s=min(shop.browse_idle_s, idle_s.get(Stage.BROWSE.value, shop.browse_idle_s)),
    )


def hurry_timers(connection: Connection, context: Context, shop: ShopSettings, trigger: Trigger) -> int:
    """Let a flow that was switched on find the carts that are not idle for long enough yet; returns how many timers
    were brought forward. Bucket by bucket in batches, each its own transaction: it may be stopped and called again.

    A flow without a threshold of its own goes by the shop's, for which every timer is set already.
    """
    _known.pop(_key(connection, shop.id), None)
    if trigger.idle_s is None:
        return 0
    now, idle = context.clock.now(), timedelta(seconds=trigger.idle_s)
    thresholds = [shop.idle_s(stage) for stage in Stage] + _thresholds(connection, shop.id)
    lost = timedelta(days=shop.lost_after_days)
    # open carts wait for a threshold, abandoned ones for the day on which they are given up
    spans = [(now, now + timedelta(seconds=max(thresholds))), (now + lost - idle, now + lost)]
    stages = [kind.value for kind in trigger.kinds]
    total = 0
    for bucket in buckets_of(shop):
        for after, until in spans:
            moved = _BATCH
            while moved == _BATCH:
                with connection.transaction():
                    moved = configuration.hurry_timers(
                        connection,
                        bucket,
                        shop.id,
                        stages=stages,
                        idle=idle,
                        now=now,
                        after=after,
                        until=until,
                        limit=_BATCH,
                    )
                total += moved
    return total


def _thresholds(connection: Connection, shop_id: int) -> list[int]:
    """The thresholds that active flows of a shop name."""
    found = []
    for row in configuration.active_flows(connection):
        if row.shop_id == shop_id:
            idle_s = parse_flow(row.definition).trigger.idle_s
            found += [] if idle_s is None else [idle_s]
    return found


def _key(connection: Connection, shop_id: int) -> tuple[str, int]:
    return f"{connection.info.port}/{connection.info.dbname}", shop_id


def _idle_s(connection: Connection, shop_id: int) -> dict[str, int]:
    key, now = _key(connection, shop_id), time.monotonic()
    found = _known.get(key)
    if found is not None and now - found[0] < FRESH_S:
        return found[1]
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    idle_s = flow_patience(connection, shop_id)
    _known[key] = (now, idle_s)
    return idle_s
