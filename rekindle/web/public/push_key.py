"""With which key does a shop's page subscribe to messages? Asked by the storefront script after the shopper's yes."""

from __future__ import annotations

from functools import cache

from rekindle.engine.push_key import push_key as key_of
from rekindle.store.shops import shop_by_write_key
from rekindle.web import runtime
from rekindle.web.http import ANY_ORIGIN, NO_STORE, Answer, Request, json_answer
from rekindle.web.ingest.answers import preflight
from rekindle.web.remember import Remembered

PATH = "/s/push/"
_LONGEST = 200


def push_key(request: Request) -> Answer:
    """`/s/push/<write key>`: ``{"public_key"}``, or 404 for a key that no shop has and for a shop without web push."""
    if request.method == "OPTIONS":
        return preflight()
    if request.method not in ("GET", "HEAD"):
        return _json(405, {"message": "the key is read with GET"})
    write_key = request.path.removeprefix(PATH)
    found = _known().find(write_key) if 0 < len(write_key) <= _LONGEST and write_key.isprintable() else None
    if found is None:
        return _json(404, {"message": "no shop with this write key has set up web push"})
    return _json(200, {"public_key": found})


@cache
def _known() -> Remembered[str, str | None]:
    return Remembered(_look_up)


def _look_up(write_key: str) -> str | None:
    with runtime.database().control() as connection:
        shop = shop_by_write_key(connection, write_key)
        return key_of(connection, runtime.context(), shop) if shop is not None else None


def _json(status: int, body: object) -> Answer:
    answer = json_answer(status, body)
    return Answer(status, answer.body, answer.content_type, {**ANY_ORIGIN, **NO_STORE})
