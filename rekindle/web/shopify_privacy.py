"""`POST /hooks/shopify-privacy`: Shopify's mandatory topics about personal data. The 200 comes after the commit."""

from __future__ import annotations

import logging
from functools import cache
from typing import Final

import psycopg

from rekindle.engine.privacy.record import RequestError
from rekindle.engine.privacy.shopify import NotShopifyError, Told, hear
from rekindle.web import metrics, runtime
from rekindle.web.http import NO_STORE, Answer, Request, not_allowed
from rekindle.web.rate import RateLimit

PATH: Final = "/hooks/shopify-privacy"
MAX_BODY: Final = 65_536
#: Calls a second from one sender that nothing proved, before it has to wait.
WRONG_PER_S: Final = 20

log = logging.getLogger(__name__)


def receive(request: Request) -> Answer:
    """Answer one call: 401 for whatever is not proven, as Shopify asks, and the same for an unknown shop."""
    if request.method != "POST":
        return not_allowed("POST")
    if _wrong().is_empty("shopify", request.remote):
        return _answer(429, "wait", "braked")
    body = request.read(MAX_BODY)
    if body is None:
        return _answer(413, f"at most {MAX_BODY} bytes", "too_large")
    told = Told(
        topic=_header(request, "topic"),
        domain=_header(request, "shop-domain"),
        signature=_header(request, "hmac-sha256"),
        delivery=_header(request, "webhook-id"),
        body=body,
    )
    try:
        with runtime.database().control() as connection:
            hear(connection, runtime.context(), told)
    except NotShopifyError:
        _wrong().wait_s("shopify", request.remote)
        return _answer(401, "not accepted", "forged")
    except RequestError as mistake:
        log.warning("shopify_privacy_unreadable", extra={"facts": {"why": str(mistake)}})
        return _answer(400, str(mistake), "unreadable")
    except psycopg.OperationalError as error:
        log.warning("hook_database_away", extra={"facts": {"error": type(error).__name__}})
        return _answer(503, "not now; say the same again", "away")
    return _answer(200, "ok", "accepted")


def _header(request: Request, name: str) -> str:
    """By its new name, else by the one it had before."""
    return request.header(f"shopify-{name}") or request.header(f"x-shopify-{name}")


@cache
def _wrong() -> RateLimit:
    return RateLimit(WRONG_PER_S)


def _answer(status: int, text: str, outcome: str) -> Answer:
    metrics.HOOKS.labels("shopify", outcome).inc()
    return Answer(status, f"{text}\n".encode(), headers=NO_STORE)
