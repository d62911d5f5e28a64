"""Does the recommender count, damp and fill up as described?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.stats.recommendation import DAMPING, cart_seeds, count_baskets, recommend, scored, view_seeds

BASKETS = [({"tent", "stove"}, 3.0), ({"tent", "stove", "mat"}, 2.0), ({"tent", "sticker"}, 2.0), ({"sticker"}, 30.0)]


def test_the_score_is_the_formula() -> None:
    counts = count_baskets(BASKETS)
    assert counts.popularity == {"mat": 2.0, "sticker": 32.0, "stove": 5.0, "tent": 7.0}
    assert counts.pairs["tent"] == {"stove": 5.0, "mat": 2.0, "sticker": 2.0}
    got = dict(scored([("tent", 1.0), ("mat", 0.4)], counts))
    assert got["stove"] == pytest.approx(5 / 7 / 5**DAMPING + 0.4 * 2 / 2 / 5**DAMPING)
    assert got["sticker"] == pytest.approx(2 / 7 / 32**DAMPING)


def test_what_everybody_has_is_damped() -> None:
    """The mat met the tent as often as the sticker did, but the sticker is in every basket."""
    assert recommend(cart_seeds(["tent"]), count_baskets(BASKETS)) == ["stove", "mat", "sticker"]


def test_nothing_comes_back_that_is_in_the_cart_owned_or_sold_out() -> None:
    counts = count_baskets(BASKETS)
    assert recommend(
        cart_seeds(["tent", "stove"]), counts, exclude={"sticker"}, best=["tent", "sticker", "mat", "rope"]
    ) == ["mat", "rope"]


def test_best_sellers_fill_up_and_never_push_out() -> None:
    counts = count_baskets(BASKETS)
    best = ["sticker", "tent", "rope", "knife", "lamp"]
    assert recommend(cart_seeds(["mat"]), counts, best=best) == ["stove", "tent", "sticker", "rope"]
    assert recommend([], counts, best=best, limit=2) == ["sticker", "tent"]
    assert recommend(cart_seeds(["unknown"]), counts) == []


def test_ties_go_to_the_popular_one_then_to_the_smaller_key() -> None:
    counts = count_baskets([({"a", "x"}, 1.0), ({"a", "b"}, 1.0)])
    assert recommend(cart_seeds(["a"]), counts) == ["b", "x"]


def test_views_fade() -> None:
    assert view_seeds(["new", "older", "new", "oldest"]) == [
        ("new", 1.0),
        ("older", 0.4),
        ("oldest", pytest.approx(0.16)),
    ]


_KEYS = st.sampled_from("abcdefgh")
_BASKETS = st.lists(st.tuples(st.sets(_KEYS, max_size=5), st.sampled_from([1.0, 2.0, 3.0])), max_size=12)


@given(_BASKETS, st.lists(_KEYS, max_size=4), st.sets(_KEYS, max_size=2), st.integers(0, 6))
def test_answers_are_few_distinct_and_allowed(
    baskets: list[tuple[set[str], float]], cart: list[str], exclude: set[str], limit: int
) -> None:
    got = recommend(cart_seeds(cart), count_baskets(baskets), limit=limit, exclude=exclude, best="hgfedcba")
    assert len(got) == len(set(got)) == min(limit, 8 - len({*cart, *exclude}))
    assert not {*got} & {*cart, *exclude}


@given(_BASKETS)
def test_counts_are_symmetric_and_bounded(baskets: list[tuple[set[str], float]]) -> None:
    counts = count_baskets(baskets)
    for key, others in counts.pairs.items():
        for other, together in others.items():
            assert counts.pairs[other][key] == together
            assert together <= min(counts.popularity[key], counts.popularity[other])


@given(_BASKETS, st.lists(_KEYS, max_size=4), st.floats(0.1, 10))
def test_the_unit_of_weights_does_not_matter_for_the_order(
    baskets: list[tuple[set[str], float]], cart: list[str], factor: float
) -> None:
    plain = dict(scored(cart_seeds(cart), count_baskets(baskets)))
    scaled = dict(scored(cart_seeds(cart), count_baskets([(keys, weight * factor) for keys, weight in baskets])))
    assert plain.keys() == scaled.keys()
    for key, score in plain.items():
        assert math.isclose(scaled[key], score * factor**-DAMPING, rel_tol=1e-9)
