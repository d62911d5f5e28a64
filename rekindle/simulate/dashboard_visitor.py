"""What does the dashboard say? Signs in like a person and reads the numbers that a person would see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser

from rekindle.simulate.scripted_shopper import Browser, StoryError

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview's numbers as shown: ``revenue`` as text with its currency, the funnel by label."""

    revenue: str
    funnel: dict[str, int]


class DashboardVisitor:
    """One signed-in person. Raises StoryError where a page does not do what a person would expect."""

    def __init__(self, rekindle_url: str) -> None:
        self._url = rekindle_url
        self._browser = Browser()

    def sign_in(self, account: str, password: str) -> None:
        address = f"{self._url}/login"
        self._browser.get(address)
        form = {
            "csrfmiddlewaretoken": self._browser.cookie(address, "csrftoken"),
            "account": account,
            "password": password,
        }
        page = self._browser.post_form(address, form)
        if page.status != 200 or "/login" in page.url:
            raise StoryError(f"signing in to the dashboard failed ({page.status})")

    def overview(self, slug: str) -> Overview:
        page = self._browser.get(f"{self._url}/shops/{slug}/?period=today")
        if page.status != 200:
            raise StoryError(f"the overview answered {page.status}")
        return read_overview(page.text)

    def carts(self, slug: str) -> list[str]:
        """The state of each cart in the list, newest first, as a person reads it."""
        return read_states(self.text_of(f"/shops/{slug}/carts/"))

    def text_of(self, path: str) -> str:
        page = self._browser.get(f"{self._url}{path}")
        if page.status != 200:
            raise StoryError(f"{path} answered {page.status}")
        return page.text


def read_overview(html: str) -> Overview:
    """The numbers of an overview page. Raises StoryError when they are not there."""
    texts = _TextsByClass()
    texts.feed(html)
    labels, numbers = texts.found.get("rk-funnel-label", []), texts.found.get("rk-funnel-n", [])
    revenue = texts.found.get("rk-hero-value", [])
    if not labels or len(labels) != len(numbers) or not revenue:
        raise StoryError("the overview shows no numbers")
    return Overview(revenue[0], {label: _whole(number) for label, number in zip(labels, numbers, strict=True)})


def read_states(html: str) -> list[str]:
    """The states in a list of carts."""
    texts = _TextsByClass()
    texts.feed(html)
    return [cell.split()[0] for cell in texts.found.get("rk-cell-state", []) if cell]


class _TextsByClass(HTMLParser):
    """Collects the text of every element by each of its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._open: list[tuple[str, list[str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append((tag, (dict(attrs).get("class") or "").split(), []))

    def handle_data(self, data: str) -> None:
        for _, _, parts in self._open:
            parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, classes, parts = self._open.pop()
            for one in classes:
                self.found.setdefault(one, []).append(" ".join(unescape("".join(parts)).split()))
            if name == tag:
                return


def _whole(text: str) -> int:
    digits = re.sub(r"[^0-9]", "", text)
    if not digits:
        raise StoryError(f"the overview shows {text!r} where a number belongs")
    return int(digits)
