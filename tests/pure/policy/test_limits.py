"""House limits, and a shop's own laid over them."""

from __future__ import annotations

import pytest

from rekindle.terms.limits import HOUSE_LIMITS, LimitsError, parse_limits
from rekindle.terms.send import Channel


def test_the_house_limits_are_those_of_the_policy_pack() -> None:
    house = HOUSE_LIMITS
    assert [house.per_cart.of(c) for c in Channel] == [3, 1, 2]
    assert [house.per_24h.of(c) for c in Channel] == [1, 1, 1]
    assert [house.per_7d.of(c) for c in Channel] == [3, 2, 3]
    assert (house.per_24h.all, house.per_7d.all) == (2, 5)
    assert (house.channel_gap_s, house.min_cart_age_s, house.purchase_cool_off_s) == (3600, 1800, 604800)


def test_what_a_shop_does_not_name_stays_the_houses() -> None:
    own = parse_limits({"per_24h": {"email": 4}, "min_cart_age_s": 0})
    assert own.per_24h.email == 4
    assert own.per_24h.sms == 1
    assert own.min_cart_age_s == 0
    assert own.per_7d == HOUSE_LIMITS.per_7d
    assert parse_limits(None) is parse_limits({}) is HOUSE_LIMITS


@pytest.mark.parametrize(
    "raw",
    [
        {"per_day": {}},
        {"per_24h": {"fax": 1}},
        {"per_24h": 3},
        {"per_24h": {"email": -1}},
        {"per_7d": {"email": 1001}},
        {"min_cart_age_s": "soon"},
        {"channel_gap_s": -5},
        {"purchase_cool_off_s": 10**9},
    ],
)
def test_limits_that_mean_nothing_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(LimitsError, match="limits"):
        parse_limits(raw)
