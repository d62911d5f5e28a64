"""Where does each address of the demo shop lead? A plain WSGI application; see ``serve.py`` to run it."""

from __future__ import annotations

import json
import mimetypes
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.lib.money import parse_currency
from rekindle.simulate.storefront import tracking
from rekindle.simulate.storefront.carts import Cart, Order, Visit, Visits
from rekindle.simulate.storefront.catalogue import BY_SKU, BY_SLUG, PRODUCTS
from rekindle.simulate.storefront.contact_form import read_contact
from rekindle.simulate.storefront.pages import Pages
from rekindle.simulate.storefront.report_events import Reporter
from rekindle.simulate.wsgi import (
    Environ,
    RefusedError,
    Request,
    Response,
    StartResponse,
    read_request,
    redirect,
)

COOKIE = "fernweh"
STATIC = Path(__file__).parent / "static"

Handler = Callable[[Request, Visit], Response]


class Shop:
    """The WSGI callable. ``orders`` are all orders of this run, newest last."""

    def __init__(
        self,
        rekindle_url: str,
        write_key: str,
        currency: str,
        *,
        secret_key: str = "",
        clock: Clock = SYSTEM_CLOCK,
        inbox_url: str = "",
        dashboard_url: str = "",
    ) -> None:
        self.currency = parse_currency(currency)
        self.orders: list[Order] = []
        self._rekindle_url = rekindle_url.rstrip("/")
        self._clock = clock
        self._visits = Visits()
        self._reporter = Reporter(self._rekindle_url, secret_key or write_key)
        self._is_believed = bool(secret_key)
        self._pages = Pages(
            currency=self.currency,
            rekindle_url=self._rekindle_url,
            write_key=write_key,
            inbox_url=inbox_url,
            dashboard_url=dashboard_url,
        )
        self._static = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.is_file()}
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/"): self._list,
            ("GET", "/cart"): self._cart,
            ("GET", "/rekindle-worker.js"): self._worker,
            ("POST", "/cart/add"): self._add,
            ("POST", "/cart/set"): self._set,
            ("POST", "/cart/merge"): self._merge,
            ("GET", "/checkout"): self._checkout,
            ("POST", "/checkout"): self._contact,
            ("GET", "/checkout/delivery"): self._delivery,
            ("POST", "/checkout/delivery"): self._order,
        }

    def stop(self) -> None:
        self._reporter.stop()

    def __call__(self, environ: Environ, start: StartResponse) -> Iterable[bytes]:
        try:
            request = read_request(environ)
            if request.path.startswith("/static/"):
                return self._file(request.path.removeprefix("/static/")).send(start)
            return self._answer(request, start)
        except RefusedError as refusal:
            return self._pages.problem(refusal.status, str(refusal)).send(start, extra=self._policy())

    def _answer(self, request: Request, start: StartResponse) -> list[bytes]:
        if request.method == "POST" and request.origin not in (None, request.base):
            raise RefusedError(403, "this form was sent from another site")
        handler = self._find(request)
        given = request.cookies.get(COOKIE)
        with self._visits.of(given) as (key, visit):
            response = handler(request, visit)
        if response.before_answer:
            response.before_answer()
        extra = self._policy()
        if key != given:
            extra.append(("Set-Cookie", f"{COOKIE}={key}; Path=/; HttpOnly; SameSite=Lax"))
        return response.send(start, extra=extra)

    def _find(self, request: Request) -> Handler:
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._routes.get((method, request.path))
        if handler is None and method == "GET":
            area, _, name = request.path.lstrip("/").partition("/")
            areas: dict[str, Handler] = {"products": self._product, "orders": self._thanks, "shelf": self._list}
            handler = areas.get(area) if name else None
        if handler is None:
            raise RefusedError(404, "there is nothing at this address")
        return handler

    def _policy(self) -> list[tuple[str, str]]:
        allowed = self._rekindle_url
        return [
            (
                "Content-Security-Policy",
                f"default-src 'self'; script-src 'self' {allowed}; connect-src 'self' {allowed}; img-src 'self'; "
                "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            ),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
        ]

    def _file(self, name: str) -> Response:
        if name not in self._static:
            raise RefusedError(404, "there is no such file")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(self._static[name], content_type=kind, headers=[("Cache-Control", "max-age=300")])

    def _worker(self, request: Request, visit: Visit) -> Response:
        """Browsers take a service worker only from the shop itself; it is one line."""
        line = f"importScripts({json.dumps(f'{self._rekindle_url}/s/push-worker.js')});\n"
        return Response(line.encode(), content_type="text/javascript; charset=utf-8")

    # the pages

    def _list(self, request: Request, visit: Visit) -> Response:
        shelf = request.path.removeprefix("/").removeprefix("shelf/").capitalize()
        products = [product for product in PRODUCTS if shelf in ("", product.category)]
        if not products:
            raise RefusedError(404, "we have no such shelf")
        visit.events.append(tracking.list_viewed(shelf, products, request.base))
        return self._pages.show("list.html", request, visit, products=products, shelf=shelf)

    def _product(self, request: Request, visit: Visit) -> Response:
        product = BY_SLUG.get(request.path.removeprefix("/products/"))
        if product is None:
            raise RefusedError(404, "we do not have this product, or not any more")
        visit.events.append(tracking.product_viewed(product, request.base, self.currency))
        near = [other for other in PRODUCTS if other.category == product.category and other != product]
        more = (near + [other for other in PRODUCTS if other.category != product.category])[:4]
        return self._pages.show("product.html", request, visit, product=product, more=more)

    def _cart(self, request: Request, visit: Visit) -> Response:
        if visit.cart.lines:
            viewed = tracking.cart_state(visit.cart, request.base, self.currency)
            visit.events.append(["track", "Cart Viewed", viewed])
        missing, visit.missing = visit.missing, []
        restored = request.query.get("restored") == "1"
        facts = {"restored": restored, "missing": missing, "push_wording": tracking.PUSH_WORDING}
        return self._pages.show("cart.html", request, visit, **facts)

    def _add(self, request: Request, visit: Visit) -> Response:
        form = request.form()
        line = BY_SKU.get(form.get("sku", ""))
        if line is None:
            raise RefusedError(404, "we do not have this product, or not any more")
        quantity = _quantity(form.get("quantity", "1"), least=1)
        sku = line[1].sku
        visit.cart.put(sku, visit.cart.lines.get(sku, 0) + quantity)
        visit.events.append(tracking.cart_changed("Product Added", visit.cart, line, quantity, request.base))
        return redirect("/cart")

    def _set(self, request: Request, visit: Visit) -> Response:
        form = request.form()
        sku = form.get("sku", "")
        if sku not in visit.cart.lines:
            return redirect("/cart")
        before = visit.cart.lines[sku]
        visit.cart.put(sku, _quantity(form.get("quantity", ""), least=0))
        change = visit.cart.lines.get(sku, 0) - before
        if change:
            name = "Product Added" if change > 0 else "Product Removed"
            visit.events.append(tracking.cart_changed(name, visit.cart, BY_SKU[sku], abs(change), request.base))
        return redirect("/cart")

    def _merge(self, request: Request, visit: Visit) -> Response:
        """The items of a recovery link join the cart of this browser. Nothing is replaced, nobody is logged in."""
        body = request.json()
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(items, list) or len(items) > 200:
            raise RefusedError(422, "items must be a list of at most 200")
        visit.missing = visit.cart.merge(items)
        answer = {"count": visit.cart.count, "missing": visit.missing}
        return Response(json.dumps(answer).encode(), content_type="application/json")

    def _checkout(self, request: Request, visit: Visit) -> Response:
        if not visit.cart.lines:
            return redirect("/cart")
        visit.events.append(tracking.checkout_started(visit.cart, request.base, self.currency))
        return self._pages.checkout(request, visit, values={}, mistakes={})

    def _contact(self, request: Request, visit: Visit) -> Response:
        if not visit.cart.lines:
            return redirect("/cart")
        form = request.form()
        contact, mistakes = read_contact(form)
        if contact is None:
            return self._pages.checkout(request, visit, values=form, mistakes=mistakes)
        visit.events.extend(tracking.contact_given(contact, visit.contact, f"{request.base}/checkout"))
        visit.events.append(tracking.checkout_step(visit.cart, 1))
        visit.contact = contact
        response = redirect("/checkout/delivery")
        trace: tracking.Facts = {"ip": request.remote, "userAgent": request.agent}
        at = self._clock.now().isoformat()
        body = tracking.contact_confirmed(contact, visit, f"{request.base}/checkout", at, trace)
        if body is not None and self._is_believed:

            def report() -> None:
                self._reporter.report(body, lambda: None)

            response.before_answer = report
        return response

    def _delivery(self, request: Request, visit: Visit) -> Response:
        if not visit.cart.lines or visit.contact is None:
            return redirect("/checkout" if visit.cart.lines else "/cart")
        return self._pages.show("delivery.html", request, visit, contact=visit.contact)

    def _order(self, request: Request, visit: Visit) -> Response:
        if not visit.cart.lines or visit.contact is None:
            return redirect("/cart")
        order_id = f"FW-{secrets.randbelow(9_000_000) + 1_000_000}"
        order = Order(order_id=order_id, cart=visit.cart, contact=visit.contact, currency=self.currency)
        body = tracking.order_completed(order, visit, request.base, self._clock.now().isoformat())
        visit.orders[order_id] = order
        visit.cart = Cart()
        self.orders.append(order)

        def report() -> None:
            self._reporter.report(body, order.mark_reported)

        response = redirect(f"/orders/{order_id}")
        response.before_answer = report
        return response

    def _thanks(self, request: Request, visit: Visit) -> Response:
        order = visit.orders.get(request.path.removeprefix("/orders/"))
        if order is None:
            raise RefusedError(404, "this order is not yours, or not from this session")
        return self._pages.show("order.html", request, visit, order=order)


def _quantity(text: str, *, least: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) < least:
        raise RefusedError(422, f"a quantity is a whole number from {least} on")
    return int(text)


def make_app(
    rekindle_url: str,
    write_key: str,
    currency: str = "EUR",
    *,
    secret_key: str = "",
    clock: Clock = SYSTEM_CLOCK,
    inbox_url: str = "",
    dashboard_url: str = "",
) -> Shop:
    """The demo shop as a WSGI callable. The two last addresses, if given, are shown in its demo bar.

    ``secret_key``: with it the shop's server tells that addresses were confirmed; without it nobody is believed that.
    """
    return Shop(
        rekindle_url,
        write_key,
        currency,
        secret_key=secret_key,
        clock=clock,
        inbox_url=inbox_url,
        dashboard_url=dashboard_url,
    )
