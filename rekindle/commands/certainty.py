"""Tell whether every message was sent once and none was lost: lost, duplicated, unexpected, recovered.

Exits with 1 when the promise is broken. Messages in doubt are counted apart: they are listed in the dashboard.
"""

from __future__ import annotations

import argparse
from datetime import timedelta

from rekindle.lib.operator_error import OperatorError

HELP = "tell whether every message was sent once and none was lost"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shop", metavar="SLUG", help="only this shop")
    parser.add_argument("--days", type=int, default=30, help="how far back (30)")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.lib.clock import SYSTEM_CLOCK
    from rekindle.store.certainty import certainty_of
    from rekindle.store.database import connect
    from rekindle.store.shops import all_shops

    if not 1 <= args.days <= 3_660:
        raise OperatorError("--days must be 1 to 3660.", "")
    since = SYSTEM_CLOCK.now() - timedelta(days=args.days)
    broken = False
    with connect(settings.DATABASE_URL) as connection:
        shops = [shop for shop in all_shops(connection) if args.shop in (None, shop.slug)]
        if not shops:
            raise OperatorError(f"there is no shop {args.shop}." if args.shop else "there is no shop yet.", "")
        heads = ("sends", "lost", "duplicated", "unexpected", "recovered", "uncertain")
        print(f"{'shop':20}", *(f"{head:>10}" for head in heads))
        for shop in shops:
            found = certainty_of(connection, shop, since)
            broken = broken or not found.holds
            print(f"{shop.slug[:20]:20}", *(f"{getattr(found, head):10}" for head in heads))
    return 1 if broken else 0
