"""Look after the embedded PostgreSQL.

`start` leaves it running until `stop`; without it the server runs only while a command uses it.
"""

from __future__ import annotations

import argparse
import os
import sys

from rekindle.store.postgres import ensure_running, home_folder, status, stop
from rekindle.store.postgres.address import is_embedded

HELP = "start, stop or look at the embedded PostgreSQL"
NEEDS_DATABASE = False


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("start", "stop", "status"))


def run(args: argparse.Namespace) -> int:
    home = home_folder(os.environ)
    if not is_embedded(os.environ):
        print("Note: DATABASE_URL is set, so Rekindle does not use the embedded server.", file=sys.stderr)
    if args.action == "start":
        server = ensure_running(home, keep=True)
        print(f"running (process {server.pid})\n{server.dsn}")
        return 0
    if args.action == "stop":
        print("stopped" if stop(home) else "was not running")
        return 0
    seen = status(home)
    print(seen.state + (f" (process {seen.pid}, PostgreSQL {seen.major})" if seen.pid else ""))
    print(f"data  {seen.data}\nlog   {seen.log}")
    if seen.dsn:
        print(f"url   {seen.dsn}\nuntil {'rekindle postgres stop' if seen.kept else 'the last user leaves'}")
    return 0 if seen.state == "running" else 3
