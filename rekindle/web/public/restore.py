"""What was in the cart behind a link? Its lines as JSON for the shop's page, and nothing about the person."""

from __future__ import annotations

from typing import Any

import msgspec

from rekindle.engine.clicks import CartLink, open_cart_link, record_use
from rekindle.engine.tracking import clicking_of
from rekindle.lib.money import to_major
from rekindle.terms.send import SendEventKind
from rekindle.web import runtime
from rekindle.web.http import ANY_ORIGIN, NO_STORE, Answer, Request, json_answer
from rekindle.web.ingest.answers import preflight
from rekindle.web.public.door import guarded, is_person, shop_of

#: Cart keys that we made ourselves from a visitor's id; the shop knows nothing of them.
_OWN_PREFIXES = ("visitor:", "browse:")


def restore(request: Request) -> Answer:
    """`/v1/carts/<token>`; every token that is not good, and every cart that was bought, gets the same 404."""
    if request.method == "OPTIONS":
        return preflight()
    if request.method not in ("GET", "HEAD"):
        return _json(405, {"message": "carts are read with GET"})
    token = request.path.removeprefix("/v1/carts/")
    return guarded(
        "restore",
        request,
        lambda: _restore(request, token),
        lambda: _json(404, {"message": "this link no longer works"}),
    )


def _restore(request: Request, token: str) -> Answer | None:
    context = runtime.context()
    now = context.clock.now()
    with runtime.database().control() as connection:
        link = open_cart_link(connection, token, now=now)
        if link is None or link.cart is None or link.is_bought:
            return None
        shop = shop_of(connection, link.send.shop_id)
        if shop is not None and is_person(request) and clicking_of(connection, shop, link.send).is_noted:
            record_use(connection, link.send, SendEventKind.RESTORED, at=now, detail={"link": "restore"})
    return _json(200, _told(link))


def _told(link: CartLink) -> dict[str, object]:
    assert link.cart is not None
    cart = link.cart
    key = None if cart.cart_key.startswith(_OWN_PREFIXES) else cart.cart_key
    items = [_item(line, cart.currency) for line in cart.items]
    return {"cart_key": key, "currency": cart.currency, "items": items}


def _item(line: dict[str, Any], currency: str | None) -> dict[str, object]:
    """A line in the names that shops send it with."""
    item: dict[str, object] = {"product_id": line["product_key"], "quantity": line["quantity"]}
    for ours, theirs in (("sku", "sku"), ("variant", "variant"), ("title", "name"), ("url", "url")):
        if line.get(ours):
            item[theirs] = line[ours]
    if line.get("image_url"):
        item["image_url"] = line["image_url"]
    if line.get("unit_cents") is not None and currency:
        item["price"] = msgspec.Raw(str(to_major(line["unit_cents"], currency)).encode())  # a number, never a float
    return item


def _json(status: int, body: object) -> Answer:
    answer = json_answer(status, body)
    return Answer(
        status, answer.body, answer.content_type, {**ANY_ORIGIN, **NO_STORE, "Referrer-Policy": "no-referrer"}
    )
