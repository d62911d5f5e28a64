"""A push service and Firebase in one, on loopback: takes messages, reads those of its own browsers, answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.push_kit import Browser


@dataclass
class PushService:
    """``says`` gives the status for a path; ``shown`` what each browser or app got, by its path or token."""

    url: str
    browsers: dict[str, Browser] = field(default_factory=dict)
    says: dict[str, int] = field(default_factory=dict)
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)

    def browser(self, name: str) -> tuple[str, Browser]:
        """The endpoint of a new browser."""
        self.browsers[f"/{name}"] = made = Browser(auth=name.encode().ljust(16, b"_")[:16])
        return f"{self.url}/{name}", made

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.headers.append(headers)
        if path == "/token":
            return 200, json.dumps({"access_token": "ya29.x", "expires_in": 3600}).encode()
        if path.startswith("/v1/projects/"):
            message = json.loads(body)["message"]
            token = message["token"]
            if token in self.says:
                error = {"status": "NOT_FOUND", "details": [{"errorCode": "UNREGISTERED"}], "message": "gone"}
                return self.says[token], json.dumps({"error": error}).encode()
            self.shown.setdefault(token, []).append(message)
            return 200, json.dumps({"name": f"projects/demo-shop/messages/{len(self.headers)}"}).encode()
        status = self.says.get(path, 201)
        if status == 201:
            self.shown.setdefault(path, []).append(self.browsers[path].read(body))
        return status, b""


@contextmanager
def push_service() -> Iterator[PushService]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = PushService(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
