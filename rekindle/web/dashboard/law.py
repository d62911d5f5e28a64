"""May we write to this shopper, and if not now, when? For a cart of the shop, or for somebody only thought of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import Http404, HttpResponse

from rekindle.engine.forecast import Forecast, Look, suppose
from rekindle.engine.forecast_cart import forecast_cart
from rekindle.engine.law import default_pack
from rekindle.store.dashboard.cart import load_cart, load_enrolments
from rekindle.terms.decision import Outcome
from rekindle.terms.limits import LimitsError
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.law_form import LawForm
from rekindle.web.dashboard.page import Section, show_page

_CHANNELS: Final = {
    Channel.EMAIL: ("E-mail", "mail"),
    Channel.SMS: ("Text message", "message"),
    Channel.PUSH: ("Push", "bell"),
}
_LOOKS: Final = {Outcome.ALLOW: ("good", "Yes"), Outcome.DENY: ("bad", "No"), Outcome.DEFER: ("warn", "Not now")}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookView:
    look: Look
    css: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """``end``: when something else than what holds now is decided, and what."""

    name: str
    icon: str
    forecast: Forecast
    now: LookView
    later: Sequence[LookView]


@shop_view(get=Action.READ)
def law(visit: Visit) -> HttpResponse:
    """For a shopper only thought of; what is asked stands in the address, so that an answer can be shown around."""
    asked = visit.request.GET
    form = LawForm(asked if asked else LawForm.first(visit.shop, visit.now))
    found: list[Forecast] = []
    trouble = ""
    if form.is_valid():
        at = form.moment(visit.shop)
        try:
            found = suppose(visit.shop, form.supposed(visit.shop, at), at)
        except LimitsError as error:
            trouble = str(error)
    return _show(visit, {"form": form, "trouble": trouble}, found, status=200 if form.is_valid() else 422)


@shop_view(get=Action.READ)
def law_of_cart(visit: Visit, bucket: int, cart_id: UUID) -> HttpResponse:
    page = None
    if bucket in visit.buckets:
        page = load_cart(visit.connection, bucket=bucket, shop_id=visit.shop.id, cart_id=cart_id)
    if page is None:
        raise Http404("there is no such cart")
    runs = load_enrolments(visit.connection, page, visit.buckets)
    trouble, found = "", []
    try:
        found = forecast_cart(visit.connection, visit.shop, page, runs[-1] if runs else None, visit.now)
    except LimitsError as error:
        trouble = str(error)
    return _show(visit, {"cart": page, "run": runs[-1] if runs else None, "trouble": trouble}, found)


def _show(visit: Visit, content: dict[str, object], found: Sequence[Forecast], *, status: int = 200) -> HttpResponse:
    pack = default_pack()
    views = [_channel(one) for one in found]
    more = {
        "channels": views,
        "regions": sorted({code for one in found if one.rules for code in one.rules.regions}),
        "pack": pack.meta if pack else None,
        "pack_digest": pack.digest[:12] if pack else "",
        "review_due": pack is None or pack.is_review_due(visit.now.date()),
    }
    return show_page(visit, "dashboard/law.html", {**content, **more}, section=Section.LAW, status=status)


def _channel(one: Forecast) -> ChannelView:
    name, icon = _CHANNELS[one.channel]
    now, *later = [_look(look) for look in one.looks]
    return ChannelView(name=name, icon=icon, forecast=one, now=now, later=later)


def _look(look: Look) -> LookView:
    css, word = _LOOKS[look.verdict.outcome]
    return LookView(look=look, css=css, word=word)
