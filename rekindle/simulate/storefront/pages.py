"""How does the demo shop look? Renders its templates and leaves each page its calls of the storefront script."""

from __future__ import annotations

import json
from pathlib import Path

import minijinja

from rekindle.lib.money import parse_amount
from rekindle.simulate.storefront import tracking
from rekindle.simulate.storefront.carts import FREE_SHIPPING_FROM, MAX_QUANTITY, Cart, Visit
from rekindle.simulate.storefront.catalogue import COUNTRIES, SHELVES
from rekindle.simulate.wsgi import Request, Response

TEMPLATES = Path(__file__).parent / "templates"


def script_json(value: object) -> str:
    """JSON that may stand inside a <script> element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class Pages:
    def __init__(self, *, currency: str, rekindle_url: str, write_key: str, inbox_url: str, dashboard_url: str) -> None:
        self._currency = currency
        sources = {path.name: path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html")}
        self._environment = minijinja.Environment(templates=sources)
        self._environment.add_filter("price", lambda product: tracking.list_price(product, currency))
        self._environment.add_filter("amount", lambda cents: tracking.price_text(cents, currency))
        self._fixed = {
            "rekindle_url": rekindle_url,
            "write_key": write_key,
            "inbox_url": inbox_url,
            "dashboard_url": dashboard_url,
            "shelves": SHELVES,
        }

    def show(self, template: str, request: Request, visit: Visit, **facts: object) -> Response:
        """A page of this visit, with its waiting events and, once there was something in it, the state of its cart."""
        calls, visit.events = visit.events, []
        if visit.cart.lines or visit.cart.told:
            visit.cart.told = True
            calls.append(["cart", tracking.cart_state(visit.cart, request.base, self._currency)])
        html = self._environment.render_template(
            template,
            **self._fixed,
            **self._summary(visit.cart),
            **facts,
            path=request.path,
            visitor_id=visit.visitor_id,
            calls=script_json(calls),
        )
        return Response(html.encode())

    def checkout(self, request: Request, visit: Visit, *, values: dict[str, str], mistakes: dict[str, str]) -> Response:
        known = visit.contact
        if known and not values:
            values = {"name": known.name, "email": known.email, "phone": known.phone, "country": known.country}
            values |= {f"consent_{channel}": "yes" for channel in known.agreed}
        response = self.show(
            "checkout.html",
            request,
            visit,
            values=values,
            mistakes=mistakes,
            countries=COUNTRIES,
            wording=tracking.WORDING,
        )
        if mistakes:
            response.status = 422
        return response

    def problem(self, status: int, text: str) -> Response:
        html = self._environment.render_template("problem.html", **self._fixed, status=status, text=text)
        return Response(html.encode(), status)

    def _summary(self, cart: Cart) -> dict[str, object]:
        subtotal = cart.subtotal_cents(self._currency)
        free_from = parse_amount(FREE_SHIPPING_FROM, self._currency)
        lines = [
            {
                "product": product,
                "variant": variant,
                "quantity": quantity,
                "sum": parse_amount(product.price, self._currency) * quantity,
            }
            for product, variant, quantity in cart.products()
        ]
        return {
            "lines": lines,
            "count": cart.count,
            "subtotal": subtotal,
            "shipping": cart.shipping_cents(self._currency),
            "total": cart.total_cents(self._currency),
            "free_from": free_from,
            "to_free": max(0, free_from - subtotal),
            "free_share": min(100, subtotal * 100 // free_from) if free_from else 100,
            "max_quantity": MAX_QUANTITY,
        }
