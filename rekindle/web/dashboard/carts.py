"""Which carts does the shop have? A searched, filtered, sorted list whose state is the address bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse

from rekindle.lib.addresses import masked
from rekindle.store.dashboard.carts import (
    CartLine,
    CartOrder,
    NextStep,
    ShopperLine,
    list_carts,
    next_steps,
    place_of,
    shoppers_by_id,
)
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.cart_query import KNOWN, ORDERS, PERIODS, STAGES, STATES, read_query, write_place
from rekindle.web.dashboard.page import Section, show_page, show_part, wants_part

ON_A_PAGE = 40
_PICTURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CartRowView:
    """What one row shows. ``more``: lines of the cart beyond the pictures."""

    cart: CartLine
    name: str
    address: str
    is_erased: bool
    next: NextStep | None
    more: int
    title: str


@shop_view(get=Action.READ)
def carts(visit: Visit) -> HttpResponse:
    query = read_query(visit)
    lines = list_carts(
        visit.connection,
        shop_id=visit.shop.id,
        buckets=visit.buckets,
        wanted=query.filter,
        order=query.order,
        after=query.after,
        limit=ON_A_PAGE + 1,
    )
    shown = lines[:ON_A_PAGE]
    content = {
        "query": query,
        "rows": _rows(visit, shown),
        "next_place": write_place(place_of(shown[-1], query.order)) if len(lines) > ON_A_PAGE else "",
        "choices": {"states": STATES, "stages": STAGES, "periods": PERIODS, "known": KNOWN, "orders": ORDERS},
    }
    if wants_part(visit):
        response = show_part(visit, f"dashboard/parts/cart_{'rows' if query.after else 'list'}.html", content)
        if not query.after:
            response["HX-Push-Url"] = _address(visit)
        return response
    return show_page(visit, "dashboard/carts.html", content, section=Section.CARTS)


def _address(visit: Visit) -> str:
    """This list's address without the filters that are empty."""
    params = visit.request.GET.copy()
    for name in [name for name, value in params.items() if not value or (name, value) == ("sort", CartOrder.NEWEST)]:
        del params[name]
    return f"{visit.request.path}{'?' if params else ''}{params.urlencode()}"


def _rows(visit: Visit, lines: Sequence[CartLine]) -> list[CartRowView]:
    people = shoppers_by_id(
        visit.connection,
        buckets=[line.shopper_bucket for line in lines if line.shopper_bucket is not None],
        shopper_ids=[line.shopper_id for line in lines if line.shopper_id is not None],
    )
    steps = next_steps(visit.connection, lines)
    return [_row(line, people, steps) for line in lines]


def _row(line: CartLine, people: Mapping[UUID, ShopperLine], steps: Mapping[UUID, NextStep]) -> CartRowView:
    person = people.get(line.shopper_id) if line.shopper_id else None
    titles = [str(item.get("title") or item.get("product_key") or "") for item in line.first_items]
    return CartRowView(
        cart=line,
        name=person.name if person else "",
        address=masked(person.first_address) if person and person.first_address else "",
        is_erased=line.is_erased or bool(person and person.is_erased),
        next=steps.get(line.id),
        more=max(line.line_count - _PICTURES, 0),
        title=", ".join(title for title in titles if title),
    )
