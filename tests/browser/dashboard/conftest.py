"""What does a browser test of the dashboard have? The real Django site on loopback over a seeded database."""

from __future__ import annotations

import colorsys
import hashlib
import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route

from rekindle.simulate.serve_wsgi import Site
from tests.browser.conftest import Open
from tests.web.people import PASSWORD
from tests.web.seed import PICTURES
from tests.web.world import World, grounds, seeded, world

__all__ = ["grounds", "seeded", "world"]

#: Playwright's synchronous interface runs a loop in the test's thread, which Django would take for its own.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

SignIn = Callable[..., Page]


@pytest.fixture
def site(world: World) -> Iterator[str]:
    """Address of the running dashboard."""
    from django.core.wsgi import get_wsgi_application

    running = Site(get_wsgi_application()).start()
    yield running.url
    running.stop()


@pytest.fixture
def sign_in(site: str, open_page: Open) -> SignIn:
    """Open a browser in which somebody signed in through the form."""

    def sign_in_as(account: str, **options: object) -> Page:
        page = open_page(**options)
        page.route(f"{PICTURES}/**", _picture)
        page.goto(f"{site}/login")
        page.fill("#account", account)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"{site}/shops/**")
        return page

    return sign_in_as


def _picture(route: Route) -> None:
    """A product picture made of its name: no test needs the network."""
    hue = int(hashlib.sha256(route.request.url.encode()).hexdigest()[:4], 16) / 0xFFFF
    light, dark = (
        "#" + "".join(f"{round(part * 255):02x}" for part in colorsys.hls_to_rgb(hue, lightness, 0.45))
        for lightness in (0.82, 0.42)
    )
    body = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" fill="{light}"/>'
        f'<path d="M18 70 42 30l16 24 9-12 13 28z" fill="{dark}"/><circle cx="68" cy="28" r="7" fill="{dark}"/></svg>'
    )
    route.fulfill(body=body, content_type="image/svg+xml")
