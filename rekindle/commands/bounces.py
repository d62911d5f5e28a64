"""Read the letters that came back: bounces, complaints and replies, from a mailbox or from the mail server's pipe.

SOURCE is a Maildir folder (its new letters, which are marked as seen afterwards), an mbox file, or - for one letter on
standard input. What was read before changes nothing when it is read again. Ends with 75 when the database is away, so
that a mail server tries again later.
"""

from __future__ import annotations

import argparse
import mailbox
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.engine.returned_mail import LettersRead
    from rekindle.store.database import Connection
    from rekindle.terms.shop import ShopSettings

HELP = "read bounces, complaints and replies from a mailbox"
NEEDS_DATABASE = False  # looked for in `run`, so that a letter is kept when there is none

TRY_AGAIN_LATER = 75  #: sysexits.h EX_TEMPFAIL
_MAX_LETTER = 8 * 1024 * 1024  #: bytes; of longer ones the beginning is read


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", metavar="SOURCE", nargs="*", default=["-"], help="Maildir, mbox file, or - (default)"
    )
    parser.add_argument("--shop", metavar="SLUG", help="whose mailbox it is (needed when there are several shops)")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless something is wrong")


def run(args: argparse.Namespace) -> int:
    import psycopg

    from rekindle.commands.prepare import prepare

    try:
        prepare(os.environ)
    except OperatorError as mistake:
        print(f"rekindle: {mistake.message}", file=sys.stderr)
        return TRY_AGAIN_LATER
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.returned_mail import read_letters
    from rekindle.lib.journal import Journal
    from rekindle.store.database import connect

    context = Context(
        hash_key=settings.HASH_KEY,
        vault_key=settings.VAULT_KEY,
        public_url=settings.PUBLIC_URL,
        journal=Journal(settings.JOURNAL, settings.HASH_KEY) if settings.JOURNAL is not None else None,
    )
    try:
        with connect(settings.DATABASE_URL) as connection:
            shop = _shop(connection, args.shop)
            for source in args.sources:
                read = read_letters(connection, context, letters_of(source), shop=shop)
                if not args.quiet:
                    print(_line(source, read))
    except psycopg.OperationalError as error:
        print(f"rekindle: the database is away ({type(error).__name__}); try again later", file=sys.stderr)
        return TRY_AGAIN_LATER
    return 0


def letters_of(source: str) -> Iterator[bytes]:
    """The letters of a source, one by one. A Maildir's letter is marked as seen when the next one is asked for.

    Raises OperatorError for a source that is none.
    """
    path = Path(source)
    if source == "-":
        yield sys.stdin.buffer.read(_MAX_LETTER)
    elif (path / "new").is_dir():
        yield from _new_letters(path)
    elif path.is_file():
        yield from _mbox_letters(path)
    else:
        raise OperatorError(f"{source} is no Maildir and no file.", "A Maildir has the folders new, cur and tmp.")


def _new_letters(path: Path) -> Iterator[bytes]:
    for letter in sorted((path / "new").iterdir()):
        try:
            with letter.open("rb") as file:
                yield file.read(_MAX_LETTER)
            letter.rename(path / "cur" / f"{letter.name}:2,S")
        except FileNotFoundError:  # another reader was faster
            continue


def _mbox_letters(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if file.read(5) != b"From ":
            file.seek(0)
            yield file.read(_MAX_LETTER)  # a single letter
            return
    box = mailbox.mbox(str(path), create=False)
    try:
        for key in box.iterkeys():
            yield box.get_bytes(key)[:_MAX_LETTER]
    finally:
        box.close()


def _shop(connection: Connection, slug: str | None) -> ShopSettings | None:
    """The shop that was named, else the only one; None when there are several."""
    from rekindle.store.shops import all_shops, shop_by_slug

    if slug is not None:
        shop = shop_by_slug(connection, slug)
        if shop is None:
            raise OperatorError(f"there is no shop {slug}.", "See rekindle shop --help.")
        return shop
    shops = all_shops(connection)
    return shops[0] if len(shops) == 1 else None


def _line(source: str, read: LettersRead) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(read.by_kind.items())) or "nothing"
    told = f"{read.new} new facts, {read.ended} closed, {read.unmatched} about nothing of ours"
    return f"{source}: {read.letters} letters ({kinds}); {told}"
