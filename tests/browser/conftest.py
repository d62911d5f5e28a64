"""Where do browser tests get their Chromium? The first one that starts; without one they are skipped, and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from scripts import find_chromium
from tests.stub_rekindle import SCRIPT, StubRekindle

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--metrics-recording-only",
    "--force-color-profile=srgb",
)

#: How long anything on a page may take before a test fails: a busy machine is no fault of the page.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

#: Opens a page of a width in px; any error in its console fails the test, unless ``quiet``.
Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for the tests of this ring; its event loop must have ended before other rings begin theirs."""
    path = find_chromium.find()
    if path is None:
        pytest.skip("no Chromium was found: install one, or name it in REKINDLE_CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(path), args=list(ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    complaints: list[str] = []
    contexts = []

    def open_one(
        *, width: int = 1280, height: int = 800, quiet: bool = False, colours: str = "light", **more: object
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours, **more)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        if not quiet:
            page.on("console", lambda message: _note(message, complaints))
            page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def _note(message: ConsoleMessage, complaints: list[str]) -> None:
    if message.type == "error":
        complaints.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def rekindle() -> Iterator[StubRekindle]:
    if not SCRIPT.is_file():
        pytest.skip("the front end is not built: run make setup")
    stub = StubRekindle()
    yield stub
    stub.stop()


#: Two frames after the fonts are there: everything is in its place, and what a script began has shown itself.
_STILL = "document.fonts.ready.then(() => new Promise(go => requestAnimationFrame(() => requestAnimationFrame(go))))"


def stand_still(page: Page) -> None:
    """Wait until a page has loaded everything and drawn itself."""
    page.wait_for_load_state("load")
    page.evaluate(_STILL)


def fits(page: Page) -> bool:
    """No part of the page sticks out to the right, once its styles are there."""
    page.wait_for_load_state()
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
