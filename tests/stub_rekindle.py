"""A Rekindle that only listens: takes batches and orders, hands out the storefront script and one cart."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rekindle.simulate.serve_wsgi import Site

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "rekindle" / "web" / "static" / "dist" / "storefront.js"

#: A point of P-256, as a shop's VAPID key has one: nothing is ever sent under it.
PUSH_KEY = "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM"

Event = dict[str, Any]


class StubRekindle:
    """``events`` holds each event once (by messageId), in the order of arrival; ``refuse_next`` statuses answer first."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.refuse_next: list[int] = []
        self.carts: dict[str, dict[str, Any]] = {}
        self._seen: set[str] = set()
        self._changed = threading.Condition()
        self._site = Site(self).start()

    @property
    def url(self) -> str:
        return self._site.url

    def stop(self) -> None:
        self._site.stop()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        status, kind, answer = self._answer(path, environ, body)
        start(f"{status} -", [("Content-Type", kind), ("Access-Control-Allow-Origin", "*")])
        return [answer]

    def _answer(self, path: str, environ: dict[str, Any], body: bytes) -> tuple[int, str, bytes]:
        if path == "/s/rekindle.js":
            return 200, "text/javascript", SCRIPT.read_bytes()
        if path == "/s/push-worker.js":
            return 200, "text/javascript", SCRIPT.with_name("push-worker.js").read_bytes()
        if path == "/s/push/key-1":
            return 200, "application/json", json.dumps({"public_key": PUSH_KEY}).encode()
        if path.startswith("/v1/carts/"):
            cart = self.carts.get(path.removeprefix("/v1/carts/"))
            return (200, "application/json", json.dumps(cart).encode()) if cart else (404, "text/plain", b"gone")
        with self._changed:
            self.requests.append((path, {name: str(value) for name, value in environ.items() if name.isupper()}))
            if self.refuse_next:
                return self.refuse_next.pop(0), "text/plain", b"not now"
            told = json.loads(body)
            for event in told.get("batch", [told]):
                if event["messageId"] not in self._seen:
                    self._seen.add(event["messageId"])
                    self.events.append(event | {"_path": path, "_key": told.get("writeKey") or _basic(environ)})
            self._changed.notify_all()
        return 200, "application/json", b'{"success": true}'

    def wait_for(self, *names: str, timeout_s: float = 60.0) -> list[Event]:
        """The first event of each name (an event's name, else its type), once all have arrived."""
        with self._changed:
            if not self._changed.wait_for(lambda: all(self._named(name) for name in names), timeout_s):
                raise AssertionError(f"waited for {names}, got {self.names()}")
            return [self._named(name)[0] for name in names]

    def named(self, name: str) -> list[Event]:
        with self._changed:
            return self._named(name)

    def names(self) -> list[str]:
        return [event.get("event") or event["type"] for event in self.events]

    def _named(self, name: str) -> list[Event]:
        return [event for event in self.events if (event.get("event") or event["type"]) == name]


def _basic(environ: dict[str, Any]) -> str:
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return base64.b64decode(value).decode().removesuffix(":") if scheme == "Basic" else ""
