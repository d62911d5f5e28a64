"""See how long what is kept, what the next daily run would take away, and what was taken away when.

rekindle retention show
rekindle retention dry-run
rekindle retention run
rekindle retention report
rekindle retention set events 90
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rekindle.commands.person import shop_of
from rekindle.lib.operator_error import OperatorError
from rekindle.terms.retention import KEPT, DataClass, RetentionError, parse_retention

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rekindle.store.retention import Taken

LOGGED = {"run": "run_retention", "set": "change_shop"}
HELP = "how long what is kept: show, dry-run, run, report"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    notes = {
        "show": "print each class of data with its days",
        "dry-run": "count what the next run takes of a shop, and take nothing",
        "run": "do now what a worker does once a day, for every shop",
        "report": "print what was taken away when",
    }
    each = [commands.add_parser(name, help=note) for name, note in notes.items()]
    setting = commands.add_parser("set", help="keep a class of a shop's data for so many days")
    setting.add_argument("data_class", choices=[one.value for one in DataClass], metavar="CLASS")
    setting.add_argument("days", type=int)
    for one in (*each, setting):
        one.add_argument("--shop", metavar="SLUG", help="which shop (needed when there are several)")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.configure import change_shop
    from rekindle.engine.context import Context
    from rekindle.engine.retention import days_of, keep_in_bounds, would_take
    from rekindle.store.database import connect
    from rekindle.store.retention import report

    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    with connect(settings.DATABASE_URL) as connection:
        if args.verb == "run":
            _print(keep_in_bounds(connection, context), "Nothing was too old.")
            return 0
        shop = shop_of(connection, args.shop)
        if args.verb == "show":
            for kind, days in days_of(shop).items():
                print(f"{kind.value:<16} {days:>5} days   {KEPT[kind].end}")
        elif args.verb == "dry-run":
            _print([one for one in would_take(connection, context, shop) if one.row_count], "Nothing is too old.")
        elif args.verb == "report":
            _print(report(connection, shop.id), "Nothing was taken away yet.")
        else:
            chosen = dict(shop.retention or {}) | {args.data_class: args.days}
            try:
                parse_retention(chosen)
            except RetentionError as mistake:
                raise OperatorError(str(mistake)) from None
            change_shop(connection, shop.id, {"retention": chosen}, by=0)
            print(f"{shop.name} keeps {args.data_class} for {args.days} days; the next daily run follows that.")
    return 0


def _print(rows: Sequence[Taken], otherwise: str) -> None:
    for row in rows:
        what = row.partitions or f"{row.row_count:,} rows"
        print(f"{row.at:%Y-%m-%d %H:%M}  {row.data_class:<16} before {row.before:%Y-%m-%d}  {what}")
    if not rows:
        print(otherwise)
