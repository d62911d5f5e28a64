"""After a backup was restored: see whether anything may be sent, and replay who opted out or was erased since.

  rekindle restore status
  rekindle restore replay

Until then no worker sends anything. The journal lies outside the database, in REKINDLE_JOURNAL.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.engine.context import Context
    from rekindle.lib.journal import Journal
    from rekindle.store.database import Connection

LOGGED = {"replay": "replay_journal"}
HELP = "after a restore: replay opt-outs and erasures, then send again"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    commands.add_parser("status", help="say whether anything may be sent; ends with 1 when not")
    replaying = commands.add_parser("replay", help="carry out every line of the journal again, then open the gate")
    replaying.add_argument(
        "--without-journal",
        action="store_true",
        help="the journal is lost: open the gate all the same, once the opt-outs of your providers were taken over",
    )


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.restore_gate import gate
    from rekindle.lib.journal import Journal
    from rekindle.store.database import connect

    if settings.JOURNAL is None:
        raise OperatorError("the journal is switched off (REKINDLE_JOURNAL=off).", "Nothing watches over a restore.")
    journal = Journal(settings.JOURNAL, settings.HASH_KEY)
    context = Context(
        hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=settings.PUBLIC_URL, journal=journal
    )
    with connect(settings.DATABASE_URL) as connection:
        if args.verb == "status":
            found = gate(connection, context)
            print("Messages may be sent." if found.is_open else f"Nothing is sent: {found.why}.")
            return 0 if found.is_open else 1
        return _replay(connection, context, journal, without=args.without_journal)


def _replay(connection: Connection, context: Context, journal: Journal, *, without: bool) -> int:
    from rekindle.engine.replay import replay
    from rekindle.lib.journal import JournalError

    try:
        if journal.mark() is None and not without:
            raise OperatorError(
                f"there is no journal in {journal.folder}.",
                "Put it there (it must survive a restore), or add --without-journal once you have taken over the\n"
                "opt-outs that your providers know.",
            )
        done = replay(connection, context, journal)
    except JournalError as mistake:
        raise OperatorError(f"{mistake}; nothing was opened.") from None
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(done.by_kind.items())) or "nothing"
    print(f"Replayed: {told}. Messages may be sent again.")
    if done.without_shop:
        print(f"{done.without_shop} lines belong to shops that this database does not have.")
    if done.counts.torn or done.counts.forged:
        print(
            f"Left out: {done.counts.torn} torn lines, {done.counts.forged} not written with this installation's key."
        )
    return 0
