"""How is a flow switched on and off by a person? One POST each, asked for in a dialog first."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.flows import activate_flow, deactivate_flow
from rekindle.store.dashboard.flows import flows_of_shop
from rekindle.terms.flow import FlowError
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view


@shop_view(post=Action.SWITCH_FLOW)
def switch_on(visit: Visit, key: str) -> HttpResponse:
    _known(visit, key)
    try:
        saved = activate_flow(visit.connection, visit.context, visit.shop, key, by=visit.account)
    except FlowError as mistake:
        messages.error(visit.request, f"The flow stays off: {mistake}.")
    else:
        messages.success(visit.request, f"The flow is on with version {saved.number}. Carts left from now on enter it.")
    return HttpResponseRedirect(reverse("dashboard:flow", args=[visit.shop.slug, key]))


@shop_view(post=Action.SWITCH_FLOW)
def switch_off(visit: Visit, key: str) -> HttpResponse:
    _known(visit, key)
    end_running = visit.request.POST.get("end_running") == "yes"
    visit.noted["end_running"] = end_running
    ended = deactivate_flow(visit.connection, visit.context, visit.shop, key, end_running=end_running, by=visit.account)
    runs = f" {ended:,} run{'' if ended == 1 else 's'} ended." if end_running else " What is under way goes on."
    messages.success(visit.request, f"The flow is off.{runs}")
    return HttpResponseRedirect(reverse("dashboard:flow", args=[visit.shop.slug, key]))


def _known(visit: Visit, key: str) -> None:
    if not any(line.key == key for line in flows_of_shop(visit.connection, visit.shop.id)):
        raise Http404("there is no such flow")
