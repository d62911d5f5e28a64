"""The two ways in: the same answers under a WSGI server and under granian's event loop, Django behind both."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rekindle.web.http import Answer, Request, json_answer
from rekindle.web.under_rsgi import MAX_UPLOAD, Entrance
from rekindle.web.under_wsgi import Environ, StartResponse, dispatcher

from .live import KEY, Live, live, served, track

__all__ = ["live", "served"]


def echo(request: Request) -> Answer:
    body = request.read(10)
    told = {
        "method": request.method,
        "path": request.path,
        "query": request.query_values(),
        "remote": request.remote,
        "agent": request.header("user-agent"),
        "type": request.header("content-type"),
        "body": None if body is None else body.decode(),
    }
    return json_answer(200, told)


def broken(_request: Request) -> Answer:
    raise RuntimeError("a secret")


HANDLERS = {"/echo/ä": echo, "/broken": broken}


class Streaming:
    """A long answer as Django gives one."""

    streaming = True

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.parts = parts
        self.closed = False

    def __iter__(self) -> Any:
        return iter(self.parts)

    def close(self) -> None:
        self.closed = True


@dataclass
class Django:
    """Stands where Django stands, and remembers how it was called."""

    body: Any = field(default_factory=lambda: [b"django"])
    environ: Environ = field(default_factory=dict)
    upload: bytes = b""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] == "/raise":
            raise RuntimeError("a secret")
        self.environ, self.upload = environ, environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return self.body


Sent = tuple[int, list[tuple[str, str]], bytes]


class Headers:
    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def items(self) -> list[tuple[str, str]]:
        return self.pairs


class Wire:
    """Granian's side of one request."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = list(chunks)
        self.sent: Sent = (0, [], b"")

    async def __call__(self) -> bytes:
        return b"".join(self.chunks)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.sent = (status, headers, b"")

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.sent = (status, headers, body)

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Wire:
        self.sent = (status, headers, b"")
        return self

    async def send_bytes(self, data: bytes) -> None:
        self.sent = (*self.sent[:2], self.sent[2] + data)


@dataclass
class Scope:
    path: str
    method: str
    headers: Headers
    proto: str = "http"
    http_version: str = "1.1"
    server: str = "127.0.0.1:8000"
    client: str = "[2001:db8::1]:5000"
    scheme: str = "http"
    query_string: str = "a=1&b=%20"


def through_loop(django: Django, method: str, path: str, chunks: Iterable[bytes], **headers: str) -> Sent:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    wire = Wire(chunks)
    entrance = Entrance(
        intake=lambda: pytest.fail("no events here"),
        takes_events=lambda path: path.startswith("/v1/"),
        awaited=lambda request: None,
        handler_for=HANDLERS.get,
        body_limit=lambda path: 65_536,
        rest=django,
        threads=1,
    )
    asyncio.run(entrance(Scope(path, method, Headers(pairs)), wire))
    return wire.sent


def through_wsgi(django: Django, method: str, path: str, chunks: Iterable[bytes], **headers: str) -> Sent:
    body = b"".join(chunks)
    started: list[Any] = []
    environ: Environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": "a=1&b=%20",
        "REMOTE_ADDR": "2001:db8::1",
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in headers.items():
        key = name.upper()
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    sent = b"".join(dispatcher(HANDLERS.get, django)(environ, lambda *told: started.append(told)))
    return int(started[0][0].split()[0]), started[0][1], sent


Through = Callable[..., Sent]
BOTH = pytest.mark.parametrize("through", [through_loop, through_wsgi])


@BOTH
@pytest.mark.parametrize("length", [{"content_length": "3"}, {"transfer_encoding": "chunked"}])
def test_a_bare_handler_sees_the_same_request(through: Through, length: dict[str, str]) -> None:
    status, headers, body = through(
        Django(), "POST", "/echo/ä", [b"a", b"bc"], user_agent="me", content_type="text/plain", **length
    )
    assert status == 200
    assert ("content-type", "application/json") in headers
    assert ("content-length", str(len(body))) in headers
    assert body.decode() == (
        '{"method":"POST","path":"/echo/ä","query":{"a":"1","b":" "},"remote":"2001:db8::1","agent":"me",'
        '"type":"text/plain","body":"abc"}'
    )


@BOTH
def test_a_body_beyond_the_limit_is_not_handed_over(through: Through) -> None:
    assert b'"body":null' in through(Django(), "POST", "/echo/ä", [b"x" * 6, b"y" * 6], content_length="12")[2]
    assert b'"body":null' in through(Django(), "POST", "/echo/ä", [b"x" * 6, b"y" * 6], transfer_encoding="chunked")[2]


@BOTH
def test_a_head_request_gets_no_body(through: Through) -> None:
    status, headers, body = through(Django(), "HEAD", "/echo/ä", [])
    assert (status, body) == (200, b"")
    assert int(dict(headers)["content-length"]) > 0


@BOTH
def test_a_mistake_of_ours_is_500_without_its_words(through: Through) -> None:
    status, _, body = through(Django(), "GET", "/broken", [])
    assert status == 500
    assert b"secret" not in body


@BOTH
def test_everything_else_is_django_s(through: Through) -> None:
    django = Django()
    status, headers, body = through(django, "POST", "/login", [b"user=", b"ada"], content_length="8", cookie="c=1")
    assert (status, body) == (200, b"django")
    assert [value for name, value in headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]
    assert (django.upload, django.environ["HTTP_COOKIE"]) == (b"user=ada", "c=1")


def test_django_gets_its_request_as_wsgi_wants_it() -> None:
    django = Django()
    through_loop(
        django,
        "PUT",
        "/ä b",
        [b"x"],
        host="shop.example",
        cookie="a=1",
        proxy="evil",
        content_type="text/x",
        content_length="9",
    )
    told = {name: django.environ.get(name) for name in ("REQUEST_METHOD", "QUERY_STRING", "HTTP_HOST", "CONTENT_TYPE")}
    assert told == {
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "a=1&b=%20",
        "HTTP_HOST": "shop.example",
        "CONTENT_TYPE": "text/x",
    }
    assert django.environ["PATH_INFO"].encode("latin-1").decode() == "/ä b"
    assert (django.environ["CONTENT_LENGTH"], django.environ["REMOTE_ADDR"]) == ("1", "2001:db8::1")
    assert "HTTP_PROXY" not in django.environ


def test_a_long_answer_is_sent_as_it_is_made_and_closed() -> None:
    answer = Streaming([b"one,", b"", b"two"])
    assert through_loop(Django(answer), "GET", "/export", [])[2] == b"one,two"
    assert answer.closed


def test_a_failing_django_is_500() -> None:
    status, _, body = through_loop(Django(), "GET", "/raise", [])
    assert status == 500
    assert b"secret" not in body


def test_an_upload_without_end_is_cut_off() -> None:
    django = Django()
    chunk = b"x" * (1024 * 1024)
    assert through_loop(django, "POST", "/import", [chunk] * (MAX_UPLOAD // len(chunk) + 1))[0] == 413
    assert django.environ == {}


def test_the_product_answers_on_every_side(live: Live) -> None:
    login, page, headers = live.request("GET", "/login")
    assert login == 200
    assert page.startswith(b"<!doctype html>")
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert live.request("GET", "/nothing/here")[0] == 404
    assert live.request("GET", "/static/favicon.svg")[0] == 200
    assert live.request("GET", "/readyz")[0] == 200
    status, body, headers = live.request("OPTIONS", "/v1/batch", origin="https://fernweh.example")
    assert (status, body, headers["access-control-allow-origin"]) == (204, b"", "*")
    assert live.post("/v1/track", track("Product Viewed", 1, product_id="p") | {"writeKey": KEY}) == (
        200,
        {"success": True},
    )
    assert b'rekindle_ingest_events_total{outcome="accepted"}' in live.request("GET", "/metrics")[1]


def test_the_storefront_script_is_kept_by_browsers(live: Live) -> None:
    status, text, headers = live.request("GET", "/s/rekindle.js")
    if status == 404:
        pytest.skip("the front end is not built")
    assert b"rekindle" in text
    assert headers["access-control-allow-origin"] == "*"
    again, empty, _ = live.request("GET", "/s/rekindle.js", if_none_match=headers["etag"])
    assert (again, empty) == (304, b"")
