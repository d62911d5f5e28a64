"""What else is shown in a message? Recommendations for the carts of a batch, from counts kept in memory for minutes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from rekindle.lib.ids import natural_id
from rekindle.stats.recommendation import Counts, Seeds, recommend
from rekindle.store import products as store
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.products import ShownProduct
from rekindle.terms.shop import ShopSettings

SHOWN = 4
FRESH_S = 600.0
_BEST = 24  #: enough to fill four places after everything in a cart was taken out
_MOST_KEPT = 20_000  #: products of one shop with their pairs; a longer tail is read again


class Shelf:
    """Counts and products of the shops that a loop met lately. One per loop."""

    def __init__(self) -> None:
        self._shops: dict[int, _ShopShelf] = {}

    def recommend(
        self, connection: Connection, shop: ShopSettings, carts: Sequence[tuple[Seeds, Iterable[str]]]
    ) -> list[list[ShownProduct]]:
        """For each (seeds, keys never to show) of one shop the products to show, best first."""
        shelf = self._of(connection, shop)
        shelf.learn(connection, {key for seeds, _ in carts for key, _ in seeds})
        return [shelf.choose(seeds, barred) for seeds, barred in carts]

    def look_up(self, connection: Connection, shop: ShopSettings, keys: Sequence[str]) -> list[ShownProduct]:
        """Those of these products that can be shown, in the order given."""
        shelf = self._of(connection, shop)
        shelf.learn(connection, set(keys))
        return shelf.shown(keys)

    def _of(self, connection: Connection, shop: ShopSettings) -> _ShopShelf:
        shelf = self._shops.get(shop.id)
        if shelf is None or shelf.is_stale():
            shelf = self._shops[shop.id] = _ShopShelf(connection, shop)
        return shelf


class _ShopShelf:
    def __init__(self, connection: Connection, shop: ShopSettings) -> None:
        self._shop, self._bucket = shop, base_bucket(shop)
        self._read_at = time.monotonic()
        best = store.best_sellers(connection, self._bucket, shop.id, _BEST)
        self._shown: dict[str, ShownProduct] = {p.product_key: p for p in best if _can_be_shown(p)}
        self._best = list(self._shown)
        self._popularity: dict[str, float] = {p.product_key: p.popularity for p in best}
        self._pairs: dict[str, dict[str, float]] = {}

    def is_stale(self) -> bool:
        return time.monotonic() - self._read_at > FRESH_S or len(self._pairs) > _MOST_KEPT

    def learn(self, connection: Connection, keys: set[str]) -> None:
        """Read what these products met with, and those others, unless that is known."""
        unknown = sorted(keys - self._pairs.keys())
        if not unknown:
            return
        found: dict[str, dict[str, float]] = {key: {} for key in unknown}
        for key, other, weight in store.pairs_of_products(connection, self._bucket, self._shop.id, unknown):
            found[key][other] = weight
        named = {*unknown, *(other for others in found.values() for other in others)} - self._popularity.keys()
        ids = [natural_id("product", self._shop.id, key) for key in sorted(named)]
        for product in store.products_by_id(connection, self._bucket, ids):
            self._popularity[product.product_key] = product.popularity
            if _can_be_shown(product):
                self._shown[product.product_key] = product
        for key, others in found.items():
            self._pairs[key] = {other: weight for other, weight in others.items() if other in self._shown}

    def choose(self, seeds: Seeds, barred: Iterable[str]) -> list[ShownProduct]:
        counts = Counts(self._popularity, self._pairs)
        keys = recommend(seeds, counts, limit=SHOWN, exclude=set(barred), best=self._best)
        return [self._shown[key] for key in keys]

    def shown(self, keys: Sequence[str]) -> list[ShownProduct]:
        return [self._shown[key] for key in dict.fromkeys(keys) if key in self._shown]


def _can_be_shown(product: ShownProduct) -> bool:
    return bool(product.title and product.unit_cents is not None and product.currency) and product.url.startswith(
        ("https://", "http://")
    )
