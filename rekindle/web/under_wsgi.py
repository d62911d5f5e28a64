"""How does a WSGI server reach the bare handlers? One thread per request; the body is read only as far as allowed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from rekindle.web.http import NO_STORE, REASONS, Answer, Handler, Request, all_headers, remote_of

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

_CHUNK = 65_536
log = logging.getLogger(__name__)


def dispatcher(handler_for: Callable[[str], Handler | None], rest: WSGIApplication) -> WSGIApplication:
    """A WSGI application that answers a path with its bare handler, or hands the request on untouched."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", "/")).encode("latin-1", "replace").decode("utf-8", "replace")
        handler = handler_for(path)
        if handler is None:
            return rest(environ, start_response)
        answer = answer_safely(handler, request_of(environ, path))
        start_response(f"{answer.status} {REASONS.get(answer.status, 'Unknown')}", all_headers(answer))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    return application


def answer_safely(handler: Handler, request: Request) -> Answer:
    """The handler's answer; a mistake of ours is logged and answered with 500, never with its text."""
    try:
        return handler(request)
    except Exception:
        log.exception("request_failed", extra={"facts": {"method": request.method, "area": request.path[:3]}})
        return Answer(500, b"Something went wrong on our side.\n", headers=NO_STORE)


def request_of(environ: Environ, path: str) -> Request:
    """The handlers' request; headers and body are looked up only when asked for."""

    def header(name: str) -> str:
        key = name.upper().replace("-", "_")
        value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
        return str(value)

    return Request(
        method=str(environ["REQUEST_METHOD"]),
        path=path,
        query=str(environ.get("QUERY_STRING", "")),
        remote=remote_of(str(environ.get("REMOTE_ADDR", "")), header),
        header=header,
        read=lambda limit: _read(environ, limit),
    )


def _read(environ: Environ, limit: int) -> bytes | None:
    told = str(environ.get("CONTENT_LENGTH") or "")
    if told and (not told.isdigit() or int(told[:12]) > limit):
        return None
    stream = environ["wsgi.input"]
    if told:
        body: bytes = stream.read(int(told))
        return body
    if "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    found = bytearray()
    while chunk := stream.read(_CHUNK):
        found += chunk
        if len(found) > limit:
            return None
    return bytes(found)
