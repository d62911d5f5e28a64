"""`POST /hooks/<provider>/<token>`: where providers report. Cheap when the address or the signature is not good.

A made-up address costs one hash; a known one with a wrong signature no transaction. The answer is 2xx only after the
commit, 401 for everything that is not believed, whatever the reason, and never 5xx for what is merely unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import psycopg

from rekindle.engine.hooks import Hook, account_of_token, load_hook
from rekindle.engine.receive import Ear, NotFetchedError, apply_received
from rekindle.providers.feedback import ForgedError, Post, UnreadableError
from rekindle.store.buckets import base_bucket
from rekindle.web import metrics, runtime
from rekindle.web.http import NO_STORE, Answer, Request, not_allowed
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

PREFIX: Final = "/hooks/"
#: Mandrill's thousand events in one form are the largest that is sent.
MAX_BODY: Final = 4 * 1024 * 1024
#: Wrong addresses a second from one sender before it has to wait.
WRONG_PER_S: Final = 20

log = logging.getLogger(__name__)


def receive(request: Request) -> Answer:
    """Answer one request of a provider."""
    provider, _, token = request.path.removeprefix(PREFIX).partition("/")
    if _wrong().is_empty("hook", request.remote):
        return _answer(429, "wait", "braked", "unknown")
    try:
        hook = _hook(provider, token)
        if hook is None:
            _wrong().wait_s("hook", request.remote)
            return _answer(404, "there is no such hook", "no_hook", "unknown")
        if request.method in ("GET", "HEAD"):
            return _answer(200, "reports are sent with POST", "looked", hook.kind)
        if request.method != "POST":
            return not_allowed("POST", "GET", "HEAD")
        body = request.read(MAX_BODY)
        if body is None:
            return _answer(413, f"at most {MAX_BODY} bytes", "too_large", hook.kind)
        return _heard(request, hook, body)
    except psycopg.OperationalError as error:
        log.warning("hook_database_away", extra={"facts": {"error": type(error).__name__}})
        return _later("unknown")


def _heard(request: Request, hook: Hook, body: bytes) -> Answer:
    context = runtime.context()
    query = f"?{request.query}" if request.query else ""
    post = Post(
        url=f"{context.public_url}{request.path}{query}",
        headers=_Headers(request),
        body=body,
        received_at=context.clock.now(),
    )
    try:
        received = _ear().listen(hook, post)
        with runtime.database().data(base_bucket(hook.shop)) as connection:
            heard = apply_received(connection, context, hook, received, body)
    except ForgedError:
        return _answer(401, "not accepted", "forged", hook.kind)
    except UnreadableError as mistake:
        log.warning("hook_unreadable", extra={"facts": {"account": hook.account_id, "why": str(mistake)}})
        return _answer(400, str(mistake), "unreadable", hook.kind)
    except NotFetchedError:
        log.warning("hook_needs_fetch", extra={"facts": {"account": hook.account_id}})
        return _later(hook.kind)
    for kind in heard.kinds:
        metrics.REPORTS.labels(hook.kind, kind.value).inc()
    metrics.REPORTS_UNMATCHED.labels(hook.kind).inc(heard.applied.unmatched)
    metrics.HOOKS.labels(hook.kind, "accepted").inc()
    return Answer(200, heard.answer or b"ok\n", heard.answer_type, NO_STORE)


def _hook(provider: str, token: str) -> Hook | None:
    """The hook behind an address; None for every other one. An address that was replaced a moment ago is looked up."""
    named = account_of_token(runtime.context(), token)
    if named is None:
        return None
    account_id, serial = named
    kept = _hooks().fresh(account_id)
    hook = kept[0] if kept else None
    if hook is None or serial not in hook.serials:
        hook = _hooks().keep(account_id, _load(account_id))
    return hook if hook is not None and hook.kind == provider and serial in hook.serials else None


def _load(account_id: int) -> Hook | None:
    with runtime.database().control() as connection:
        return load_hook(connection, runtime.context(), account_id, _ear().certificates)


@cache
def _hooks() -> Remembered[int, Hook | None]:
    return Remembered(_load)


@cache
def _ear() -> Ear:
    return Ear()


@cache
def _wrong() -> RateLimit:
    return RateLimit(WRONG_PER_S)


class _Headers(Mapping[str, str]):
    """A request's headers, looked up one by one."""

    def __init__(self, request: Request) -> None:
        self._header = request.header

    def __getitem__(self, name: str) -> str:
        value = self._header(name)
        if not value:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _later(provider: str) -> Answer:
    metrics.HOOKS.labels(provider, "away").inc()
    return Answer(503, b"not now; report the same again\n", headers={**NO_STORE, "Retry-After": "10"})


def _answer(status: int, text: str, outcome: str, provider: str) -> Answer:
    metrics.HOOKS.labels(provider, outcome).inc()
    return Answer(status, f"{text}\n".encode(), headers=NO_STORE)
