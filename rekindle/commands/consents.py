"""Keep the texts that shoppers agree to, and bring in consents that were given elsewhere.

  rekindle consents keep-wording my-shop --purpose email --language de --version 2026-11 --file wording.txt
  rekindle consents wordings my-shop
  rekindle consents verify
  rekindle consents import my-shop old-shop.csv --source "old shop"

A consent that names a kept version is proven by its text. A text is never changed: another one is another version.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.engine.context import Context
    from rekindle.store.database import Connection
    from rekindle.terms.shop import ShopSettings

LOGGED = {"keep-wording": "keep_wording", "import": "import_consents"}
HELP = "keep the texts that shoppers agree to, import consents"

_MOST_SHOWN = 50
_PURPOSES = ("email", "sms", "push", "track_opens", "track_clicks")


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    keep = commands.add_parser("keep-wording", help="add a version of a text that shoppers agree to")
    keep.add_argument("shop", metavar="SHOP", help="the shop's short name")
    keep.add_argument("--purpose", required=True, choices=_PURPOSES, help="what is agreed to")
    keep.add_argument("--language", required=True, help="such as de or pt-BR")
    keep.add_argument("--version", required=True, help="name of this version, such as 2026-11")
    keep.add_argument("--file", required=True, metavar="FILE", help="the text as shoppers read it; - is standard input")
    keep.add_argument("--mentions-cart", action="store_true", help="the text names cart reminders")
    keep.add_argument("--valid-from", metavar="TIME", help="since when it is shown, such as 2026-11-01T00:00+01:00")
    brought = commands.add_parser("import", help="write down consents from a CSV file, with where they come from")
    brought.add_argument("shop", metavar="SHOP", help="the shop's short name")
    brought.add_argument("file", metavar="FILE", help="channel, address, given_at and more; - is standard input")
    brought.add_argument("--source", required=True, help="where they were given; kept with each of them")
    brought.add_argument(
        "--skip-wrong", action="store_true", help="leave out lines that are wrong; else nothing is written"
    )
    commands.add_parser("verify", help="look whether the ledger of consents is whole; ends with 1 when it is not")
    listed = commands.add_parser("wordings", help="print the kept texts of a shop")
    listed.add_argument("shop", metavar="SHOP", help="the shop's short name")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.store.database import connect
    from rekindle.store.shops import shop_by_slug

    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL)
    with connect(settings.DATABASE_URL) as connection:
        if args.verb == "verify":
            return _verify(connection, replace(context, heads_file=settings.HEADS_FILE))
        shop = shop_by_slug(connection, args.shop)
        if shop is None:
            raise OperatorError(f"there is no shop {args.shop}.", "See rekindle shop list.")
        if args.verb == "keep-wording":
            return _keep(connection, context, shop, args)
        if args.verb == "import":
            return _import(connection, context, shop, args)
        return _list(connection, shop)


def _keep(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.wordings import WordingRefusedError, keep_wording
    from rekindle.terms.consent import Wording

    wording = Wording(
        purpose=args.purpose,
        language=args.language,
        version=args.version,
        text=_text(args.file),
        mentions_cart=args.mentions_cart,
        valid_from=_moment(args.valid_from) if args.valid_from else context.clock.now(),
    )
    try:
        keep_wording(connection, context, shop, wording, by="command line")
    except WordingRefusedError as mistake:
        raise OperatorError(f"{mistake}.") from None
    print(f"Kept: {wording.purpose}, {wording.language}, version {wording.version}.")
    return 0


def _verify(connection: Connection, context: Context) -> int:
    from rekindle.engine.audit_log import kept_heads
    from rekindle.engine.consent_anchors import LEDGER, check_ledger
    from rekindle.policy.consent_removal import REMOVALS

    heads = kept_heads(context.heads_file, LEDGER)
    found = check_ledger(connection, context, heads, kept_heads(context.heads_file, REMOVALS))
    print(f"{found.rows} rows in {found.chains} chains, {found.anchors} anchors, {len(heads)} heads kept outside.")
    for fault in found.faults:
        print(f"BROKEN  {fault}", file=sys.stderr)
    if not found.faults:
        print("The ledger is whole." if heads else "The ledger is whole; nothing was kept outside to hold it against.")
    return 1 if found.faults else 0


def _import(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.import_consents import import_consents
    from rekindle.policy.consent_file import ConsentFileError, ImportedConsent, Mistake, read_consent_file

    lines = _text(args.file).splitlines(keepends=True)
    try:
        read = list(read_consent_file(lines, country=shop.country, now=context.clock.now()))
    except ConsentFileError as mistake:
        raise OperatorError(f"{args.file}: {mistake}.", "Nothing was written.") from None
    wrong = [one for one in read if isinstance(one, Mistake)]
    for one in wrong[:_MOST_SHOWN]:
        print(f"{args.file}, line {one.line}: {one.text}", file=sys.stderr)
    if len(wrong) > _MOST_SHOWN:
        print(f"... and {len(wrong) - _MOST_SHOWN} more", file=sys.stderr)
    if wrong and not args.skip_wrong:
        raise OperatorError(f"{len(wrong)} lines are wrong.", "Nothing was written; --skip-wrong leaves them out.")
    good = [one for one in read if isinstance(one, ImportedConsent)]
    done = import_consents(connection, context, shop, good, source=args.source.strip())
    print(f"{done.new} consents are written down, {done.known} were known, {len(wrong)} lines were left out.")
    if done.unprovable:
        print(f"{done.unprovable} name no text: nobody is written to on their ground where the law asks for consent.")
    return 1 if wrong else 0


def _list(connection: Connection, shop: ShopSettings) -> int:
    from rekindle.store.wordings import kept_wordings

    found = kept_wordings(connection, shop.id)
    for one in found:
        names = " (names carts)" if one.mentions_cart else ""
        print(f"{one.purpose} {one.language} {one.version}, since {one.valid_from:%Y-%m-%d}{names}\n  {one.text}")
    if not found:
        print("No text is kept yet: rekindle consents keep-wording --help")
    return 0


def _text(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{source} cannot be read: {error}.") from None


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"--valid-from {text} is not a time.", "Such as 2026-11-01T00:00+01:00.") from None
    if at.tzinfo is None:
        raise OperatorError(f"--valid-from {text} needs its offset from UTC.", "Such as 2026-11-01T00:00+01:00.")
    return at
