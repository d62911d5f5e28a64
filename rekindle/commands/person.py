"""Add people who may enter the dashboard, or give somebody a new password.

  rekindle person add ada@shop.example --shop my-shop --role owner
  rekindle person password ada@shop.example
  rekindle person list

A password is asked for at a terminal, read from --password-stdin, or made up and printed once.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError
from rekindle.terms.role import Role

if TYPE_CHECKING:
    from rekindle.store.database import Connection
    from rekindle.terms.shop import ShopSettings

LOGGED = {"add": "change_people", "password": "change_password"}
HELP = "add people who may enter the dashboard, set passwords"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    add = commands.add_parser("add", help="give somebody a role in a shop; makes the account when there is none")
    add.add_argument("account", metavar="ACCOUNT", help="the name to sign in with, best an e-mail address")
    add.add_argument("--shop", metavar="SLUG", help="which shop (needed when there are several)")
    add.add_argument("--role", choices=[role.value for role in Role], default=Role.OWNER.value, help="default: owner")
    _take_password(add)
    password = commands.add_parser("password", help="give an account another password; its sessions end")
    password.add_argument("account", metavar="ACCOUNT")
    _take_password(password)
    listing = commands.add_parser("list", help="print who may enter a shop, and as what")
    listing.add_argument("--shop", metavar="SLUG", help="which shop (needed when there are several)")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.memberships import MembershipError
    from rekindle.store.database import connect

    with connect(settings.DATABASE_URL) as connection:
        try:
            return {"add": _add, "password": _password, "list": _list}[args.verb](connection, args)
        except MembershipError as mistake:
            raise OperatorError(str(mistake)) from None


def _add(connection: Connection, args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.memberships import add_to_shop
    from rekindle.store.memberships import person_by_account

    shop = shop_of(connection, args.shop)
    is_known = person_by_account(connection, args.account.strip()) is not None
    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    added = add_to_shop(
        connection,
        context,
        shop_id=shop.id,
        account=args.account,
        role=Role(args.role),
        by=None,
        password=None if is_known else _read_password(args),
    )
    print(f"{added.account} may enter {shop.name} as {args.role}: {settings.PUBLIC_URL}/login")
    if added.password is not None and not args.was_typed:
        print(f"Password (shown only now): {added.password}")
    return 0


def _password(connection: Connection, args: argparse.Namespace) -> int:
    import secrets

    from rekindle.engine.memberships import set_password

    typed = _read_password(args)
    password = typed or secrets.token_urlsafe(15)
    set_password(connection, account=args.account, password=password)
    print(f"{args.account.strip()} has a new password; its sessions have ended.")
    if typed is None:
        print(f"Password (shown only now): {password}")
    return 0


def _list(connection: Connection, args: argparse.Namespace) -> int:
    from rekindle.store.dashboard.access import people_of_shop

    shop = shop_of(connection, args.shop)
    people = people_of_shop(connection, shop.id)
    width = max((len(person.account) for person in people), default=0)
    for person in people:
        print(f"{person.account:<{width}}  {person.role.value}")
    if not people:
        print(f"Nobody may enter {shop.name} yet: rekindle person add ACCOUNT --shop {shop.slug}")
    return 0


def shop_of(connection: Connection, slug: str | None) -> ShopSettings:
    """The shop of a slug; without one the only shop there is. Raises OperatorError."""
    from rekindle.store.shops import all_shops

    shops = all_shops(connection)
    if not shops:
        raise OperatorError("there is no shop yet.", 'Make one: rekindle shop create my-shop --name "My shop"')
    if slug is None and len(shops) == 1:
        return shops[0]
    found = next((shop for shop in shops if shop.slug == slug), None)
    if found is None:
        names = ", ".join(shop.slug for shop in shops)
        raise OperatorError(f"there is no shop {slug}." if slug else "say which shop.", f"--shop is one of: {names}")
    return found


def _take_password(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
    parser.set_defaults(was_typed=False)


def _read_password(args: argparse.Namespace) -> str | None:
    """What was typed or piped; None lets one be made up."""
    if args.password_stdin:
        typed = sys.stdin.readline().rstrip("\r\n")
        if not typed:
            raise OperatorError("there is no password on stdin.")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from getpass import getpass

        typed = getpass("Password (empty: make one up): ")
        if typed and typed != getpass("Again: "):
            raise OperatorError("the two passwords differ; nothing was changed.")
    else:
        typed = ""
    args.was_typed = bool(typed)
    return typed or None
