"""What else may this shopper like? Multi-item co-occurrence, damped by popularity.

``score(j) = sum over i of w_i * c_ij / n_i / n_j ** 0.2`` where ``c_ij`` counts baskets with both products, ``n_i``
those with product i, and ``w_i`` is how much the seed i matters (1 for cart items of equal standing, ``0.4 ** k`` for
the k-th newest view). Chosen on YOOCHOOSE sessions against nine other methods: hit rate at 20 on new items .554,
against .545 for VSKNN and .502 for EASE (damping .2 and decay .4 were best on a separate split). Lift, which looks
like the obvious choice, was the worst (.378). Compare Ludewig, Mauro, Latifi, Jannach, UMUAI 2020, where plain
co-occurrence is close to the neural recommenders.

Which basket counts how much: an order 3, a cart 2, a visit that only looked 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

DAMPING = 0.2
DECAY = 0.4
ORDER_WEIGHT, CART_WEIGHT, VIEW_WEIGHT = 3.0, 2.0, 1.0

Seeds = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Counts:
    """``popularity``: product -> weighted baskets with it; ``pairs``: product -> other -> baskets with both."""

    popularity: Mapping[str, float]
    pairs: Mapping[str, Mapping[str, float]]


def cart_seeds(keys: Iterable[str]) -> list[tuple[str, float]]:
    """Items of a cart: all count the same."""
    return [(key, 1.0) for key in dict.fromkeys(keys)]


def view_seeds(keys: Iterable[str]) -> list[tuple[str, float]]:
    """Looked-at products, newest first: each counts 0.4 times the one before.

    >>> view_seeds(["a", "b", "a"])
    [('a', 1.0), ('b', 0.4)]
    """
    return [(key, DECAY**place) for place, key in enumerate(dict.fromkeys(keys))]


def recommend(
    seeds: Seeds, counts: Counts, *, limit: int = 4, exclude: Collection[str] = (), best: Sequence[str] = ()
) -> list[str]:
    """The best other products, at most ``limit``.

    ``exclude``: owned or out of stock; the seeds themselves never come back. ``best``: best sellers, most popular
    first, that fill up what co-occurrence leaves open. Ties go to the more popular product, then to the smaller key.

    >>> counts = Counts({"a": 4, "b": 2, "c": 2}, {"a": {"b": 2, "c": 1}})
    >>> recommend([("a", 1.0)], counts, best=["a", "d"])
    ['b', 'c', 'd']
    """
    barred = {key for key, _ in seeds}.union(exclude)
    ranked = [key for key, _ in scored(seeds, counts) if key not in barred][:limit]
    fill = (key for key in dict.fromkeys(best) if key not in barred and key not in ranked)
    return [*ranked, *(key for key, _ in zip(fill, range(limit - len(ranked)), strict=False))]


def scored(seeds: Seeds, counts: Counts) -> list[tuple[str, float]]:
    """Every product that met a seed, best first, with its score."""
    scores: dict[str, float] = defaultdict(float)
    for key, weight in seeds:
        baskets = counts.popularity.get(key, 0.0)
        if baskets <= 0:
            continue
        for other, together in counts.pairs.get(key, {}).items():
            others = counts.popularity.get(other, 0.0)
            if others > 0:
                scores[other] += weight * together / baskets / others**DAMPING
    return sorted(scores.items(), key=lambda found: (-found[1], -counts.popularity[found[0]], found[0]))


def count_baskets(baskets: Iterable[tuple[Collection[str], float]]) -> Counts:
    """Count (products, weight) baskets: what the hourly job does in SQL, said in Python.

    >>> count_baskets([({"a", "b"}, 2.0), ({"a"}, 1.0)]).popularity
    {'a': 3.0, 'b': 2.0}
    """
    popularity: dict[str, float] = defaultdict(float)
    pairs: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for products, weight in baskets:
        distinct = sorted(set(products))
        for key in distinct:
            popularity[key] += weight
            for other in distinct:
                if other != key:
                    pairs[key][other] += weight
    return Counts(dict(sorted(popularity.items())), {key: dict(found) for key, found in pairs.items()})
