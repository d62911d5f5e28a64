"""How is the token in a link's address checked, the same way for every link? One uniform no, a brake on guessing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, lru_cache

import psycopg

from rekindle.store.database import Connection
from rekindle.store.shops import load_shop
from rekindle.terms.shop import ShopSettings
from rekindle.web import metrics
from rekindle.web.http import Answer, Request
from rekindle.web.public import page
from rekindle.web.public.words import Words, words_for
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

#: Wrong tokens a second from one address before it has to wait; 2**128 tokens are not guessed at this rate.
WRONG_PER_S = 50
#: What fetches links without a person: previews, scanners, crawlers. Their visits count as nobody's.
_MACHINES = (
    "bot", "crawl", "spider", "preview", "scan", "curl", "wget", "python", "java/", "okhttp", "headless", "proofpoint",
    "barracuda", "mimecast", "safelinks", "facebookexternalhit", "slurp", "monitor",
)  # fmt: skip

_AHEAD = ("prefetch", "prerender", "preview")  # what a browser fetches in case somebody might want it
_LONGEST_AGENT = 1_000

log = logging.getLogger(__name__)


@cache
def _wrong() -> RateLimit:
    return RateLimit(WRONG_PER_S)


def _never(_shop_id: int) -> ShopSettings | None:
    return None


_shops: Remembered[int, ShopSettings | None] = Remembered(_never)


def shop_of(connection: Connection, shop_id: int) -> ShopSettings | None:
    """A shop's settings, as they were within the last seconds."""
    kept = _shops.fresh(shop_id)
    return kept[0] if kept else _shops.keep(shop_id, load_shop(connection, shop_id))


def language_of(request: Request, *wishes: str) -> Words:
    """The words of the send's or shop's locale, else of the browser."""
    return words_for(*wishes, request.header("accept-language"))


def guarded(link: str, request: Request, answer: Callable[[], Answer | None], no: Callable[[], Answer]) -> Answer:
    """Run ``answer``; None from it is a wrong token and becomes ``no``. Counts, and brakes guessing."""
    if _wrong().is_empty(link, request.remote):
        metrics.LINKS.labels(link, "braked").inc()
        return page.too_many(language_of(request))
    try:
        found = answer()
    except psycopg.OperationalError as error:
        log.warning("link_database_away", extra={"facts": {"link": link, "error": type(error).__name__}})
        metrics.LINKS.labels(link, "away").inc()
        return page.away(language_of(request))
    if found is None:
        note_wrong(link, request.remote)
        metrics.LINKS.labels(link, "unknown").inc()
        return no()
    metrics.LINKS.labels(link, "good" if found.status < 400 else "refused").inc()
    return found


def is_braked(link: str, request: Request) -> bool:
    """Has this address shown too many wrong tokens just now?"""
    return _wrong().is_empty(link, request.remote)


def note_wrong(link: str, remote: str) -> None:
    """Somebody showed a wrong token: it takes from their brake."""
    _wrong().wait_s(link, remote)


def is_person(request: Request) -> bool:
    """Did somebody follow the link, as far as it can be told? Not a HEAD, not a prefetch, not a known machine."""
    header = request.header
    if request.method != "GET" or _is_machine(header("user-agent")[:_LONGEST_AGENT]):
        return False
    purpose = header("sec-purpose") + header("purpose") + header("x-moz")
    return not purpose or not any(word in purpose.lower() for word in _AHEAD)


@lru_cache(maxsize=2_048)
def _is_machine(agent: str) -> bool:
    """Remembered: the same few browsers come again and again."""
    lowered = agent.lower()
    return not lowered or any(word in lowered for word in _MACHINES)
