"""What is the demo shop to Rekindle? A shop in a hurry: seconds instead of hours, its limits relaxed where all can see.

Everything is an ordinary setting, stored and shown in the dashboard; nothing in the engine knows that it is a demo.
"""

from __future__ import annotations

from dataclasses import replace

from rekindle.engine.accounts import CatalogueAccount, save_account
from rekindle.engine.configure import change_shop
from rekindle.engine.context import Context
from rekindle.engine.device_kinds import WEB_PUSH
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.onboard import FLOW_KEY, create_shop, default_flow
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import accounts_of_shop, change_account, insert_account
from rekindle.store.shop_changes import write_key_of
from rekindle.store.shops import load_shop, shop_by_slug
from rekindle.terms.flow import Flow, Reentry, dump_flow, parse_flow
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

#: Seconds after the abandonment at which the three messages are due.
WAITS_S = (5, 45, 105)
IDLE_S = 15
_BY_COMMAND_LINE = 0

#: A person tries the demo with one address over and over, and a second there stands for an hour: the house's caps over
#: time would put off nearly everything. Twenty tries a day fit in. The cap per cart and the rest stay the house's.
LIMITS: dict[str, object] = {
    "per_24h": {"email": 60, "all": 60},
    "per_7d": {"email": 200, "all": 200},
    "min_cart_age_s": 0,
    "purchase_cool_off_s": 0,
}


def put_demo_shop(
    connection: Connection, context: Context, *, slug: str, name: str, shop_url: str, smtp_port: int
) -> tuple[ShopSettings, str]:
    """Make the shop, or bring it up to date with today's addresses; returns it with its write key."""
    addresses = {"url": shop_url, "restore_url": f"{shop_url}/cart"}
    shop = shop_by_slug(connection, slug)
    if shop is None:
        shop = _new_shop(connection, context, slug=slug, name=name, addresses=addresses)
    else:
        change_shop(connection, shop.id, addresses, by=_BY_COMMAND_LINE)
    _put_account(connection, shop, smtp_port)
    _put_push_account(connection, context, shop)
    fresh = load_shop(connection, shop.id)
    assert fresh is not None
    return fresh, write_key_of(connection, shop.id)


def hurried_flow() -> Flow:
    """The default flow with the demo's waits, open to the same shopper again and again."""
    flow = default_flow(WAITS_S)
    return parse_flow(
        dump_flow(
            Flow(trigger=flow.trigger, steps=flow.steps, reentry=Reentry(shopper_gap_s=0, again_after_return=True))
        )
    )


def _new_shop(
    connection: Connection, context: Context, *, slug: str, name: str, addresses: dict[str, str]
) -> ShopSettings:
    shop = create_shop(
        connection,
        context,
        slug=slug,
        name=name,
        waits_s=WAITS_S,
        by="demo",
        sender_name=name,
        sender_email="hello@fernweh.example",
        support_email="help@fernweh.example",
        postal_address="Fernweh Outfitters, Bergstrasse 7, 6020 Innsbruck, Austria",
        country="AT",
        timezone="Europe/Vienna",
        cart_idle_s=IDLE_S,
        checkout_idle_s=IDLE_S,
        browse_idle_s=60,
        holdout_rate=0.0,
        double_opt_in="never",  # its server tells which addresses confirmed
        **addresses,
    )
    change_shop(connection, shop.id, {"limits": LIMITS}, by=_BY_COMMAND_LINE)
    save_flow(connection, context, shop, key=FLOW_KEY, name="Cart recovery", definition=hurried_flow(), by="demo")
    activate_flow(connection, context, shop, FLOW_KEY, by="demo")
    return replace(shop, limits=LIMITS)


def _put_push_account(connection: Connection, context: Context, shop: ShopSettings) -> None:
    """Browsers that agreed are reached by the push services of their makers, where the internet can be."""
    if not accounts_of_shop(connection, shop.id, Channel.PUSH.value):
        browsers = CatalogueAccount(kind=WEB_PUSH, name="Browsers", values={"subject": "mailto:hello@fernweh.example"})
        save_account(connection, context, shop, browsers, account_id=None, by=_BY_COMMAND_LINE)


def _put_account(connection: Connection, shop: ShopSettings, smtp_port: int) -> None:
    options: dict[str, object] = {"host": "127.0.0.1", "port": smtp_port, "tls": "none", "username": ""}
    known = accounts_of_shop(connection, shop.id, Channel.EMAIL.value)
    if known:
        change_account(
            connection, shop_id=shop.id, account_id=known[0].id, name="Demo inbox", options=options, secret=b""
        )
    else:
        insert_account(
            connection,
            shop_id=shop.id,
            channel=Channel.EMAIL.value,
            kind="smtp",
            name="Demo inbox",
            options=options,
            secret=b"",
        )
