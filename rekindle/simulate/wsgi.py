"""How does a page of the simulation read a request and write an answer? The little of HTTP that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

StartResponse = Callable[..., Any]
Environ = dict[str, Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

MAX_BODY = 64 * 1024


class RefusedError(Exception):
    """The request cannot be answered; carries the status to say so."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    cookies: dict[str, str]
    content_type: str
    body: bytes
    base: str
    origin: str | None
    remote: str = ""
    agent: str = ""

    def form(self) -> dict[str, str]:
        try:
            fields = parse_qs(self.body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
        except (UnicodeDecodeError, ValueError):
            raise RefusedError(400, "the form cannot be read") from None
        return {name: values[-1].strip() for name, values in fields.items()}

    def json(self) -> object:
        if self.content_type != "application/json":
            raise RefusedError(415, "send application/json")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise RefusedError(400, "this is not JSON") from None


@dataclass(slots=True)
class Response:
    body: bytes
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: list[tuple[str, str]] = field(default_factory=list)
    #: Called after the visit was released and before the answer goes out: for work that may take a while.
    before_answer: Callable[[], None] | None = None

    def send(self, start: StartResponse, *, extra: Iterable[tuple[str, str]] = ()) -> list[bytes]:
        headers = [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        start(f"{self.status} {HTTPStatus(self.status).phrase}", [*headers, *self.headers, *extra])
        return [self.body]


def redirect(path: str) -> Response:
    return Response(b"", 303, headers=[("Location", path)])


def read_request(environ: Environ) -> Request:
    """Raises RefusedError for a body that is too large or has no readable length."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise RefusedError(400, "the length of the body is not a number") from None
    if length < 0 or length > MAX_BODY:
        raise RefusedError(413, "the body is too large")
    cookies: dict[str, str] = {}
    try:
        cookies = {name: morsel.value for name, morsel in SimpleCookie(environ.get("HTTP_COOKIE", "")).items()}
    except CookieError:
        cookies = {}
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO") or "/",
        query={name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()},
        cookies=cookies,
        content_type=(environ.get("CONTENT_TYPE") or "").split(";")[0].strip().lower(),
        body=environ["wsgi.input"].read(length) if length else b"",
        base=f"{environ.get('wsgi.url_scheme', 'http')}://{host}",
        origin=environ.get("HTTP_ORIGIN"),
        remote=environ.get("REMOTE_ADDR", ""),
        agent=environ.get("HTTP_USER_AGENT", ""),
    )
