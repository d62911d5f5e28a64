"""Which shop may this person see, and what may they do there? The only way to a shop in the dashboard.

A view of a shop is wrapped in `shop_view`, which names the action each method needs. Whoever is not signed in goes to
the sign-in page; a shop without membership does not exist (404); a role without the action gets a page that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Concatenate, Final, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render

from rekindle.engine.audit_log import note
from rekindle.engine.context import Context
from rekindle.lib.traces import network_of
from rekindle.store.buckets import buckets_of
from rekindle.store.dashboard.access import ShopAccess, shops_of_person
from rekindle.store.database import Connection
from rekindle.store.shops import load_shop
from rekindle.terms.log_entry import Deed, LogOutcome
from rekindle.terms.role import Action, Role, may
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import remote_of

P = ParamSpec("P")
#: Actions of which looking alone is written down: what is seen there is about single people.
LOOKED_AT: Final = frozenset({Action.HANDLE_REQUESTS})
GUARDED: Final = "guarded_actions"  #: attribute by which a test finds out what a route asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request to one shop by one person who may be there."""

    request: HttpRequest
    connection: Connection
    context: Context
    shop: ShopSettings
    role: Role
    account: str  #: the name the person signed in with
    shops: Sequence[ShopAccess]
    now: datetime
    noted: dict[str, object] = field(default_factory=dict)  #: what the log is to hold of this request; never addresses

    @property
    def buckets(self) -> list[int]:
        return buckets_of(self.shop)

    def may(self, action: Action) -> bool:
        return may(self.role, action)


def shop_view(
    *, get: Action | None = None, post: Action | None = None
) -> Callable[[Callable[Concatenate[Visit, P], HttpResponse]], Callable[..., HttpResponse]]:
    """Turn a function of a `Visit` into a Django view of ``/shops/<slug>/...``; a method without action is refused."""
    needed = {"GET": get, "HEAD": get, "POST": post}
    actions = {method: action for method, action in needed.items() if action is not None}

    def wrap(view: Callable[Concatenate[Visit, P], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            with runtime.database().control() as connection:
                visit = _visit(request, connection, slug)
                action = actions.get(request.method or "")
                if action is None:
                    return HttpResponseNotAllowed(sorted(actions))
                if not visit.may(action):
                    _note(visit, action, LogOutcome.REFUSED, kwargs)
                    return render(request, "dashboard/not_allowed.html", {"visit": visit}, status=403)
                response = view(visit, *args, **kwargs)
                if action is not Action.READ and (request.method == "POST" or action in LOOKED_AT):
                    done = response.status_code < 400
                    _note(visit, action, LogOutcome.DONE if done else LogOutcome.FAILED, kwargs)
            response["Cache-Control"] = "no-store"
            return response

        setattr(guarded, GUARDED, actions)
        return guarded

    return wrap


def _note(visit: Visit, action: Action, outcome: LogOutcome, things: Mapping[str, object]) -> None:
    """Write down what the person did: by which route, to which thing, with what the view noted."""
    request = visit.request
    route = request.resolver_match.url_name if request.resolver_match else ""
    deed = Deed(
        actor=visit.account,
        action=action.value,
        outcome=outcome,
        shop_id=visit.shop.id,
        subject=" ".join(f"{name}={value}" for name, value in things.items() if name != "slug"),
        facts={"route": route, **visit.noted},
        network=network_of_request(request),
    )
    note(visit.connection, visit.context, deed)


def network_of_request(request: HttpRequest) -> str:
    """The network that a request came from, shortened."""
    return network_of(remote_of(request.META.get("REMOTE_ADDR", ""), lambda name: request.headers.get(name, "")))


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the sign-in page and back here afterwards; a part of a page makes the whole page go there."""
    back = request.get_full_path() if request.method == "GET" else "/"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": f"{settings.LOGIN_URL}?{urlencode({'next': '/'})}"})
    return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode({'next': back})}")


def person_id_of(request: HttpRequest) -> int:
    """The signed-in person's id; 0, which nobody has, for nobody."""
    return int(request.user.pk or 0)


def _visit(request: HttpRequest, connection: Connection, slug: str) -> Visit:
    shops = shops_of_person(connection, person_id_of(request))
    here = next((shop for shop in shops if shop.slug == slug), None)
    shop = load_shop(connection, here.shop_id) if here else None
    if here is None or shop is None:
        raise Http404("there is no such shop")
    context = runtime.context()
    return Visit(
        request=request,
        connection=connection,
        context=context,
        shop=shop,
        role=here.role,
        account=request.user.get_username(),
        shops=shops,
        now=context.clock.now(),
    )
