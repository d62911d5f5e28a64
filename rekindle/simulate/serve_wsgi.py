"""How does a small web page of the simulation get served? A threaded server on loopback that stops when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    timeout = 60  # an idle connection does not hold its thread for ever

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: addresses and paths of shoppers do not belong into a log."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def server_bind(self) -> None:
        # not HTTPServer.server_bind: it asks DNS for our own name, which takes seconds on a machine without a network
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that closed its connection early is no error of ours."""


class Site:
    """A running page. ``port`` 0 takes a free one."""

    def __init__(self, app: App, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = make_server(host, port, app, server_class=_Server, handler_class=_Quiet)
        self.host = host
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="site", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> Site:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Take no more requests, close the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()
