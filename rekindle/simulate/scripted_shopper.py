"""Who walks through the demo shop when nobody is there? A shopper whose browser keeps cookies and runs no script.

What the storefront script would do on a page (tell its events, fetch the cart of a recovery link) is done here over the
same HTTP addresses, so that a story told without a screen goes the way of a real one.
"""

from __future__ import annotations

import http.client
import json
import re
import secrets
from dataclasses import dataclass
from html import unescape
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from rekindle.lib.clock import Clock

_CALLS = re.compile(r'<script type="application/json" id="shop-calls">(.*?)</script>', re.DOTALL)
_VISITOR = re.compile(r'data-anonymous-id="([^"]+)"')
_SKU = re.compile(r'name="sku" value="([^"]+)"')
_TIMEOUT_S = 15.0
#: Links are followed by machines too; without a browser's name a visit is not taken for a person's.
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


class StoryError(Exception):
    """A part did not do what the story needs; the text says which."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: status, headers with lower-case names, text."""

    url: str
    status: int
    headers: dict[str, str]
    text: str


class Browser:
    """GET and POST with cookies per host; redirects are followed only when asked for."""

    def __init__(self) -> None:
        self._cookies: dict[str, dict[str, str]] = {}

    def get(self, url: str, *, follow: bool = True) -> Page:
        page = self._ask("GET", url, b"", {})
        for _ in range(5):
            if not (follow and 300 <= page.status < 400):
                return page
            page = self._ask("GET", urljoin(page.url, page.headers["location"]), b"", {})
        raise StoryError(f"{url} redirects without end")

    def post_form(self, url: str, form: dict[str, str], *, follow: bool = True) -> Page:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": url}
        page = self._ask("POST", url, urlencode(form).encode(), headers)
        if follow and 300 <= page.status < 400:
            return self.get(urljoin(page.url, page.headers["location"]))
        return page

    def post_json(self, url: str, body: object) -> Page:
        return self._ask("POST", url, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def cookie(self, url: str, name: str) -> str:
        return self._cookies.get(urlsplit(url).netloc, {}).get(name, "")

    def _ask(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Page:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(parts.hostname), parts.port, timeout=_TIMEOUT_S)
        jar = self._cookies.setdefault(parts.netloc, {})
        headers["User-Agent"] = _BROWSER
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        try:
            connection.request(method, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as problem:
            raise StoryError(f"{method} {parts.path} was not answered: {type(problem).__name__}") from None
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            jar.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        return Page(url, answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


class ScriptedShopper:
    """Walks through the demo shop at ``shop_url`` and tells Rekindle what its pages' script would tell."""

    def __init__(self, *, shop_url: str, rekindle_url: str, write_key: str, email: str, clock: Clock) -> None:
        self.email = email
        self._shop, self._rekindle, self._key, self._clock = shop_url, rekindle_url, write_key, clock
        self.browser = Browser()
        self.cart_id = self._visitor_id = ""

    def fill_cart(self, *slugs: str) -> int:
        """Put one of each product into the cart; returns the number of lines."""
        for slug in slugs:
            page = self._visit(f"{self._shop}/products/{slug}")
            sku = _SKU.search(page.text)
            if sku is None:
                raise StoryError(f"the shop has no product {slug}")
            added = self.browser.post_form(f"{self._shop}/cart/add", {"slug": slug, "sku": sku[1], "quantity": "1"})
            self._play(self._expect(added, 200))
        return len(slugs)

    def leave_address(self, *, name: str, country: str = "DE") -> None:
        """Begin the checkout, give name and address, agree to e-mail and to clicks being noted; then walk away."""
        self._visit(f"{self._shop}/checkout")
        form = {"name": name, "email": self.email, "phone": "", "country": country}
        form |= {"consent_email": "yes", "consent_track_clicks": "yes"}
        self._play(self._expect(self.browser.post_form(f"{self._shop}/checkout", form), 200))

    def open_link(self, link: str) -> tuple[int, str]:
        """Follow a recovery link in a fresh browser; returns (items brought back, address of the shop's page)."""
        self.browser = Browser()
        landed = self.browser.get(link, follow=False)
        if landed.status != 302:
            raise StoryError(f"the recovery link answered {landed.status}")
        target = landed.headers["location"]
        token = parse_qs(urlsplit(target).query).get("rekindle_cart", [""])[0]
        if not target.startswith(self._shop) or not token:
            raise StoryError("the recovery link does not lead to the shop's cart")
        self._visit(target)
        cart = json.loads(self._expect(self.browser.get(f"{self._rekindle}/v1/carts/{token}"), 200).text)
        restored = {"restored_cart_key": cart["cart_key"], "items": len(cart["items"])}
        self._tell([{"type": "track", "event": "Cart Restored", "properties": restored}])
        merged = self.browser.post_json(f"{self._shop}/cart/merge", {"items": cart["items"]})
        count = int(json.loads(self._expect(merged, 200).text)["count"])
        self._visit(f"{self._shop}/cart?restored=1")
        return count, target

    def buy(self, *, name: str, country: str = "DE") -> str:
        """Check out and order; the shop's server reports the order. Returns the order number."""
        self.leave_address(name=name, country=country)
        done = self.browser.post_form(f"{self._shop}/checkout/delivery", {"payment": "demo"})
        return urlsplit(self._expect(done, 200).url).path.rsplit("/", 1)[-1]

    def _visit(self, url: str) -> Page:
        page = self._expect(self.browser.get(url), 200)
        self._play(page)
        return page

    def _expect(self, page: Page, status: int) -> Page:
        if page.status != status:
            raise StoryError(f"{urlsplit(page.url).path} answered {page.status} instead of {status}: {page.text[:200]}")
        return page

    def _play(self, page: Page) -> None:
        """Tell Rekindle the events that the shop left in the page for its script."""
        calls, visitor = _CALLS.search(page.text), _VISITOR.search(page.text)
        if calls is None or visitor is None:
            return
        self._visitor_id = visitor[1]
        self._tell([event for call in json.loads(unescape(calls[1])) if (event := self._event(call))])

    def _tell(self, events: list[dict[str, object]]) -> None:
        common = {"anonymousId": self._visitor_id, "timestamp": self._clock.now().isoformat()}
        batch = [{**event, **common, "messageId": f"story-{secrets.token_hex(12)}"} for event in events]
        if batch:
            body = {"writeKey": self._key, "sentAt": common["timestamp"], "batch": batch}
            self._expect(self.browser.post_json(f"{self._rekindle}/v1/batch", body), 200)

    def _event(self, call: list[object]) -> dict[str, object] | None:
        name, *arguments = call
        first = arguments[0] if arguments else {}
        if name == "cart" and isinstance(first, dict):
            self.cart_id = str(first["cart_id"])
            return {"type": "track", "event": "Cart Updated", "properties": first}
        if name == "track":
            return {"type": "track", "event": first, "properties": arguments[1] if len(arguments) > 1 else {}}
        if name == "identify":
            return {"type": "identify", "traits": first}
        if name == "consent" and isinstance(first, dict):
            return {"type": "identify", "traits": {"email": self.email, "consent": _consents(first, arguments[1])}}
        return None


def _consents(said: dict[str, object], details: object) -> dict[str, object]:
    told = details if isinstance(details, dict) else {}
    wording = told.get("wording", {})
    return {
        channel: {
            "granted": granted,
            "wording": wording.get(channel, "") if isinstance(wording, dict) else wording,
            "method": told.get("method", ""),
            "page": told.get("page", ""),
            **{mark: told[mark] for mark in ("confirmed", "written", "mentions_cart") if mark in told},
        }
        for channel, granted in said.items()
    }
