"""Do the dashboard's own scripts work under the policy that forbids eval and inline scripts?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from rekindle.simulate.serve_wsgi import Site
from tests.browser.conftest import Open

DIST = Path(__file__).resolve().parents[2] / "rekindle" / "web" / "static" / "dist"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'"
)
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

MONEY = {
    "kind": "line",
    "title": "Recovered revenue",
    "unit": {"kind": "money", "currency": "EUR"},
    "labels": ["1 Nov", "2 Nov", "3 Nov"],
    "series": [
        {"name": "Attributed", "values": [120_050, 99_000, None], "look": "area"},
        {"name": "Incremental", "values": [40_000, 30_000, 20_000], "low": [1, 2, 3], "high": [70_000, 60_000, 50_000]},
    ],
}
FUNNEL = {
    "kind": "funnel",
    "title": "From cart to order",
    "unit": {"kind": "count"},
    "steps": [{"name": "Detected", "value": 200}, {"name": "Ordered <b>", "value": 50}],
}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Islands</title>
<meta name="csrf-token" content="token-1"><meta name="rekindle-now" content="2031-05-01T12:00:00Z">
<link rel="icon" href="data:,"><script src="/static/dist/theme.js"></script>
<link rel="stylesheet" href="/static/dist/dashboard.css"><script type="module" src="/static/dist/dashboard.js"></script>
</head><body><button data-theme-toggle>Colours</button>
<svg class="icon" id="icon"><use href="/static/dist/icons.svg#mail"/></svg>
<time datetime="2031-05-01T08:00:00Z" data-relative>1 May</time>
<button data-copy="secret-key" id="copy">Copy</button>
<div class="dropdown"><button data-show="#menu" aria-expanded="false">Menu</button>
<div class="dropdown-menu" id="menu">Inside</div></div>
<button data-dialog="#ask">Ask</button><dialog id="ask" class="rk-dialog"><button data-close>No</button></dialog>
<button hx-post="/swap" hx-target="#place" hx-swap="innerHTML">Load</button><div id="place"></div>
<button hx-post="/broken" hx-target="#place">Break</button>
<figure data-chart><script type="application/json">{money}</script></figure>
</body></html>"""


class Pages:
    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        status, kind, body = "200 OK", "text/html; charset=utf-8", b""
        if path.startswith("/static/dist/"):
            file = DIST / Path(path).name
            kind, body = KINDS[file.suffix], file.read_bytes()
        elif path == "/swap":
            self.tokens.append(environ.get("HTTP_X_CSRFTOKEN", ""))
            text = json.dumps(FUNNEL).replace("<", "\\u003c")
            body = f'<figure data-chart><script type="application/json">{text}</script></figure>'.encode()
        elif path == "/broken":
            status, body = "500 Internal Server Error", b"<p>secret trace</p>"
        else:
            body = PAGE.replace("{money}", json.dumps(MONEY)).encode()
        start(status, [("Content-Type", kind), ("Content-Security-Policy", POLICY)])
        return [body]


@pytest.fixture
def pages() -> Iterator[tuple[Pages, str]]:
    if not (DIST / "dashboard.js").is_file():
        pytest.skip("the front end is not built: run make setup")
    app = Pages()
    site = Site(app).start()
    yield app, site.url
    site.stop()


def test_a_chart_is_drawn_and_told_as_a_table(pages: tuple[Pages, str], open_page: Open) -> None:
    page = open_page()
    page.goto(pages[1])
    expect(page.locator("figure svg")).to_be_visible()
    expect(page.locator("figure svg").get_by_text("Attributed")).to_be_visible()
    assert page.locator("figure table tr").all_inner_texts() == [
        "\tAttributed\tIncremental",
        "1 Nov\t€1,200.50\t€400.00",
        "2 Nov\t€990.00\t€300.00",
        "3 Nov\t–\t€200.00",
    ]


def test_what_htmx_swaps_in_comes_alive_and_carries_the_csrf_token(pages: tuple[Pages, str], open_page: Open) -> None:
    app, url = pages
    page = open_page()
    page.goto(url)
    page.get_by_role("button", name="Load").click()
    expect(page.locator("#place svg").get_by_text("Ordered <b>")).to_be_visible()
    expect(page.locator("#place svg").get_by_text("25%")).to_be_visible()
    assert app.tokens == ["token-1"]


def test_a_failed_request_says_so_and_shows_nothing_of_the_error(pages: tuple[Pages, str], open_page: Open) -> None:
    page = open_page(quiet=True)
    page.goto(pages[1])
    page.get_by_role("button", name="Break").click()
    expect(page.get_by_role("alert")).to_contain_text("That did not work (error 500)")
    expect(page.get_by_text("secret trace")).to_have_count(0)


def test_colours_follow_the_system_until_someone_chooses(pages: tuple[Pages, str], open_page: Open) -> None:
    page = open_page(colours="dark")
    page.goto(pages[1])
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-toggle]").click()
    expect(root).to_have_attribute("data-bs-theme", "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.reload()
    expect(root).to_have_attribute("data-bs-theme", "light")


def test_small_parts_work_by_mouse_and_keyboard(pages: tuple[Pages, str], open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(pages[1])
    expect(page.locator("time")).to_have_text("4 hours ago")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_attribute("data-copied", "yes")
    assert page.evaluate("navigator.clipboard.readText()") == "secret-key"
    menu = page.locator("#menu")
    page.get_by_role("button", name="Menu").click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#ask")).to_be_visible()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.locator("#ask")).to_be_hidden()
    page.wait_for_function("document.querySelector('#icon').getBBox().width > 10")  # drawn from a file that comes later
