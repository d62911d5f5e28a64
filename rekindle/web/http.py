"""What is a request, what is an answer, outside Django? The two shapes that the bare handlers speak.

A handler is a plain function `Request -> Answer`. Both servers' entrances (`rekindle.wsgi`, `rekindle.rsgi`) build the
request and send the answer, so that a handler never knows under which of them it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import parse_qsl

import msgspec
from django.conf import settings

from rekindle.lib.client_address import TrustedProxies


@dataclass(slots=True, kw_only=True)
class Request:
    """``path`` is decoded, ``query`` is not. ``header(name)`` gives "" for an absent one. ``read(limit)`` gives the
    body, or None when it is longer than ``limit`` bytes; nothing beyond the limit is kept in memory."""

    method: str
    path: str
    query: str = ""
    remote: str = ""
    header: Callable[[str], str] = lambda _name: ""
    read: Callable[[int], bytes | None] = lambda _limit: b""

    def query_values(self) -> dict[str, str]:
        """The first 20 parameters of the query; the last of equal names."""
        try:
            return dict(parse_qsl(self.query, keep_blank_values=True, max_num_fields=20))
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` come on top of Content-Type; Content-Length is set by whoever sends it. ``lines`` are all of them
    ready to be sent, for an answer that is given again and again."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)


Handler = Callable[[Request], Answer]

NO_STORE = {"Cache-Control": "no-store"}
#: Any shop's pages may talk to these addresses; no cookie and no secret is involved. Their scripts may read when to
#: come again, which browsers hide otherwise.
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}

REASONS = {
    200: "OK",
    204: "No Content",
    207: "Multi-Status",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def json_answer(status: int, value: object, **headers: str) -> Answer:
    """JSON; header names are given with underscores: ``Retry_After="5"``."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, msgspec.json.encode(value), "application/json", named)


def not_allowed(*methods: str) -> Answer:
    return Answer(405, b"Method not allowed\n", headers={"Allow": ", ".join(methods), **NO_STORE})


def html_text(text: str) -> str:
    """Text that is safe between tags and inside quoted attributes."""
    return escape(text, quote=True)


def all_headers(answer: Answer) -> list[tuple[str, str]]:
    """The headers to send, in lower case, with those that every answer of ours has."""
    if answer.lines:
        return list(answer.lines)
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        ("x-content-type-options", "nosniff"),
    ]
    headers += [(name.lower(), value) for name, value in answer.headers.items()]
    return headers


def remote_of(peer: str, header: Callable[[str], str]) -> str:
    """The address a request came from: the peer's, or what our own proxies say in X-Forwarded-For."""
    proxies: TrustedProxies = settings.TRUSTED_PROXIES
    return proxies.client_of(peer, header("x-forwarded-for")) if proxies else peer
