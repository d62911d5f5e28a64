"""What does a person decide about an uncertain send? Carried out once, with their name."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.doubt import Choice, Decision, NotUncertainError, decide
from rekindle.store.dashboard.sends import is_send_of_shop
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view

_DONE: Final = {
    Choice.MARK_AS_SENT: "Noted: the message went out.",
    Choice.SEND_AGAIN: "A new message takes its place; it is decided on like any other.",
    Choice.GIVE_UP: "Given up: nothing more is sent for this step.",
}


@shop_view(post=Action.SETTLE_SEND)
def settle(visit: Visit, bucket: int, send_id: UUID) -> HttpResponse:
    if bucket not in visit.buckets or not is_send_of_shop(
        visit.connection, shop_id=visit.shop.id, bucket=bucket, send_id=send_id
    ):
        raise Http404("there is no such send")
    wanted = visit.request.POST.get("choice", "")
    if wanted not in list(Choice):
        return HttpResponseBadRequest("choice must be one of " + ", ".join(Choice), content_type="text/plain")
    choice = Choice(wanted)
    decision = Decision(shop=visit.shop, bucket=bucket, send_id=send_id, choice=choice, by=visit.account)
    try:
        decide(visit.connection, visit.context, decision)
    except NotUncertainError:
        messages.error(visit.request, "This send is not uncertain any more: somebody decided, or its answer came.")
    else:
        messages.success(visit.request, _DONE[choice])
    return HttpResponseRedirect(reverse("dashboard:sends", args=[visit.shop.slug]))
