"""Bring every stored credential under the current vault key, or tell under which keys they are.

  rekindle secrets status
  rekindle secrets rotate

First start everything with the new key as REKINDLE_VAULT_KEY and the old one as REKINDLE_VAULT_KEY_FALLBACKS. Ends with
1 while an old key is still needed, or when a value opens with none.
"""

from __future__ import annotations

import argparse

LOGGED = {"rotate": "rotate_secrets"}
HELP = "change the key that credentials are sealed with"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    commands.add_parser("status", help="tell under which keys the stored credentials are")
    commands.add_parser("rotate", help="seal everything anew that is under an old key")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.rotate_secrets import count_sealed, rotate
    from rekindle.store.database import connect

    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    with connect(settings.DATABASE_URL) as connection:
        found = (rotate if args.verb == "rotate" else count_sealed)(connection, context)
    now = found.current + found.anew
    print(f"{now} under the current key ({found.anew} sealed anew now), {found.older} under an older one")
    if found.lost:
        print(f"{found.lost} open with none of the keys: enter them again in the dashboard, under Providers.")
    if found.is_done:
        print("Nothing needs an older key: REKINDLE_VAULT_KEY_FALLBACKS can go when every process was restarted.")
    else:
        print("Older keys are still needed: run rekindle secrets rotate.")
    return 0 if found.is_done and not found.lost else 1
