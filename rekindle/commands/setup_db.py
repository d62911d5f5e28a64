"""Create or update the tables, and the partitions of the coming days.

Safe to run at every start and by several machines at once: they take turns.
"""

from __future__ import annotations

import argparse

HELP = "create or update the tables and partitions (safe to repeat)"

#: Any constant of our own; whoever holds this advisory lock is the one that migrates.
TURN = 0x52454B494E444C45


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    import psycopg
    from django.conf import settings
    from django.core.management import call_command

    from rekindle.lib.clock import SYSTEM_CLOCK
    from rekindle.store.partitions import ensure_partitions

    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as turn:
        turn.execute("SELECT pg_advisory_lock(%s)", [TURN])
        call_command("migrate", interactive=False, verbosity=0 if args.quiet else 1)
        made = ensure_partitions(turn, SYSTEM_CLOCK.now())
    if not args.quiet:
        print(f"The database is ready ({len(made)} partitions were added).")
    return 0
