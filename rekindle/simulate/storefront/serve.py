"""How is the demo shop run? ``start_shop`` inside a program, ``serve`` as a process of its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.simulate.serve_wsgi import Site
from rekindle.simulate.storefront.app import Shop, make_app


class RunningShop:
    """``app.orders`` are the orders so far; ``url`` is where a browser finds the shop."""

    def __init__(self, app: Shop, host: str, port: int) -> None:
        self.app = app
        self._site = Site(app, host=host, port=port).start()

    @property
    def url(self) -> str:
        return self._site.url

    @property
    def port(self) -> int:
        return self._site.port

    def stop(self) -> None:
        self._site.stop()
        self.app.stop()


def start_shop(
    *,
    rekindle_url: str,
    write_key: str,
    currency: str = "EUR",
    host: str = "127.0.0.1",
    port: int = 0,
    secret_key: str = "",
    clock: Clock = SYSTEM_CLOCK,
    inbox_url: str = "",
    dashboard_url: str = "",
) -> RunningShop:
    """Start the shop in threads of this process and return at once. Port 0 takes a free one."""
    app = make_app(
        rekindle_url,
        write_key,
        currency,
        secret_key=secret_key,
        clock=clock,
        inbox_url=inbox_url,
        dashboard_url=dashboard_url,
    )
    return RunningShop(app, host, port)


def serve(
    host: str,
    port: int,
    *,
    rekindle_url: str,
    write_key: str,
    currency: str = "EUR",
    inbox_url: str = "",
    dashboard_url: str = "",
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` gets the address once it answers.

    Must be called from the main thread of a process.
    """
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    shop = start_shop(
        rekindle_url=rekindle_url,
        write_key=write_key,
        currency=currency,
        host=host,
        port=port,
        inbox_url=inbox_url,
        dashboard_url=dashboard_url,
    )
    ready(shop.url)
    stopped.wait()
    shop.stop()
