"""Which address is answered by whom? A few prefixes by bare handlers, everything else by Django.

The bare ones are called by shops, browsers of shoppers and machines, far more often than the dashboard; Django's view
stack would cost ten times the work itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import cache

from django.conf import settings

from rekindle.engine.ingest import ingest
from rekindle.store.database import Connection
from rekindle.store.shops import owner_of_key
from rekindle.terms.event import ShopEvent
from rekindle.terms.shop import KeyOwner, ShopSettings
from rekindle.web import health, hooks, runtime, shopify_privacy
from rekindle.web.http import Answer, Handler, Request
from rekindle.web.ingest.app import Intake
from rekindle.web.ingest.store import EventStore
from rekindle.web.ingest.writer import Writer
from rekindle.web.public import confirm, follow, preferences, push_key, restore, script, unsubscribe
from rekindle.web.public.click_desk import ClickDesk
from rekindle.web.public.door import is_braked
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

_EXACT: dict[str, Handler] = {
    "/healthz": health.alive,
    "/readyz": health.ready,
    "/metrics": health.metrics,
    shopify_privacy.PATH: shopify_privacy.receive,
    "/s/rekindle.js": script.storefront,
    "/s/push-worker.js": script.push_worker,
}
_PREFIXES: tuple[tuple[str, Handler], ...] = (
    ("/r/", follow.recover),
    ("/c/", follow.product),
    ("/v1/carts/", restore.restore),
    (push_key.PATH, push_key.push_key),
    ("/u/", unsubscribe.unsubscribe),
    ("/k/", confirm.confirm_consent),
    ("/p/", preferences.preferences),
    (hooks.PREFIX, hooks.receive),
)
_SMALL = 65_536  #: bytes of a body that a bare handler may want


def body_limit(path: str) -> int:
    """How much of a body is read for the bare handler of a path."""
    return hooks.MAX_BODY if path.startswith(hooks.PREFIX) else _SMALL


def handler_for(path: str) -> Handler | None:
    """The bare handler of a path; None for Django's. Never raises."""
    exact = _EXACT.get(path)
    if exact is not None:
        return exact
    for prefix, handler in _PREFIXES:
        if path.startswith(prefix):
            return handler
    return intake().accept if takes_events(path) else None


def takes_events(path: str) -> bool:
    """Is this one of the ingest endpoints, or an address beside them?"""
    return path.startswith("/v1/") and not path.startswith("/v1/carts/")


@cache
def click_desk() -> ClickDesk:
    """Where links wait for each other under the event loop."""
    return ClickDesk(lambda bucket: runtime.database().kept(bucket), runtime.context().clock)


def awaited(request: Request) -> Awaitable[Answer] | None:
    """The answer to come to what is answered on the event loop itself; None for everything that takes a thread."""
    path = request.path
    if not path.startswith(("/r/", "/c/")):
        return None
    link = "recover" if path.startswith("/r/") else "product"
    return None if is_braked(link, request) else click_desk().take(request)


@cache
def intake() -> Intake:
    """The process's one intake: its writer groups what arrives at the same time."""
    context = runtime.context()

    def put(connection: Connection, shop: ShopSettings, events: Sequence[ShopEvent]) -> None:
        ingest(connection, context, shop, events)

    def owner_of(key: str) -> KeyOwner | None:
        with runtime.database().control() as connection:
            return owner_of_key(connection, key)

    return Intake(
        writer=Writer(EventStore(lambda bucket: runtime.database().kept(bucket), put)),
        shops=Remembered(owner_of),
        clock=context.clock,
        rate=RateLimit(settings.INGEST_RATE),
        push_hosts=settings.PUSH_HOSTS,
    )
