"""Switch the sandbox of a shop on or off: its messages are decided, written and counted, and go nowhere.

Only where the installation was started with REKINDLE_SANDBOX=1, and only for channels without another account.
"""

from __future__ import annotations

import argparse

from rekindle.lib.operator_error import OperatorError

LOGGED = {"on": "switch_sandbox_on", "off": "switch_sandbox_off"}
HELP = "let a shop's messages go nowhere, for a trial"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("state", choices=("on", "off"), help="what to do")
    parser.add_argument("shop", metavar="SHOP", help="the shop's slug")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.sandbox import SandboxError, switch_off, switch_on
    from rekindle.store.database import connect
    from rekindle.store.shops import all_shops

    if args.state == "on" and not settings.SANDBOX:
        raise OperatorError("this installation has no sandbox.", "Start it with REKINDLE_SANDBOX=1 if it is a trial.")
    with connect(settings.DATABASE_URL) as connection:
        shop = next((one for one in all_shops(connection) if one.slug == args.shop), None)
        if shop is None:
            raise OperatorError(f"there is no shop {args.shop}.", "`rekindle shop list` names them.")
        if args.state == "off":
            print(f"{switch_off(connection, shop)} sandbox accounts of {shop.slug} are switched off")
            return 0
        try:
            channels = switch_on(connection, shop)
        except SandboxError as mistake:
            raise OperatorError(
                str(mistake), "Switch those accounts off first, or make a shop for the trial."
            ) from None
    print(f"{shop.slug} sends to nobody now: {', '.join(channels)}")
    return 0
