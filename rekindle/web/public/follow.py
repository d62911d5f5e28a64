"""Where does a link in a message lead, and was it followed? Back to the cart, or to one of its products.

Nobody is ever signed in by a link; the shop's own page asks for what it needs.
"""

from __future__ import annotations

from collections.abc import Callable

from rekindle.engine.clicks import CartLink, open_cart_link, record_use
from rekindle.terms.send import SendEventKind
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import Answer, Request, not_allowed
from rekindle.web.ingest.surroundings import device_of
from rekindle.web.public import page
from rekindle.web.public.door import guarded, is_person, language_of, shop_of
from rekindle.web.public.targets import restore_target, safe_target

TargetOf = Callable[[CartLink, ShopSettings], str | None]

_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def recover(request: Request) -> Answer:
    """`/r/<token>`: to the shop's checkout when it named one, else to its cart page with the token; to its front page
    when there is no cart to come back to."""
    if request.method not in ("GET", "HEAD"):
        return not_allowed("GET", "HEAD")
    token = request.path.removeprefix("/r/")
    return guarded("recover", request, lambda: _recover(request, token), lambda: page.gone(language_of(request)))


def product(request: Request) -> Answer:
    """`/c/<token>/<n>`: to the n-th product of the message."""
    if request.method not in ("GET", "HEAD"):
        return not_allowed("GET", "HEAD")
    token, _, number = request.path.removeprefix("/c/").partition("/")
    return guarded(
        "product", request, lambda: _product(request, token, number), lambda: page.gone(language_of(request))
    )


def _recover(request: Request, token: str) -> Answer | None:
    def target_of(link: CartLink, shop: ShopSettings) -> str | None:
        # a bought cart is history, its checkout would be somebody's order page; a visit has no cart to come back to
        if link.is_bought or link.is_visit:
            return safe_target(shop.url, shop) or safe_target(shop.restore_url, shop)
        told = link.cart.recover_url if link.cart is not None else None
        return restore_target(shop, token, told)

    return _follow(request, token, "recover", target_of)


def _product(request: Request, token: str, number: str) -> Answer | None:
    if not (number.isascii() and number.isdigit() and len(number) <= 3):
        return None

    def target_of(link: CartLink, shop: ShopSettings) -> str | None:
        targets = link.send.context.get("links")
        if not isinstance(targets, list) or int(number) >= len(targets):
            return restore_target(shop, token)
        return safe_target(str(targets[int(number)]), shop)

    return _follow(request, token, f"product {int(number)}", target_of)


def _follow(request: Request, token: str, name: str, target_of: TargetOf) -> Answer | None:
    context = runtime.context()
    now = context.clock.now()
    with runtime.database().control() as connection:
        link = open_cart_link(connection, token, now=now)
        shop = shop_of(connection, link.send.shop_id) if link is not None else None
        if link is None or shop is None:
            return None
        target = target_of(link, shop)
        if target is None:
            return page.wrong(language_of(request, str(link.send.context.get("locale", "")), shop.locale))
        if is_person(request):
            detail: dict[str, object] = {"link": name, "device": device_of(request.header("user-agent")[:300])}
            record_use(connection, link.send, SendEventKind.CLICKED, at=now, detail=detail)
    return Answer(302, headers={"Location": target, **_HEADERS})
