"""The scene of every test here."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from tests.engine.scene import put_cart, put_shopper
from tests.factories import make_shop
from tests.web.sent import put_send, use

from .hooked import forget_hooks
from .scene import World, put_phone


@pytest.fixture
def world(
    connection: Connection, context: Context, clock: MovableClock, spread: int, monkeypatch: pytest.MonkeyPatch
) -> World:
    use(monkeypatch, connection, context)
    forget_hooks(monkeypatch)
    shop = make_shop(connection, spread=spread, country="US")  # where it may be noted who opens and clicks
    shopper = put_shopper(connection, context, shop, country="US", region="CA")
    put_phone(connection, context, shop, shopper)
    cart = put_cart(connection, context, shop, shopper)
    sent = {
        channel: put_send(
            connection, shop, shopper=(shopper.bucket, shopper.id), cart=(cart.bucket, cart.id),
            at=clock.now() - timedelta(hours=1), channel=channel,
        )
        for channel in ("email", "sms")
    }  # fmt: skip
    for channel, one in sent.items():
        connection.execute(
            "UPDATE sends SET contact_point_id = (SELECT id FROM contact_points WHERE bucket = %s AND shopper_id = %s"
            " AND channel = %s) WHERE bucket = %s AND id = %s",
            [shopper.bucket, shopper.id, channel, one.bucket, one.id],
        )
    return World(connection, context, clock, shop, shopper, sent)
