"""Which of a shop's own settings do decisions look at?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rekindle.terms.cart import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """A shop as the engine sees it. Times in seconds unless the name says days.

    Idle thresholds: 30 min for carts and 15 min for checkouts lie in the middle of what the field ships (10 min to
    10 h; Rejoiner, CartBay 30 min, AutomateWoo, FunnelKit 15 min); browse 60 min.
    """

    id: int
    slug: str
    name: str
    spread: int = 1
    currency: str = "EUR"
    locale: str = "en"
    timezone: str = "UTC"
    country: str = ""
    url: str = ""
    restore_url: str = ""
    logo_url: str = ""
    brand_color: str = "#2f6f4f"
    postal_address: str = ""
    support_email: str = ""
    sender_name: str = ""
    sender_email: str = ""
    reply_to: str = ""
    cart_idle_s: int = 1_800
    checkout_idle_s: int = 900
    browse_idle_s: int = 3_600
    lost_after_days: int = 30
    max_cart_age_days: int = 14
    holdout_rate: float = 0.1
    attribution_click_days: float = 5.0
    sending_paused: bool = False
    capture_before_submit: bool = False
    own_rules: Mapping[str, object] | None = None  #: laid over the policy pack, in its shape (policy.own_rules)
    double_opt_in: str = "law"  #: when addresses are asked to confirm (policy.confirmation.DoubleOptIn)
    retention: Mapping[str, object] | None = None  #: days by class of data; None = the house's (terms.retention)
    limits: Mapping[str, object] | None = None  #: this shop's own caps and gaps; None = the house's (terms.limits)

    def idle_s(self, stage: Stage) -> int:
        """Seconds of silence after which a visit that reached this stage counts as abandoned."""
        if stage is Stage.BROWSE:
            return self.browse_idle_s
        return self.cart_idle_s if stage is Stage.CART else self.checkout_idle_s


class KeyOwner(NamedTuple):
    """Whose key a request named. ``is_secret``: the key that only the shop's own servers know, not the public one."""

    shop: ShopSettings
    is_secret: bool = False
