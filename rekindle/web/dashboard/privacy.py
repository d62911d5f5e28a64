"""Which requests about personal data are there, and by when must each be answered? And: one comes in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.privacy.record import Asked, RequestError, record_request
from rekindle.engine.retention import days_of
from rekindle.lib.addresses import masked
from rekindle.store.buckets import base_bucket
from rekindle.store.privacy_requests import list_requests
from rekindle.store.retention import report
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind
from rekindle.terms.retention import KEPT
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page

KIND_NAMES: Final = {
    RequestKind.ACCESS: "Access to the data",
    RequestKind.ERASURE: "Erasure",
    RequestKind.CORRECTION: "Correction",
    RequestKind.OBJECTION: "Objection to marketing",
    RequestKind.SALE_OPT_OUT: "No sale or sharing",
    RequestKind.COMPLAINT: "Complaint",
}
_LISTS: Final = (("open", "Open", True), ("closed", "Closed", False), ("all", "All", None))
_MOST: Final = 200


@shop_view(get=Action.READ)
def privacy(visit: Visit) -> HttpResponse:
    return show_requests(visit, {})


@shop_view(post=Action.HANDLE_REQUESTS)
def add(visit: Visit) -> HttpResponse:
    """Write down a request that came in by letter, mail or telephone."""
    form = visit.request.POST
    kind = form.get("kind", "")
    try:
        if kind not in list(RequestKind):
            raise RequestError("Choose what is asked for.")
        asked = Asked(
            kind=RequestKind(kind),
            source="dashboard",
            email=form.get("email", ""),
            phone=form.get("phone", ""),
            country=form.get("country", "").strip().upper()[:2],
            note=form.get("note", ""),
            by=visit.account,
        )
        received_at = _day(form.get("received_on", ""), visit.now)
        request = record_request(visit.connection, visit.context, visit.shop, asked, received_at=received_at)
    except RequestError as mistake:
        return show_requests(visit, {"problem": str(mistake), "typed": form}, status=422)
    messages.success(visit.request, "The request was written down, with the dates by which it must be answered.")
    return HttpResponseRedirect(reverse("dashboard:privacy_request", args=[visit.shop.slug, request.id]))


def show_requests(visit: Visit, more: dict[str, object], *, status: int = 200) -> HttpResponse:
    which = visit.request.GET.get("state", "open")
    is_open = next((value for key, _, value in _LISTS if key == which), True)
    kind = visit.request.GET.get("kind", "")
    requests = list_requests(
        visit.connection,
        base_bucket(visit.shop),
        visit.shop.id,
        kind=RequestKind(kind) if kind in list(RequestKind) else None,
        is_open=is_open,
        limit=_MOST,
    )
    content: dict[str, object] = {
        "rows": [(request, KIND_NAMES[request.kind], who(request), look(request, visit.now)) for request in requests],
        "lists": [(key, label) for key, label, _ in _LISTS],
        "which": which if which in {key for key, _, _ in _LISTS} else "open",
        "kinds": [(kind.value, name) for kind, name in KIND_NAMES.items()],
        "kind": kind,
        "taken": report(visit.connection, visit.shop.id, 20),
        "kept": [(kind, days, KEPT[kind].end) for kind, days in days_of(visit.shop).items()],
        "may_handle": visit.may(Action.HANDLE_REQUESTS),
        "today": visit.now.astimezone(UTC).date().isoformat(),
    }
    return show_page(visit, "dashboard/privacy.html", {**content, **more}, section=Section.PRIVACY, status=status)


def who(request: PrivacyRequest) -> str:
    """The person as a list may show them: masked, or the beginning of the hash of who was erased."""
    shown = [masked(one.address) if one.address else f"erased {one.hash.hex()[:8]}" for one in request.subjects]
    return ", ".join(shown) or "the whole shop"


def look(request: PrivacyRequest, now: datetime) -> tuple[str, str, str]:
    """(look, icon, words) of a request's state; lateness comes before it."""
    if request.is_overdue(now):
        return "bad", "alert-triangle", "Overdue"
    if request.is_open and now >= request.escalate_at:
        return "warn", "hourglass", "Waits for long"
    return {
        "received": ("calm", "mail", "Received"),
        "verified": ("calm", "user", "Verified"),
        "answered": ("good", "circle-check", "Answered"),
        "refused": ("", "circle-x", "Refused"),
    }[request.state]


def _day(text: str, now: datetime) -> datetime | None:
    """The start of the day on which the request came in; None for today or nothing. Raises RequestError."""
    if not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise RequestError("The day on which it came in must look like 2026-03-02.") from None
    return None if day.date() == now.astimezone(UTC).date() else day
