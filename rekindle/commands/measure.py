"""Count the sums behind the dashboard again, from the raw rows. They are kept equal by the worker; this is a repair.

Safe at any time, also while everything runs: sums are replaced, never added to.
"""

from __future__ import annotations

import argparse
from datetime import timedelta

from rekindle.lib.operator_error import OperatorError

HELP = "count the dashboard's hourly sums again"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=92, help="how far back (%(default)s)")
    parser.add_argument("--shop", metavar="SLUG", help="only this shop")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.measure import rebuild
    from rekindle.lib.clock import SYSTEM_CLOCK
    from rekindle.store.database import connect
    from rekindle.store.shops import all_shops

    if not 1 <= args.days <= 3_660:
        raise OperatorError("--days must be 1 to 3660.", "Sums of ninety days are shown.")
    with connect(settings.DATABASE_URL) as connection:
        shops = [shop for shop in all_shops(connection) if args.shop in (None, shop.slug)]
        if not shops:
            raise OperatorError(f"there is no shop {args.shop}.", "Give its name as in the dashboard's address.")
        now = SYSTEM_CLOCK.now()
        for shop in shops:
            count = rebuild(connection, shop, now - timedelta(days=args.days), now)
            print(f"{shop.slug}: {count} sums of {args.days} days")
    return 0
