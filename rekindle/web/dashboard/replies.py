"""What did shoppers write back, and what may have been a no? What nobody has read yet stands first."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.replies import Decided, ReplyDecision, settle_reply
from rekindle.lib.addresses import masked
from rekindle.store.hooks import strange_reports_of_shop
from rekindle.store.replies import has_reply, replies_heard, replies_waiting
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page

_MOST: Final = 200
_HEARD_FOR: Final = timedelta(days=30)
_DONE: Final = {
    Decided.STOP: "Noted: no more messages go to this address.",
    Decided.NOTHING: "Noted: it was no opt-out, and messages may go out again.",
}


@shop_view(get=Action.READ)
def replies(visit: Visit) -> HttpResponse:
    waiting = replies_waiting(visit.connection, visit.buckets, visit.shop.id, _MOST)
    content = {
        "waiting": [(reply, masked(reply.address) if reply.address else "an unknown sender") for reply in waiting],
        "heard": replies_heard(visit.connection, visit.buckets, visit.shop.id, visit.now - _HEARD_FOR, _MOST),
        "may_settle": visit.may(Action.SETTLE_SEND),
        "strange": strange_reports_of_shop(visit.connection, visit.shop.id),
    }
    return show_page(visit, "dashboard/replies.html", content, section=Section.SENDS)


@shop_view(post=Action.SETTLE_SEND)
def settle(visit: Visit, bucket: int, reply_id: UUID) -> HttpResponse:
    if bucket not in visit.buckets or not has_reply(visit.connection, bucket, reply_id, visit.shop.id):
        raise Http404("there is no such reply")
    wanted = visit.request.POST.get("choice", "")
    visit.noted["choice"] = wanted[:40]
    if wanted not in list(Decided):
        return HttpResponseBadRequest("choice must be one of " + ", ".join(Decided), content_type="text/plain")
    decision = ReplyDecision(bucket, reply_id, Decided(wanted), visit.account)
    if settle_reply(visit.connection, visit.context, visit.shop, decision):
        messages.success(visit.request, _DONE[decision.decided])
    else:
        messages.error(visit.request, "Somebody has decided about this reply already.")
    return HttpResponseRedirect(reverse("dashboard:replies", args=[visit.shop.slug]))
