"""Show the whole product on this machine: dashboard, a demo shop, and an inbox that receives over real SMTP.

Everything runs on loopback and keeps its data under REKINDLE_HOME (.rekindle). Ctrl-C stops all of it; a second start
takes seconds. With --once a scripted shopper leaves a cart and comes back, every step is checked, and the command ends
with 0 only if the whole story happened.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rekindle.commands.children import Children, StopRequest, complaints, tail
from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.simulate.inbox.inbox import Inbox
    from rekindle.simulate.storefront.serve import RunningShop
    from rekindle.terms.shop import ShopSettings

HELP = "run the demo: dashboard, shop and inbox (--once: prove the main job and leave)"
NEEDS_DATABASE = False  # the demo makes its own secrets first
ACCOUNT = "demo@fernweh.example"
READY_S = 60.0
NAME = "Fernweh Outfitters"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--once", action="store_true", help="tell the story with a scripted shopper, check it, and leave"
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="the dashboard's port; shop and inbox take the next (%(default)s)"
    )
    parser.add_argument(
        "--listen-after-order", type=float, default=25.0, metavar="S",
        help="with --once: how long to wait for a message that must not come (%(default)s s)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    began = time.monotonic()
    home = Path(os.environ.get("REKINDLE_HOME") or ".rekindle").expanduser().resolve()
    ports = _ports(0 if args.once else args.port)
    keys = _keys(home)
    os.environ.update(_environment(keys, ports.web, home))
    stop = StopRequest().listen()
    _say(began, "the database: finding or starting it")
    from rekindle.commands.prepare import prepare

    prepare(os.environ)
    with ExitStack() as parts:
        place = _open(parts, args, ports, keys, began)
        return _tell_once(place, args) if args.once else _stay(place, stop, began)


@dataclass(frozen=True, slots=True)
class Ports:
    web: int
    shop: int
    inbox: int
    smtp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Everything that runs."""

    url: str
    shop: ShopSettings
    write_key: str
    storefront: RunningShop
    inbox: Inbox
    children: Children
    password: str


def _open(parts: ExitStack, args: argparse.Namespace, ports: Ports, keys: Mapping[str, str], began: float) -> Place:
    from django.conf import settings

    from rekindle.commands import setup_db
    from rekindle.engine.configure import renew_secret_key
    from rekindle.engine.context import Context
    from rekindle.simulate.demo_shop import put_demo_shop
    from rekindle.simulate.inbox.inbox import Inbox
    from rekindle.simulate.storefront.serve import start_shop
    from rekindle.store.database import connect

    _say(began, "the tables: creating or updating them")
    setup_db.run(argparse.Namespace(quiet=True))
    url = f"http://127.0.0.1:{ports.web}"
    inbox = Inbox(smtp_port=ports.smtp, http_port=ports.inbox).start()
    parts.callback(inbox.stop)
    context = Context(hash_key=settings.HASH_KEY, vault_key=settings.VAULT_KEY, public_url=url)
    slug = f"once-{secrets.token_hex(4)}" if args.once else "fernweh"
    with connect(settings.DATABASE_URL) as connection:
        shop, write_key = put_demo_shop(
            connection,
            context,
            slug=slug,
            name=NAME,
            shop_url=f"http://127.0.0.1:{ports.shop}",
            smtp_port=inbox.smtp_port,
        )
        secret_key = renew_secret_key(connection, context, shop.id, by=0)
        _put_person(connection, context, shop, keys["password"])
    storefront = start_shop(
        rekindle_url=url,
        write_key=write_key,
        secret_key=secret_key,
        port=ports.shop,
        inbox_url=inbox.url,
        dashboard_url=f"{url}/shops/{slug}/",
    )
    parts.callback(storefront.stop)
    _say(began, "the web side and the worker: starting them")
    children = parts.enter_context(Children(logs=settings.HOME / "demo" / "logs"))
    children.start("web", ["serve", "--port", str(ports.web), "--workers", "1"], os.environ)
    children.start("worker", ["worker"], os.environ)
    _wait_until_ready(url, children)
    return Place(
        url=url,
        shop=shop,
        write_key=write_key,
        storefront=storefront,
        inbox=inbox,
        children=children,
        password=keys["password"],
    )


def _put_person(connection: object, context: object, shop: ShopSettings, password: str) -> None:
    from rekindle.engine.memberships import add_to_shop, set_password
    from rekindle.terms.role import Role

    add_to_shop(connection, context, shop_id=shop.id, account=ACCOUNT, role=Role.OWNER, by=None, password=password)  # type: ignore[arg-type]
    set_password(connection, account=ACCOUNT, password=password)  # type: ignore[arg-type]


def _tell_once(place: Place, args: argparse.Namespace) -> int:
    from rekindle.simulate.scripted_shopper import StoryError
    from rekindle.simulate.story import Story

    story = Story(
        shop=place.shop,
        write_key=place.write_key,
        rekindle_url=place.url,
        storefront=place.storefront,
        inbox=place.inbox,
        account=ACCOUNT,
        password=place.password,
        say=lambda seconds, sentence: print(f"  {seconds:6.1f} s  {sentence}", flush=True),
    )
    began = time.monotonic()
    print("The story of one cart:", flush=True)
    try:
        story.tell(wait_after_order_s=args.listen_after_order)
    except StoryError as broken:
        print(f"\nThe story broke after {time.monotonic() - began:.1f} s: {broken}", file=sys.stderr)
        ended = place.children.ended()
        if ended is not None:
            print(
                f"The {ended.name} process had ended ({ended.process.returncode}):\n{tail(ended.log)}", file=sys.stderr
            )
        for child in place.children.running:
            print("\n".join([f"What {child.name} said is in {child.log}", *complaints(child)]), file=sys.stderr)
        return 1
    print(f"Told in {time.monotonic() - began:.1f} s: one cart left behind, one cart back.")
    return 0


def _stay(place: Place, stop: StopRequest, began: float) -> int:
    from rekindle.simulate.demo_shop import IDLE_S, WAITS_S

    print(
        f"""
Ready after {time.monotonic() - began:.1f} s.

  Shop       {place.storefront.url}
  Inbox      {place.inbox.url}
  Dashboard  {place.url}
             sign in as {ACCOUNT} with {place.password}

Put something into the shop's cart, begin the checkout with any address (tick the box), and walk away: the first mail
arrives after about {IDLE_S + WAITS_S[0]} seconds. Follow its link, buy, and look at the dashboard.

Ctrl-C stops everything.""",
        flush=True,
    )
    while not stop.event.wait(1.0):
        ended = place.children.ended()
        if ended is not None:
            raise OperatorError(f"the {ended.name} process ended ({ended.process.returncode}).", tail(ended.log))
    print("\nStopping.", flush=True)
    return 0


def _wait_until_ready(url: str, children: Children) -> None:
    import http.client
    from urllib.parse import urlsplit

    port, give_up_at, pause = urlsplit(url).port, time.monotonic() + READY_S, threading.Event()
    seen = "no answer"
    while time.monotonic() < give_up_at:
        ended = children.ended()
        if ended is not None:
            raise OperatorError(f"the {ended.name} process ended ({ended.process.returncode}).", tail(ended.log))
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            seen = answer.read().decode("utf-8", "replace")[:300]
            if answer.status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        pause.wait(0.1)
    raise OperatorError(f"the web side is not ready after {READY_S:.0f} s: {seen}", f"Its logs are in {children.logs}.")


def _ports(first: int) -> Ports:
    """Four free ports: from ``first`` on, or any when it is 0."""
    found: list[int] = []
    candidate = first
    while len(found) < 4:
        port = _free(candidate if first else 0)
        if port and port not in found:
            found.append(port)
        candidate += 1
        if first and candidate > first + 200:
            raise OperatorError(f"no free ports from {first} on.", "Choose another with --port.")
    return Ports(*found)


def _free(port: int) -> int:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(trial.getsockname()[1])


def _keys(home: Path) -> dict[str, str]:
    """The demo's own secrets and password, made once and kept readable for their owner only."""
    path = home / "demo" / "keys.json"
    if path.exists():
        stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("SECRET_KEY", "HASH_KEY", "VAULT_KEY")
    keys = {name: secrets.token_urlsafe(48) for name in names} | {"password": secrets.token_urlsafe(12)}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(keys, out)
    return keys


def _environment(keys: Mapping[str, str], port: int, home: Path) -> dict[str, str]:
    own = {f"REKINDLE_{name}": keys[name] for name in ("SECRET_KEY", "HASH_KEY", "VAULT_KEY")}
    return own | {
        "REKINDLE_HOME": str(home),
        "REKINDLE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "REKINDLE_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "REKINDLE_LOG_LEVEL": os.environ.get("REKINDLE_LOG_LEVEL", "WARNING"),
        "REKINDLE_DEBUG": "0",
    }


def _say(began: float, what: str) -> None:
    print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)
