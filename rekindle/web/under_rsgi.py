"""How does granian's event loop reach us? Events are awaited on it; all else runs as plain functions in threads.

Thousands of requests may wait here for the commit they share, where a blocking server would need a thread for each
(measured: 40 against 100 microseconds of CPU per event). Django stays what it is, a WSGI application, called in a
thread with a request built for it; its own ASGI side costs five times more.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

from rekindle.web.http import Answer, Handler, Request, all_headers, remote_of
from rekindle.web.ingest.answers import refused
from rekindle.web.ingest.app import Intake
from rekindle.web.under_wsgi import Environ, WSGIApplication, answer_safely

MAX_UPLOAD = 64 * 1024 * 1024  #: bytes of a body for Django; kept on disk beyond the first megabyte
_IN_MEMORY = 1024 * 1024

log = logging.getLogger(__name__)


class Scope(Protocol):
    """What granian tells of a request (RSGI 1.6); ``path`` is decoded already."""

    proto: str
    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    headers: Any


class Transport(Protocol):
    async def send_bytes(self, data: bytes) -> None: ...


class HTTPProtocol(Protocol):
    """Granian's side of the conversation."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None: ...
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...
    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Transport: ...


class Entrance:
    """The RSGI application: events to the intake, bare handlers and Django into threads."""

    def __init__(
        self,
        *,
        intake: Callable[[], Intake],
        takes_events: Callable[[str], bool],
        awaited: Callable[[Request], Awaitable[Answer] | None],
        handler_for: Callable[[str], Handler | None],
        body_limit: Callable[[str], int],
        rest: WSGIApplication,
        threads: int,
    ) -> None:
        self._intake = intake
        self._takes_events = takes_events
        self._awaited = awaited
        self._handler_for = handler_for
        self._body_limit = body_limit
        self._rest = rest
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        if scope.proto != "http":
            return
        path = scope.path
        if self._takes_events(path):
            try:
                answer = await self._intake().accept_async(_request(scope), lambda limit: _read(scope, protocol, limit))
            except Exception:
                log.exception("events_failed")
                answer = refused(500, "something went wrong on our side; send the same events again")
            _send(scope, protocol, answer)
            return
        handler = self._handler_for(path)
        if handler is None:
            await self._call_wsgi(scope, protocol)
            return
        bodiless = _request(scope)
        answering = self._awaited(bodiless)
        if answering is not None:
            _send(scope, protocol, await answering)
            return
        body = await _read(scope, protocol, self._body_limit(path))
        request = _request(scope, read=lambda limit: body if body is None or len(body) <= limit else None)
        loop = asyncio.get_running_loop()
        _send(scope, protocol, await loop.run_in_executor(self._threads, answer_safely, handler, request))

    async def _call_wsgi(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Django in a thread: small answers in one piece, long ones as they are made."""
        loop = asyncio.get_running_loop()
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            size = 0
            async for chunk in protocol:
                size += len(chunk)
                if size > MAX_UPLOAD:
                    protocol.response_bytes(413, [("content-type", "text/plain")], b"The body is too large.\n")
                    return
                body.write(chunk)
            body.seek(0)
            call = _Call(self._rest, environ_of(scope, body, size))
            try:
                first = await loop.run_in_executor(self._threads, call.start)
            except Exception:
                log.exception("request_failed", extra={"facts": {"method": scope.method}})
                protocol.response_bytes(500, [("content-type", "text/plain")], b"Something went wrong on our side.\n")
                return
            try:
                if call.is_whole:
                    _send_bytes(scope, protocol, call.status, call.headers, first)
                    return
                transport = protocol.response_stream(call.status, call.headers)
                while first:
                    await transport.send_bytes(first)
                    first = await loop.run_in_executor(self._threads, call.more)
            finally:
                await loop.run_in_executor(self._threads, call.close)


class _Call:
    """One call of a WSGI application; `start`, `more` and `close` run in a thread."""

    def __init__(self, application: WSGIApplication, environ: Environ) -> None:
        self._application = application
        self._environ = environ
        self._body: Iterable[bytes] = ()
        self.status = 500
        self.headers: list[tuple[str, str]] = []
        self.is_whole = True

    def start(self) -> bytes:
        """Run it; the whole body when it is a finished one, else its first part."""
        self._body = self._application(self._environ, self._start_response)
        if isinstance(self._body, list | tuple) or not getattr(self._body, "streaming", False):
            return b"".join(self._body)
        self.is_whole = False
        self._parts = iter(self._body)
        return self.more()

    def more(self) -> bytes:
        """The next part that is not empty, or b"" at the end."""
        return next((part for part in self._parts if part), b"")

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status = int(status.partition(" ")[0])
        self.headers = [(name.lower(), value) for name, value in headers]


def environ_of(scope: Scope, body: IO[bytes], size: int) -> Environ:
    """The request as WSGI (PEP 3333) wants it."""
    host, _, port = scope.server.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_NAME": host or "127.0.0.1",
        "SERVER_PORT": port or "80",
        "REMOTE_ADDR": _host_of(scope.client),
        "CONTENT_LENGTH": str(size),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        if "_" in name or key in ("CONTENT_LENGTH", "PROXY"):  # a header with an underscore could pose as another
            continue
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ


def _request(scope: Scope, read: Callable[[int], bytes | None] = lambda _limit: b"") -> Request:
    told = scope.headers.get

    def header(name: str) -> str:
        if name == "x-forwarded-for":  # some proxies add a line of their own below the caller's
            return ",".join(scope.headers.get_all(name))
        return told(name) or ""

    return Request(
        method=scope.method,
        path=scope.path,
        query=scope.query_string,
        remote=remote_of(_host_of(scope.client), header),
        header=header,
        read=read,
    )


async def _read(scope: Scope, protocol: HTTPProtocol, limit: int) -> bytes | None:
    """The body, or None as soon as it is longer than the limit."""
    told = scope.headers.get("content-length") or ""
    if told.isdigit() and int(told[:12]) <= limit and not scope.headers.get("transfer-encoding"):
        return await protocol()  # the server reads no more than what was told
    found = io.BytesIO()
    async for chunk in protocol:
        if found.tell() + len(chunk) > limit:
            return None
        found.write(chunk)
    return found.getvalue()


def _send(scope: Scope, protocol: HTTPProtocol, answer: Answer) -> None:
    _send_bytes(scope, protocol, answer.status, all_headers(answer), answer.body)


def _send_bytes(scope: Scope, protocol: HTTPProtocol, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    if body and scope.method != "HEAD":
        protocol.response_bytes(status, headers, body)
    else:
        protocol.response_empty(status, headers)


def _host_of(client: str) -> str:
    return client.rpartition(":")[0].strip("[]")
