"""How does a test's shop come with everything a new shop has? Made by the engine, a while ago."""

from __future__ import annotations

from datetime import timedelta

from rekindle.engine.context import Context
from rekindle.engine.onboard import FLOW_KEY, create_shop, template_key
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

Versions = tuple[int, int, int]


def open_shop(
    connection: Connection, context: Context, clock: MovableClock, **settings: object
) -> tuple[ShopSettings, tuple[int, int], Versions]:
    """A shop whose default flow has been on for 120 days: the shop, (flow id, version id), the template versions."""
    now = clock.now()
    clock.set(now - timedelta(days=120))
    shop = create_shop(
        connection,
        context,
        **{
            "sender_name": "Fernweh",
            "sender_email": "shop@fernweh.example",
            "support_email": "help@fernweh.example",
            "postal_address": "Fernweh GmbH\nHauptstr. 1\n10115 Berlin",
            "url": "https://fernweh.example",
            "restore_url": "https://fernweh.example/cart",
            "timezone": "Europe/Berlin",
            **settings,
        },  # type: ignore[arg-type]
    )
    clock.set(now)
    flow = connection.execute(
        "SELECT id, active_version_id FROM flows WHERE shop_id = %s AND key = %s", [shop.id, FLOW_KEY]
    ).fetchone()
    assert flow is not None
    versions = dict(
        connection.execute("SELECT key, published_version_id FROM templates WHERE shop_id = %s", [shop.id]).fetchall()
    )
    first, second, third = (versions[template_key(number)] for number in (1, 2, 3))
    return shop, (flow[0], flow[1]), (first, second, third)
