"""What do all events of one request share?"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from rekindle.terms.shop import ShopSettings


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """``gpc`` is the browser's own signal, sent as a header; ``push_hosts`` are push services beside the known ones.
    ``is_server``: it named the shop's secret key. ``remote`` and ``agent``: the network address and the browser it came
    from, of which a consent's receipt keeps a piece."""

    shop: ShopSettings
    received_at: datetime
    skew: timedelta
    gpc: bool = False
    push_hosts: tuple[str, ...] = ()
    is_server: bool = False
    remote: str = ""
    agent: str = ""
