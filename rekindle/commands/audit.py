"""Check over the live database that nothing went that must not have, and that what is kept as proof is whole.

  rekindle audit                 the last 31 days, one line for each promise
  rekindle audit --days 365 --json

Reads only. Ends with 0 when every promise was kept, 1 when one was broken, 2 when it could not be checked.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.engine.audit import Report

HELP = "check that nothing went out that must not have"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, default=31, help="how far back (31)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    import psycopg
    from django.conf import settings

    from rekindle.engine.audit import audit
    from rekindle.engine.context import Context
    from rekindle.store.database import connect

    if not 1 <= args.days <= 3_660:
        raise OperatorError("--days must be 1 to 3660.")
    context = Context(
        hash_key=settings.HASH_KEY,
        vault_key=settings.VAULT_KEY,
        public_url=settings.PUBLIC_URL,
        heads_file=settings.HEADS_FILE,
    )
    began = time.monotonic()
    try:
        with connect(settings.DATABASE_URL) as connection:
            report = audit(connection, context, since=context.clock.now() - timedelta(days=args.days))
    except psycopg.Error as error:
        raise OperatorError("the audit could not be carried out; nothing is known.", str(error)[:300]) from None
    print(as_json(report) if args.json else as_text(report, time.monotonic() - began))
    return 0 if report.holds else 1


def as_text(report: Report, took_s: float) -> str:
    """One line for each promise, then what broke them."""
    lines = [f"{'':7} {'promise':11} {'looked at':>10} {'broken':>7}"]
    for check in report.checks:
        mark = "BROKEN" if check.broken else "kept"
        lines.append(f"{mark:7} {check.name:11} {check.looked_at:10} {check.broken:7}  {check.sentence}")
        if check.unjudged:
            lines.append(f"{'':38} {check.unjudged} were decided by other rules than the installed ones: not judged")
        lines += [f"{'':38} {one}" for one in check.ids]
    number = sum(check.broken for check in report.checks)
    verdict = "Every promise was kept." if report.holds else f"{number} times a promise was broken."
    lines.append(f"{verdict} Since {report.since:%Y-%m-%d %H:%M} UTC; took {took_s:.1f} s.")
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The report for machines."""
    checks = [
        {
            "name": check.name,
            "promise": check.sentence,
            "looked_at": check.looked_at,
            "broken": check.broken,
            "unjudged": check.unjudged,
            "ids": check.ids,
        }
        for check in report.checks
    ]
    told = {"at": report.at.isoformat(), "since": report.since.isoformat(), "holds": report.holds, "checks": checks}
    return json.dumps(told, indent=2)
