"""How does a message look? A page of its own for a sandboxed frame: no script runs, no form is sent.

A letter as it is; a text message on a phone, with what it costs; a push message as a device shows it.
"""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render

from rekindle.engine.preview import content_of, preview_email
from rekindle.engine.preview_short import TextPreview, preview_short
from rekindle.terms.decision import Verdict
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.security import PICTURE_SOURCES

_POLICY = (
    f"sandbox; default-src 'none'; img-src {PICTURE_SOURCES}; style-src 'unsafe-inline'; frame-ancestors 'self';"
    " base-uri 'none'; form-action 'none'"
)
#: Links of a preview would leave the frame for a window that its sandbox does not let it open: a click does nothing.
_NOWHERE = '<base target="_blank">'


@shop_view(get=Action.READ)
def preview(visit: Visit, version_id: int) -> HttpResponse:
    content = content_of(visit.connection, visit.shop, version_id)
    if content is None:
        raise Http404("there is no such template")
    response = _letter(visit, version_id) if content.channel == Channel.EMAIL else _short(visit, version_id)
    response["Content-Security-Policy"] = _POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _letter(visit: Visit, version_id: int) -> HttpResponse:
    made = preview_email(visit.connection, visit.context, visit.shop, version_id)
    if made is None:
        raise Http404("there is no such template")
    return _refused(visit, made.verdict) if made.email is None else HttpResponse(_with_base(made.email.html))


def _short(visit: Visit, version_id: int) -> HttpResponse:
    made = preview_short(visit.connection, visit.context, visit.shop, version_id)
    if made is None:
        raise Http404("there is no such template")
    if isinstance(made, Verdict):
        return _refused(visit, made)
    name = "preview_sms" if isinstance(made, TextPreview) else "preview_push"
    return render(visit.request, f"dashboard/{name}.html", {"visit": visit, "made": made})


def _refused(visit: Visit, verdict: Verdict | None) -> HttpResponse:
    return render(visit.request, "dashboard/no_preview.html", {"verdict": verdict})


def _with_base(html: str) -> str:
    head = html.lower().find("<head>")
    at = head + len("<head>") if head >= 0 else 0
    return html[:at] + _NOWHERE + html[at:]
