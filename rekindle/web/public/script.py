"""The scripts that shops put on their pages and into their service worker: built files, each with its hash as ETag."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings

from rekindle.web.http import ANY_ORIGIN, NO_STORE, Answer, Request, not_allowed

#: Browsers ask again after five minutes, and may use the old one for a day meanwhile.
_CACHE = "public, max-age=300, stale-while-revalidate=86400"


def storefront(request: Request) -> Answer:
    """`/s/rekindle.js`."""
    return _built(request, "storefront.js")


def push_worker(request: Request) -> Answer:
    """`/s/push-worker.js`."""
    return _built(request, "push-worker.js")


def _built(request: Request, name: str) -> Answer:
    if request.method not in ("GET", "HEAD"):
        return not_allowed("GET", "HEAD")
    built = _read(name)
    if built is None:
        hint = b"/* This script is not built: run `make setup` where Rekindle is installed. */\n"
        return Answer(404, hint, "text/javascript; charset=utf-8", NO_STORE)
    text, tag = built
    headers = {
        **ANY_ORIGIN,
        "Cache-Control": _CACHE,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": tag,
    }
    if tag in (told.strip().removeprefix("W/") for told in request.header("if-none-match").split(",")):
        return Answer(304, headers=headers)
    return Answer(200, text, "text/javascript; charset=utf-8", headers)


def _read(name: str) -> tuple[bytes, str] | None:
    path = Path(settings.BASE_DIR) / "web" / "static" / "dist" / name
    try:
        stamp = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _load(path, stamp)


@cache
def _load(path: Path, _stamp: int) -> tuple[bytes, str]:
    text = path.read_bytes()
    return text, f'"{hashlib.sha256(text).hexdigest()[:20]}"'
