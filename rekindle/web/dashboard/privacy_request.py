"""What is known about one request, what was done, and what may be done next?"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.privacy.export import take_file
from rekindle.engine.privacy.record import RequestError
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.policy.request_steps import allowed_steps
from rekindle.store.buckets import base_bucket
from rekindle.store.privacy_requests import history, load_request
from rekindle.store.subject_exports import exports_of_request, has_export
from rekindle.terms.privacy_request import Happened, PrivacyRequest, Step
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.privacy import KIND_NAMES, look, who

#: What each step is called on its button, what it means, and whether it must be confirmed or explained.
_STEPS: Final = {
    Step.VERIFY: ("It is the person", "You have made sure that the request comes from the person.", ""),
    Step.ACKNOWLEDGE: ("Acknowledged", "You told the person that the request came in.", ""),
    Step.EXTEND: ("Take longer", "The law's longer term. Tell the person, within the first one, and why.", "why"),
    Step.EXPORT: ("Make the file", "A worker gathers everything that is kept about the person.", ""),
    Step.ERASE: ("Erase", "Names, addresses and contents go for good; sums stay. It cannot be undone.", "sure"),
    Step.CORRECT: ("Correct", "Put in what is right.", "values"),
    Step.OBJECT: ("Stop everything", "No message on any channel and no profile any more.", ""),
    Step.STOP_SALE: ("Stop passing on", "Nothing about the person goes to analytics or advertising.", ""),
    Step.ANSWER: ("Answered", "The person has the answer; the request is closed.", ""),
    Step.REFUSE: ("Refuse", "Closed without doing it. Tell the person why, and whom they may complain to.", "why"),
    Step.NOTE: ("Add a note", "Kept in the history for everybody who may see this page.", "why"),
}
_DONE: Final = {
    Step.VERIFY: "Noted: the request comes from the person.",
    Step.ACKNOWLEDGE: "Noted: the person knows that it came in.",
    Step.EXTEND: "The longer term holds.",
    Step.EXPORT: "A worker makes the file; it is here in a moment.",
    Step.ERASE: "The person is erased, and nothing brings them back.",
    Step.CORRECT: "Corrected.",
    Step.OBJECT: "Nothing is sent to the person any more, and nothing is profiled.",
    Step.STOP_SALE: "Nothing about the person is passed on any more.",
    Step.ANSWER: "The request is answered.",
    Step.REFUSE: "The request is refused.",
    Step.NOTE: "The note is kept.",
}
_SAID: Final[dict[str, str]] = {
    Happened.RECEIVED: "came in",
    Happened.ESCALATED: "has waited for long",
    Happened.EXPORTED: "the file is ready",
    Happened.EXPORT_FAILED: "the file could not be made",
    Happened.DOWNLOADED: "the file was taken",
    Happened.EXPIRED: "the file was thrown away",
    Step.VERIFY: "the person was verified",
    Step.ACKNOWLEDGE: "acknowledged to the person",
    Step.EXTEND: "took the longer term",
    Step.EXPORT: "ordered the file",
    Step.ERASE: "erased the person",
    Step.CORRECT: "corrected the data",
    Step.OBJECT: "stopped messages and profiling",
    Step.STOP_SALE: "stopped passing on",
    Step.ANSWER: "answered",
    Step.REFUSE: "refused",
    Step.NOTE: "noted",
}


@shop_view(get=Action.READ)
def privacy_request(visit: Visit, request_id: UUID) -> HttpResponse:
    return show_request(visit, _find(visit, request_id), {})


@shop_view(post=Action.HANDLE_REQUESTS)
def reveal(visit: Visit, request_id: UUID) -> HttpResponse:
    """The address in full, to answer the person; the log says who asked for it."""
    request = _find(visit, request_id)
    full = ", ".join(one.address for one in request.subjects if one.address)
    return show_request(visit, request, {"full": full})


@shop_view(post=Action.HANDLE_REQUESTS)
def step(visit: Visit, request_id: UUID) -> HttpResponse:
    request = _find(visit, request_id)
    form = visit.request.POST
    wanted = form.get("choice", "")
    if wanted not in list(Step):
        return HttpResponseBadRequest("choice must be one of " + ", ".join(Step), content_type="text/plain")
    visit.noted["step"] = wanted
    values = {name: form.get(name, "") for name in ("first_name", "last_name", "email", "phone")}
    taken = Taken(step=Step(wanted), by=visit.account, text=form.get("text", ""), values=values)
    try:
        take_step(visit.connection, visit.context, visit.shop, request.id, taken)
    except RequestError as mistake:
        return show_request(visit, request, {"problem": str(mistake)}, status=422)
    messages.success(visit.request, _DONE[taken.step])
    return HttpResponseRedirect(reverse("dashboard:privacy_request", args=[visit.shop.slug, request.id]))


@shop_view(post=Action.HANDLE_REQUESTS)
def download(visit: Visit, export_id: UUID) -> HttpResponse:
    """Hand a file out, once; by POST, so that nothing that only follows links takes it."""
    if not has_export(visit.connection, base_bucket(visit.shop), export_id, visit.shop.id):
        raise Http404("there is no such file")
    try:
        taken = take_file(visit.connection, visit.context, visit.shop, export_id, by=visit.account)
    except RequestError as mistake:
        return HttpResponse(f"{mistake}\n", status=410, content_type="text/plain; charset=utf-8")
    headers = {"Content-Disposition": f'attachment; filename="{taken.name}"'}
    return HttpResponse(taken.content, content_type="application/zip", headers=headers)


def show_request(visit: Visit, request: PrivacyRequest, more: dict[str, object], *, status: int = 200) -> HttpResponse:
    steps = [(one.value, *_STEPS[one]) for one in allowed_steps(request)]
    content: dict[str, object] = {
        "request_row": request,
        "kind_name": KIND_NAMES[request.kind],
        "who": who(request),
        "may_handle": visit.may(Action.HANDLE_REQUESTS),
        "has_address": any(one.address for one in request.subjects),
        "look": look(request, visit.now),
        "steps": steps,
        "files": exports_of_request(visit.connection, request.bucket, request.id),
        "lines": [(line, _SAID.get(line.what, line.what)) for line in history(visit.connection, request)],
    }
    page = {**content, **more}
    return show_page(visit, "dashboard/privacy_request.html", page, section=Section.PRIVACY, status=status)


def _find(visit: Visit, request_id: UUID) -> PrivacyRequest:
    request = load_request(visit.connection, base_bucket(visit.shop), visit.shop.id, request_id)
    if request is None:
        raise Http404("there is no such request")
    return request
