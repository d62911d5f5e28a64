"""Whose is a browser or an app that may show messages, and what becomes of it when its user turns out to be somebody?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from rekindle.engine.context import Context
from rekindle.engine.forget import erase_address
from rekindle.store.database import Connection
from rekindle.terms.event import ConsentGiven, DeviceTold, EventKind, ShopEvent
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

from ..event_factory import added, event, identified, tell
from ..factories import make_shop

Rows = Callable[..., list[tuple[Any, ...]]]
LAPTOP = DeviceTold(address="https://web.push.apple.com/laptop", public_key=b"\4" + b"l" * 64, auth=b"a" * 16)
PHONE = DeviceTold(address="https://fcm.googleapis.com/fcm/send/phone", public_key=b"\4" + b"p" * 64, auth=b"b" * 16)
YES = ConsentGiven(channel="push", granted=True, wording="Tell me about my cart.")
NO = structs.replace(YES, granted=False)


def subscribed(device: DeviceTold = LAPTOP, **fields: Any) -> ShopEvent:
    return event(EventKind.IDENTIFIED, device=device, consents=fields.pop("consents", (YES,)), **fields)


@pytest.fixture
def shop(connection: Connection, spread: int) -> ShopSettings:
    return make_shop(connection, spread=spread)


@pytest.fixture
def rows(connection: Connection, shop: ShopSettings) -> Rows:
    def read(table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {table} WHERE shop_id = %s AND {where} ORDER BY 1"
        return connection.execute(statement, [shop.id]).fetchall()  # type: ignore[arg-type]

    return read


def reachable(rows: Rows, shopper: object) -> list[str]:
    """Devices whose message could go out, as a send reads them: contact and device in the shopper's own bucket."""
    found = rows(
        "devices d JOIN contact_points USING (bucket, id, shop_id) JOIN shoppers s USING (bucket, shop_id)",
        "address",
        f"d.shopper_id = s.id AND contact_points.shopper_id = s.id AND s.id = '{shopper}' AND consent = 'express'",
    )
    return [address for (address,) in found]


def test_an_anonymous_browser_is_a_shopper_with_a_cart(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"))
    tell(connection, context, shop, subscribed(minute=1))
    ((shopper,),) = rows("shoppers", "id")
    assert rows("carts", "cart_key", f"shopper_id = '{shopper}'") == [("c-1",)]
    assert reachable(rows, shopper) == [LAPTOP.address]
    assert rows("devices", "encode(public_key, 'hex'), encode(auth, 'hex')") == [
        (LAPTOP.public_key.hex(), LAPTOP.auth.hex())
    ]
    assert rows("consents", "DISTINCT channel, kind, wording") == [("push", "express", YES.wording)]


def test_a_later_cart_of_the_browser_is_the_shoppers_too(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, subscribed(minute=1))
    tell(connection, context, shop, added(minute=2, cart_key="c-2"))
    assert rows("carts", "shopper_id", "cart_key = 'c-2'") == rows("shoppers", "id")


def test_told_again_it_keeps_the_newest_key_and_one_row(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    newer = replace(LAPTOP, auth=b"n" * 16)
    tell(connection, context, shop, subscribed(minute=1))
    tell(connection, context, shop, subscribed(newer, minute=3))
    tell(connection, context, shop, subscribed(minute=2, visitor_key="a:1"))
    assert rows("devices", "encode(auth, 'hex')") == [(newer.auth.hex(),)]
    assert len(rows("shoppers", "id")) == 1


def test_the_address_that_comes_later_completes_the_same_shopper(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, added(cart_key="c-1"), subscribed(minute=1))
    tell(connection, context, shop, identified(minute=2))
    ((shopper,),) = rows("shoppers", "id")
    assert {row for (row,) in rows("contact_points", "channel", f"shopper_id = '{shopper}'")} == {"email", "push"}
    assert rows("carts", "shopper_id") == [(shopper,)]


def test_a_second_address_in_the_same_browser_is_somebody_else(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, subscribed(minute=1))
    tell(connection, context, shop, identified(minute=2))
    tell(connection, context, shop, identified("bob@example.com", minute=3))
    owners = dict(rows("contact_points", "DISTINCT address, shopper_id", "channel = 'email'"))
    assert owners["ada@example.com"] != owners["bob@example.com"]


def test_the_browser_of_a_known_visit_joins_its_shopper(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1))
    tell(connection, context, shop, subscribed(minute=2), subscribed(PHONE, minute=3))
    ((shopper,),) = rows("shoppers", "id")
    assert reachable(rows, shopper) == [PHONE.address, LAPTOP.address]


def test_address_and_browser_in_one_event_are_one_shoppers(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1, device=LAPTOP, consents=(YES,)))
    ((shopper,),) = rows("shoppers", "id")
    assert reachable(rows, shopper) == [LAPTOP.address]


def test_a_browser_goes_along_when_its_user_signs_in(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    """Known elsewhere by account; here anonymous first, then signed in, as the shop's server confirms; then the page tells
    the device again."""
    tell(connection, context, shop, identified(minute=0, visitor_key="a:home", customer_key="7"))
    ((ada,),) = rows("shoppers", "id")
    tell(connection, context, shop, subscribed(PHONE, minute=1, visitor_key="a:bus"))
    tell(connection, context, shop, identified(minute=2, visitor_key="a:bus", customer_key="7"))
    tell(connection, context, shop, subscribed(PHONE, minute=3, visitor_key="a:bus", customer_key="7"))
    assert reachable(rows, ada) == [], "the page alone proves nothing"
    tell(connection, context, shop, identified(minute=4, visitor_key="a:bus", customer_key="7", is_from_server=True))
    tell(connection, context, shop, subscribed(PHONE, minute=5, visitor_key="a:bus"))
    assert reachable(rows, ada) == [PHONE.address]
    assert rows("devices", "count(*)") == [(1,)]
    assert rows("contact_points", "DISTINCT shopper_id", "channel = 'push'") == [(ada,)]


def test_the_shops_server_may_tell_the_device_itself(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=0, visitor_key="a:home", customer_key="7"))
    ((ada,),) = rows("shoppers", "id")
    told = {"visitor_key": "u:7", "customer_key": "7", "is_from_server": True}
    tell(connection, context, shop, identified(minute=1, device=PHONE, consents=(YES,), **told))
    assert reachable(rows, ada) == [PHONE.address]
    tell(connection, context, shop, identified(minute=2, **told), subscribed(LAPTOP, minute=3, **told))
    assert reachable(rows, ada) == [PHONE.address, LAPTOP.address]


@pytest.mark.parametrize("first", ["ada", "evil"])
def test_an_account_number_gives_nobody_its_owners_messages(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows, first: str
) -> None:
    """Numbers of accounts are counted up: whoever knows one may say on a page to be that customer."""
    with_account = {"customer_key": "7"}
    if first == "evil":
        tell(connection, context, shop, subscribed(minute=0, visitor_key="a:evil", **with_account))
    ada_is = identified(minute=1, visitor_key="a:ada", is_from_server=True, **with_account)
    tell(connection, context, shop, ada_is, added(minute=2, visitor_key="a:ada", cart_key="c-ada"))
    ((ada,),) = rows("contact_points", "DISTINCT shopper_id", "channel = 'email'")
    tell(connection, context, shop, subscribed(minute=3, visitor_key="a:evil", **with_account))
    evil = {"visitor_key": "a:evil", "device": PHONE, "consents": (YES,)}
    tell(connection, context, shop, identified("evil@example.com", minute=4, **evil, **with_account))
    tell(connection, context, shop, identified(minute=5, phone="+43664999999", **evil, **with_account))
    assert reachable(rows, ada) == []
    assert rows("devices", "count(*)", f"shopper_id = '{ada}'") == [(0,)]
    assert rows("contact_points", "DISTINCT address", f"shopper_id = '{ada}'") == [("ada@example.com",)]


def test_a_typed_address_gives_nobody_its_owners_messages(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=0, visitor_key="a:ada"), added(minute=1, visitor_key="a:ada"))
    ((ada,),) = rows("carts", "shopper_id")
    tell(connection, context, shop, identified(minute=2, visitor_key="a:evil"))
    tell(connection, context, shop, subscribed(minute=3, visitor_key="a:evil"))
    tell(connection, context, shop, identified(minute=4, visitor_key="a:evil", device=PHONE, consents=(YES,)))
    assert reachable(rows, ada) == []
    assert rows("devices", "count(*)", f"shopper_id = '{ada}'") == [(0,)]


def test_the_same_batch_or_one_by_one_is_the_same(connection: Connection, context: Context, spread: int) -> None:
    def story() -> list[ShopEvent]:
        return [
            added(cart_key="c-1"),
            subscribed(minute=1),
            identified(minute=2),
            subscribed(PHONE, minute=3),
            subscribed(LAPTOP, minute=4),
        ]

    seen = []
    for at_once in (True, False):
        shop = make_shop(connection, spread=spread)
        if at_once:
            tell(connection, context, shop, *story())
        else:
            for one in story():
                tell(connection, context, shop, one)
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM shoppers WHERE shop_id = %(id)s), (SELECT count(*) FROM devices WHERE shop_id = "
            "%(id)s), (SELECT count(DISTINCT shopper_id) FROM contact_points WHERE shop_id = %(id)s)",
            {"id": shop.id},
        ).fetchone()
        seen.append(counts)
    assert seen == [(1, 2, 1), (1, 2, 1)]


def test_a_no_ends_it_and_a_new_yes_begins_it_again(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, subscribed(minute=1))
    ((shopper,),) = rows("shoppers", "id")
    tell(connection, context, shop, event(EventKind.IDENTIFIED, minute=2, consents=(NO,)))
    assert reachable(rows, shopper) == []
    tell(connection, context, shop, subscribed(minute=3))
    assert reachable(rows, shopper) == [LAPTOP.address]


def test_an_erasure_takes_the_devices_along(
    connection: Connection, context: Context, shop: ShopSettings, rows: Rows
) -> None:
    tell(connection, context, shop, identified(minute=1, device=LAPTOP, consents=(YES,)))
    erase_address(connection, context, shop, channel=Channel.EMAIL, address="ada@example.com", source="test")
    assert rows("devices", "id") == []
    assert rows("contact_points", "DISTINCT address") == [("",)]
    tell(connection, context, shop, subscribed(minute=5, visitor_key="a:new"))
    assert rows("devices", "id") == [], "what was erased is not brought back"
