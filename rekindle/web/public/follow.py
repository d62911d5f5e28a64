"""Where does a link in a message lead, and was it followed? Back to the cart, or to one of its products.

Nobody is ever signed in by a link; the shop's own page asks for what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rekindle.engine.clicks import Goal, open_cart_link, record_use
from rekindle.engine.tracking import clicking_of
from rekindle.terms.send import SendEventKind
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import Answer, Request, all_headers, not_allowed
from rekindle.web.ingest.surroundings import device_of
from rekindle.web.public import page
from rekindle.web.public.door import guarded, is_person, language_of, shop_of
from rekindle.web.public.targets import restore_target, safe_target

_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_LINES: Final = tuple(all_headers(Answer(302, headers=_HEADERS)))


class Wanted(NamedTuple):
    """What an address asks for: ``link`` as it is counted, ``name`` as it is recorded, ``number`` of a product link."""

    link: str
    name: str
    token: str
    number: int | None


def wanted_of(path: str) -> Wanted | None:
    """The link that a path is; None for one that can be none."""
    if path.startswith("/r/"):
        return Wanted("recover", "recover", path[3:], None)
    token, _, number = path.removeprefix("/c/").partition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= 3):
        return None
    return Wanted("product", f"product {int(number)}", token, int(number))


def recover(request: Request) -> Answer:
    """`/r/<token>`: to the shop's checkout when it named one, else to its cart page with the token; to its front page
    when there is no cart to come back to."""
    return _follow(request, "recover")


def product(request: Request) -> Answer:
    """`/c/<token>/<n>`: to the n-th product of the message."""
    return _follow(request, "product")


def redirect(request: Request, goal: Goal, shop: ShopSettings, wanted: Wanted) -> Answer:
    """The answer to a good link."""
    target = _target(goal, shop, wanted)
    if target is None:
        return page.wrong(language_of(request, str(goal.told.get("locale", "")), shop.locale))
    return Answer(302, headers={"Location": target, **_HEADERS}, lines=(*_LINES, ("location", target)))


def detail_of(request: Request, wanted: Wanted) -> dict[str, object]:
    """What is recorded of a click."""
    return {"link": wanted.name, "device": device_of(request.header("user-agent")[:300])}


def _follow(request: Request, link: str) -> Answer:
    if request.method not in ("GET", "HEAD"):
        return not_allowed("GET", "HEAD")
    wanted = wanted_of(request.path)
    return guarded(link, request, lambda: _open(request, wanted), lambda: page.gone(language_of(request)))


def _open(request: Request, wanted: Wanted | None) -> Answer | None:
    if wanted is None:
        return None
    now = runtime.context().clock.now()
    with runtime.database().control() as connection:
        link = open_cart_link(connection, wanted.token, now=now)
        shop = shop_of(connection, link.send.shop_id) if link is not None else None
        if link is None or shop is None:
            return None
        answer = redirect(request, link.goal, shop, wanted)
        if answer.status == 302 and is_person(request) and clicking_of(connection, shop, link.send).is_noted:
            record_use(connection, link.send, SendEventKind.CLICKED, at=now, detail=detail_of(request, wanted))
    return answer


def _target(goal: Goal, shop: ShopSettings, wanted: Wanted) -> str | None:
    if wanted.number is not None:
        targets = goal.told.get("links")
        if not isinstance(targets, list) or wanted.number >= len(targets):
            return restore_target(shop, wanted.token)
        return safe_target(str(targets[wanted.number]), shop)
    # a bought cart is history, its checkout would be somebody's order page; a visit has no cart to come back to
    if goal.is_bought or goal.is_visit:
        return safe_target(shop.url, shop) or safe_target(shop.restore_url, shop)
    return restore_target(shop, wanted.token, goal.recover_url)
