"""After how much silence must a cart be looked at first?

A flow may have less patience than its shop. A cart's idle timer is set when the cart opens, so ingest has to know the
shortest threshold of the shop's active flows; it asks every few seconds, not at every batch. Whoever switches on a
quicker flow waits for the timers that run already.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from rekindle.store.database import Connection
from rekindle.store.ingest import flow_patience
from rekindle.terms.cart import Stage
from rekindle.terms.shop import ShopSettings

FRESH_S: Final = 5.0
_MAX_KNOWN: Final = 10_000
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


def _idle_s(connection: Connection, shop_id: int) -> dict[str, int]:
    key, now = (f"{connection.info.port}/{connection.info.dbname}", shop_id), time.monotonic()
    found = _known.get(key)
    if found is not None and now - found[0] < FRESH_S:
        return found[1]
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    idle_s = flow_patience(connection, shop_id)
    _known[key] = (now, idle_s)
    return idle_s
