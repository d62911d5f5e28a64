"""Which headers keep a hostile string in a page from doing anything? Set on every answer of the Django side."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

#: Images of products come from the shops' own servers: over https, and over http where we are reached so ourselves.
PICTURE_SOURCES = "https: data:" + (" http:" if settings.PUBLIC_URL.startswith("http://") else "")
#: Scripts only from our own files.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        f"img-src 'self' {PICTURE_SOURCES}",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
#: Pages that show messages in frames of our own; everything else is as strict.
WITH_FRAMES = CONTENT_SECURITY_POLICY.replace("default-src 'none'", "default-src 'none'; frame-src 'self'")
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class SecurityHeaders:
    """Django middleware: content policy on everything, no copies of pages kept (ASVS 14.3.2).

    A view that needs another policy (a sandboxed preview) sets its own header; it is left as it is. Static files are
    answered before this middleware and stay cacheable.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "no-store"
        return response
