"""Is this shopper in the holdout? A keyed draw, the same for one shopper in one shop for ever.

Drawn at abandonment, before anyone knows who can be reached, and analysed by intention to treat (Johnson, Lewis,
Nubbemeyer 2017, "Ghost Ads": the held-out pass the same way, so that both arms share the clock).
"""

from __future__ import annotations

from typing import NamedTuple

from rekindle.lib.hashing import uniform
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Arm

HOLDOUT_EXPERIMENT = "holdout"


class Assignment(NamedTuple):
    """``probability``: with which this arm was drawn, 0..1; stored with the exposure."""

    arm: Arm
    probability: float

    @property
    def reason(self) -> Reason:
        return Reason.ASSIGNED_HOLDOUT if self.arm is Arm.HOLDOUT else Reason.ASSIGNED_TREATED


def assign(key: bytes, shop_id: int, identity: str, holdout_rate: float) -> Assignment:
    """Draw the arm of a shopper (``identity``: the shopper's id).

    A higher rate keeps everyone who was held out under a lower one. Raises ValueError for a rate outside 0..1.

    >>> assign(b"k" * 32, 1, "someone", 0.0)
    Assignment(arm=<Arm.TREATED: 'treated'>, probability=1.0)
    >>> assign(b"k" * 32, 1, "someone", 1.0).arm.value
    'holdout'
    """
    if not 0 <= holdout_rate <= 1:
        raise ValueError(f"a holdout rate is 0..1, not {holdout_rate}")
    if holdout_rate > 0 and uniform(key, HOLDOUT_EXPERIMENT, str(shop_id), identity) < holdout_rate:
        return Assignment(Arm.HOLDOUT, holdout_rate)
    return Assignment(Arm.TREATED, 1.0 - holdout_rate)
