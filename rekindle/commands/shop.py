"""Make a shop, list the shops of this installation, make the key of a shop's own servers.

  rekindle shop create my-shop --name "My shop" --currency EUR --locale de --timezone Europe/Berlin
  rekindle shop list
  rekindle shop secret-key my-shop
  rekindle shop shopify my-shop --domain my-shop.myshopify.com --secret-stdin

A new shop has three e-mails in its language and a flow that is switched on; nothing goes out before a mail account and
a postal address are set under Settings.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.store.database import Connection

LOGGED = {"create": "create_shop", "secret-key": "change_shop", "shopify": "change_shop"}
HELP = "make a shop, list shops, make a secret key"

#: Options that are settings of the shop: name of the option, what it is.
_SETTINGS = {
    "currency": "ISO code such as EUR",
    "locale": "language of its shoppers, such as en or de-AT",
    "timezone": "such as Europe/Berlin",
    "country": "two letters such as DE",
    "url": "address of the shop",
    "restore_url": "address of its cart page, where recovery links lead",
    "sender_name": "whom e-mails come from",
    "sender_email": "address that e-mails come from",
    "support_email": "help address in the footer",
    "postal_address": "postal address in the footer; the law asks for it",
}


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    create = commands.add_parser("create", help="make a shop with default e-mails and flow")
    create.add_argument("slug", metavar="SLUG", help="short name in addresses: a-z, 0-9 and -")
    create.add_argument("--name", required=True, help="name that shoppers know")
    for name, text in _SETTINGS.items():
        create.add_argument(f"--{name.replace('_', '-')}", help=text)
    create.add_argument(
        "--spread",
        type=int,
        default=1,
        metavar="N",
        help="over how many of 1024 buckets its rows lie: 1 for nearly every shop, more for a giant; never changes",
    )
    commands.add_parser("list", help="print every shop")
    shopify = commands.add_parser("shopify", help="believe Shopify's hooks about personal data for a shop")
    shopify.add_argument("slug", metavar="SLUG", help="which shop")
    shopify.add_argument("--domain", required=True, help="its domain at Shopify, such as my-shop.myshopify.com")
    shopify.add_argument(
        "--secret-stdin", action="store_true", required=True,
        help="read the app's client secret from stdin; a second line is the one before it, while it is changed",
    )  # fmt: skip
    key = commands.add_parser("secret-key", help="make the key of a shop's own servers; the one before it ends")
    key.add_argument("slug", metavar="SLUG", help="which shop")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.store.database import connect

    with connect(settings.DATABASE_URL) as connection:
        if args.verb == "secret-key":
            return _make_key(connection, args)
        if args.verb == "shopify":
            return _believe_shopify(connection, args)
        return _create(connection, args) if args.verb == "create" else _list(connection)


def _create(connection: Connection, args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.onboard import ShopRefusedError, create_shop
    from rekindle.store.shop_changes import write_key_of

    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    given = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
    try:
        shop = create_shop(
            connection, context, slug=args.slug, name=args.name, spread=args.spread, by="command line", **given
        )
    except ShopRefusedError as mistake:
        raise OperatorError(f"{mistake}.") from None
    print(f"{shop.name} is ready: {settings.PUBLIC_URL}/shops/{shop.slug}/")
    print(f"Write key: {write_key_of(connection, shop.id)}")
    print(f"Next, somebody who may enter: rekindle person add YOU@EXAMPLE --shop {shop.slug}")
    return 0


def _make_key(connection: Connection, args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.configure import renew_secret_key
    from rekindle.engine.context import Context
    from rekindle.store.shops import shop_by_slug

    shop = shop_by_slug(connection, args.slug)
    if shop is None:
        raise OperatorError(f"there is no shop {args.slug}.", "See rekindle shop list.")
    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    print(f"Secret key: {renew_secret_key(connection, context, shop.id, by=0)}")
    print("It is shown only this once. Keep it on servers: whoever has it may say that an address was confirmed.")
    return 0


def _believe_shopify(connection: Connection, args: argparse.Namespace) -> int:
    import sys

    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.privacy.shopify import KIND, keep_secrets
    from rekindle.store.shop_platforms import put_platform
    from rekindle.store.shops import shop_by_slug

    shop = shop_by_slug(connection, args.slug)
    if shop is None:
        raise OperatorError(f"there is no shop {args.slug}.", "See rekindle shop list.")
    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    domain = args.domain.strip().lower()
    try:
        secret = keep_secrets(context, shop, domain, sys.stdin.read(4_096).splitlines())
    except ValueError as mistake:
        raise OperatorError(f"{mistake}.") from None
    if not put_platform(connection, shop.id, KIND, domain, secret):
        raise OperatorError(f"{domain} is another shop's already.")
    print(f"Shopify may say what people ask about their data in {shop.name}. The address for its mandatory topics:")
    print(f"{settings.PUBLIC_URL}/hooks/shopify-privacy")
    return 0


def _list(connection: Connection) -> int:
    from rekindle.store.shops import all_shops

    shops = all_shops(connection)
    width = max((len(shop.slug) for shop in shops), default=0)
    for shop in shops:
        print(f"{shop.slug:<{width}}  {shop.name}" + ("  (sending is paused)" if shop.sending_paused else ""))
    if not shops:
        print('There is no shop yet: rekindle shop create my-shop --name "My shop"')
    return 0
