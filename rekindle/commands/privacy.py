"""Answer requests about personal data: list them, write one down, and take the steps that answer it.

rekindle privacy list
rekindle privacy add erasure --email ada@example.com
rekindle privacy step REQUEST verify
rekindle privacy step REQUEST refuse --why "the address is not theirs"
rekindle privacy show REQUEST
"""

from __future__ import annotations

import argparse
import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from rekindle.commands.person import shop_of
from rekindle.lib.addresses import masked
from rekindle.lib.operator_error import OperatorError
from rekindle.terms.privacy_request import RequestKind, Step

if TYPE_CHECKING:
    from rekindle.engine.context import Context
    from rekindle.store.database import Connection
    from rekindle.terms.privacy_request import PrivacyRequest
    from rekindle.terms.shop import ShopSettings

LOGGED = dict.fromkeys(("add", "step", "show", "export", "correct"), "handle_requests")
HELP = "answer requests about personal data: access, erasure, correction, objection"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    listing = commands.add_parser("list", help="print the requests of a shop, the one that is due first on top")
    listing.add_argument("--all", action="store_true", help="closed ones too")
    add = commands.add_parser("add", help="write down a request that came in")
    add.add_argument("kind", choices=[kind.value for kind in RequestKind], help="what is asked for")
    add.add_argument("--email", default="", help="address of the person")
    add.add_argument("--phone", default="", help="telephone number of the person")
    add.add_argument("--country", default="", help="where the person lives, if known (DE)")
    add.add_argument("--note", default="", help="in their words")
    add.add_argument("--received", metavar="DAY", default="", help="when it came in, if earlier (2026-03-02)")
    add.add_argument("--verified", action="store_true", help="you have made sure that it comes from the person")
    step = commands.add_parser("step", help="take a step about a request")
    step.add_argument("request", metavar="REQUEST", help="its id, or the beginning of it")
    step.add_argument("step", choices=[one.value for one in Step], help="what was, or is to be, done")
    step.add_argument("--why", default="", help="kept with the request; refuse, extend and note need it")
    show = commands.add_parser("show", help="print a request with its history")
    show.add_argument("request", metavar="REQUEST", help="its id, or the beginning of it")
    export = commands.add_parser("export", help="make the file of a verified access request here and now")
    export.add_argument("request", metavar="REQUEST", help="its id, or the beginning of it")
    export.add_argument("--to", metavar="FILE", required=True, help="where the zip goes; must not exist")
    correct = commands.add_parser("correct", help="put in what is right, and close the request")
    correct.add_argument("request", metavar="REQUEST", help="its id, or the beginning of it")
    for name in ("first-name", "last-name", "email", "phone"):
        correct.add_argument(f"--{name}", default="", help="the right one")
    for one in (listing, add, step, show, export, correct):
        one.add_argument("--shop", metavar="SLUG", help="which shop (needed when there are several)")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.engine.context import Context
    from rekindle.engine.privacy.record import RequestError
    from rekindle.lib.journal import Journal
    from rekindle.store.database import connect

    context = Context(
        hash_key=settings.HASH_KEY,
        vault_key=settings.VAULT_KEY,
        public_url=settings.PUBLIC_URL,
        journal=Journal(settings.JOURNAL, settings.HASH_KEY) if settings.JOURNAL is not None else None,
    )
    with connect(settings.DATABASE_URL) as connection:
        shop = shop_of(connection, args.shop)
        try:
            return _VERBS[args.verb](connection, context, shop, args)
        except RequestError as mistake:
            raise OperatorError(str(mistake)) from None


def _list(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.store.buckets import base_bucket
    from rekindle.store.privacy_requests import list_requests

    rows = list_requests(connection, base_bucket(shop), shop.id, is_open=None if args.all else True, limit=1000)
    for request in rows:
        print(_line(request, context))
    if not rows:
        print(f"{shop.name} has no {'' if args.all else 'open '}request about personal data.")
    return 0


def _add(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.privacy.record import Asked, record_request

    asked = Asked(
        kind=RequestKind(args.kind),
        source="command",
        email=args.email,
        phone=args.phone,
        country=args.country.strip().upper(),
        note=args.note,
        by=_me(),
        is_verified=args.verified,
    )
    request = record_request(connection, context, shop, asked, received_at=_day(args.received))
    print(_line(request, context))
    return 0


def _step(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.privacy.steps import Taken, take_step

    request = _find(connection, shop, args.request)
    taken = Taken(step=Step(args.step), by=_me(), text=args.why)
    print(_line(take_step(connection, context, shop, request.id, taken), context))
    return 0


def _show(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.policy.request_steps import allowed_steps
    from rekindle.store.privacy_requests import history

    request = _find(connection, shop, args.request)
    print(_line(request, context))
    for line in history(connection, request):
        told = "".join(f" {name}={value}" for name, value in line.detail.items())
        print(f"  {line.at:%Y-%m-%d %H:%M}  {line.what}{' by ' + line.by if line.by else ''}{told}")
    print(f"  next: {', '.join(step.value for step in allowed_steps(request))}")
    return 0


def _export(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.privacy.export import make_file, take_file
    from rekindle.engine.privacy.steps import Taken, take_step
    from rekindle.store.subject_exports import ExportPlace, exports_of_request

    request = _find(connection, shop, args.request)
    try:
        Path(args.to).touch(mode=0o600, exist_ok=False)  # first, so that nothing is taken that cannot be kept
    except OSError as error:
        raise OperatorError(f"{args.to} cannot be written: {error.strerror}.") from None
    take_step(connection, context, shop, request.id, Taken(step=Step.EXPORT, by=_me()))
    line = exports_of_request(connection, request.bucket, request.id)[0]
    make_file(connection, context, ExportPlace(request.bucket, line.id, shop.id, request.id))
    Path(args.to).write_bytes(take_file(connection, context, shop, line.id, by=_me()).content)
    print(f"{args.to}: everything that {shop.name} keeps about this person. Give it to nobody else.")
    return 0


def _correct(connection: Connection, context: Context, shop: ShopSettings, args: argparse.Namespace) -> int:
    from rekindle.engine.privacy.steps import Taken, take_step

    request = _find(connection, shop, args.request)
    values = {name: getattr(args, name) for name in ("first_name", "last_name", "email", "phone")}
    taken = Taken(step=Step.CORRECT, by=_me(), values=values)
    print(_line(take_step(connection, context, shop, request.id, taken), context))
    return 0


def _find(connection: Connection, shop: ShopSettings, text: str) -> PrivacyRequest:
    from rekindle.engine.privacy.steps import find_request
    from rekindle.store.buckets import base_bucket
    from rekindle.store.privacy_requests import list_requests

    try:
        return find_request(connection, shop, UUID(text))
    except ValueError:
        pass
    rows = list_requests(connection, base_bucket(shop), shop.id, limit=100_000)
    found = [row for row in rows if len(text) >= 4 and str(row.id).startswith(text.lower())]
    if len(found) != 1:
        many = "several requests begin" if found else "no request begins"
        raise OperatorError(f"{many} with {text}.", "See rekindle privacy list --all.")
    return found[0]


def _line(request: PrivacyRequest, context: Context) -> str:
    now = context.clock.now()
    who = ", ".join(masked(one.address) if one.address else "erased" for one in request.subjects)
    state = "overdue" if request.is_overdue(now) else request.state.value
    date = f"due {request.due_at:%Y-%m-%d}" if request.closed_at is None else f"closed {request.closed_at:%Y-%m-%d}"
    return f"{request.id}  {request.kind.value:<12} {state:<9} {date}  {who}"


def _me() -> str:
    """Who is at the terminal: for the history."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise OperatorError("--received must look like 2026-03-02.") from None


_VERBS = {"list": _list, "add": _add, "step": _step, "show": _show, "export": _export, "correct": _correct}
