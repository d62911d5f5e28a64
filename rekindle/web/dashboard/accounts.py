"""By which providers does a shop write, in which order, and does each of them work? The list of all accounts."""

from __future__ import annotations

from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.change_route import AccountRoute, change_route
from rekindle.store.alerts import open_alerts
from rekindle.store.provider_accounts import AccountLine, account_of_shop, accounts_of_shop
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.account_view import CHANNELS, kinds_of, moved, show_accounts, turns_of
from rekindle.web.dashboard.page import Section, show_page


@shop_view(get=Action.READ)
def accounts(visit: Visit) -> HttpResponse:
    channels = [
        {
            "key": channel.value,
            "title": title,
            "icon": icon,
            "nothing": nothing,
            "accounts": show_accounts(accounts_of_shop(visit.connection, visit.shop.id, channel.value), visit.now),
            "kinds": kinds_of(channel),
        }
        for channel, title, icon, nothing in CHANNELS
    ]
    content = {
        "channels": [one for one in channels if one["accounts"] or one["kinds"]],
        "alerts": [alert for alert in open_alerts(visit.connection, visit.shop.id) if alert.subject_id],
        "may_change": visit.may(Action.CHANGE_SHOP),
    }
    return show_page(visit, "dashboard/accounts.html", content, section=Section.ACCOUNTS)


@shop_view(post=Action.CHANGE_SHOP)
def move(visit: Visit, account_id: int) -> HttpResponse:
    """One place up or down; those between which it goes follow."""
    load_account(visit, account_id)
    direction = visit.request.POST.get("direction", "")
    if direction not in ("up", "down"):
        return HttpResponseBadRequest("direction must be up or down", content_type="text/plain")
    with visit.connection.transaction():
        account = load_account(visit, account_id)
        beside = accounts_of_shop(visit.connection, visit.shop.id, account.channel)
        places = moved(turns_of(beside), account.id, up=direction == "up")
        for one in beside:
            put_route(visit, one, position=places[one.id] - 1)
    return HttpResponseRedirect(reverse("dashboard:accounts", args=[visit.shop.slug]))


def load_account(visit: Visit, account_id: int) -> AccountLine:
    account = account_of_shop(visit.connection, visit.shop.id, account_id)
    if account is None:
        raise Http404("there is no such account")
    return account


def put_route(visit: Visit, account: AccountLine, *, position: int) -> None:
    """The same account at another place; nothing is written when it is there already."""
    if account.position == position:
        return
    route = AccountRoute(position=position, weight=account.weight, limits=account.limits or {}, enabled=account.enabled)
    change_route(visit.connection, visit.context, visit.shop, account.id, route, by=person_id_of(visit.request))
