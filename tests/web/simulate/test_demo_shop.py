"""The demo shop is made once and brought up to date after; its browsers keep their key."""

from __future__ import annotations

from rekindle.engine.context import Context
from rekindle.engine.push_key import push_key
from rekindle.simulate.demo_shop import put_demo_shop
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import accounts_of_shop


def test_it_sends_to_its_inbox_and_to_browsers_whose_key_stays(connection: Connection, context: Context) -> None:
    kept = set()
    for port in (2525, 2626):
        shop, write_key = put_demo_shop(
            connection, context, slug="demo", name="Fernweh", shop_url="http://127.0.0.1:8001", smtp_port=port
        )
        (inbox,) = accounts_of_shop(connection, shop.id, "email")
        (browsers,) = accounts_of_shop(connection, shop.id, "push")
        assert inbox.options["port"] == port
        kept.add((shop.id, write_key, browsers.id, push_key(connection, context, shop)))
    ((*_, key),) = kept
    assert isinstance(key, str)
    assert len(key) == 87, "65 bytes in base64url"
