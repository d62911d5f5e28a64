"""How does an e-mail look? A page of its own for a sandboxed frame: no script runs, no form is sent."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render

from rekindle.engine.preview import preview_email
from rekindle.terms.role import Action
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
    made = preview_email(visit.connection, visit.context, visit.shop, version_id)
    if made is None:
        raise Http404("there is no such template")
    if made.email is None:
        response = render(visit.request, "dashboard/no_preview.html", {"verdict": made.verdict})
    else:
        response = HttpResponse(_with_base(made.email.html))
    response["Content-Security-Policy"] = _POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _with_base(html: str) -> str:
    head = html.lower().find("<head>")
    at = head + len("<head>") if head >= 0 else 0
    return html[:at] + _NOWHERE + html[at:]
