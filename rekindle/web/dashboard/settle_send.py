"""What does a person decide about an uncertain or failed send? Carried out once, with their name."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.doubt import Choice, Decision, NotUncertainError, decide
from rekindle.engine.look_up import Finding, look_up
from rekindle.store.dashboard.sends import is_send_of_shop
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.templatetags.dashboard import in_full

LOOK_UP: Final = "look_up"
_DONE: Final = {
    Choice.MARK_AS_SENT: "Noted: the message went out.",
    Choice.SEND_AGAIN: "A new message takes its place; it is decided on like any other.",
    Choice.GIVE_UP: "Closed: nothing more is sent for this step.",
    Choice.REPEAT_FAILED: "A new message takes its place; it is decided on like any other.",
}
_GONE: Final = "Nothing was done: this send is not open any more. Somebody decided, or its answer came."
_FOUND: Final = {
    Finding.TAKEN: "The provider took it: noted as sent.",
    Finding.NOT_TAKEN: "The provider never got it: it goes out again, decided on like any other.",
    Finding.UNKNOWN: "The provider gave no answer that settles it. Ask again later, or look into its log.",
    Finding.CANNOT_ASK: "This provider cannot be asked about single messages. Look into its log.",
    Finding.SETTLED: _GONE,
}


@shop_view(post=Action.SETTLE_SEND)
def settle(visit: Visit, bucket: int, send_id: UUID) -> HttpResponse:
    if bucket not in visit.buckets or not is_send_of_shop(
        visit.connection, shop_id=visit.shop.id, bucket=bucket, send_id=send_id
    ):
        raise Http404("there is no such send")
    wanted = visit.request.POST.get("choice", "")
    visit.noted["choice"] = wanted[:40]
    if wanted == LOOK_UP:
        _look_up(visit, bucket, send_id)
    elif wanted in list(Choice):
        _decide(
            visit, Decision(shop=visit.shop, bucket=bucket, send_id=send_id, choice=Choice(wanted), by=visit.account)
        )
    else:
        known = ", ".join((LOOK_UP, *Choice))
        return HttpResponseBadRequest(f"choice must be one of {known}", content_type="text/plain")
    return HttpResponseRedirect(reverse("dashboard:doubts", args=[visit.shop.slug]))


def _decide(visit: Visit, decision: Decision) -> None:
    try:
        decide(visit.connection, visit.context, decision)
    except NotUncertainError:
        messages.error(visit.request, _GONE)
    else:
        messages.success(visit.request, _DONE[decision.choice])


def _look_up(visit: Visit, bucket: int, send_id: UUID) -> None:
    found = look_up(visit.connection, visit.context, visit.shop, bucket=bucket, send_id=send_id, by=visit.account)
    if found.finding is Finding.TOO_EARLY and found.ask_at is not None:
        at = in_full(found.ask_at, visit.shop.timezone)
        messages.warning(visit.request, f"It is too early: before {at} a no would not be certain.")
    elif found.finding in (Finding.TAKEN, Finding.NOT_TAKEN):
        messages.success(visit.request, _FOUND[found.finding])
    else:
        messages.warning(visit.request, _FOUND[found.finding])
