"""How is a request to Amazon signed? Signature Version 4, for requests with a body and a fixed host.

Source: AWS "Signature Version 4 signing process" (canonical request, string to sign, signing key); checked against its
published test suite.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from rekindle.lib.clock import require_aware
from rekindle.providers.http_client import Request


@dataclass(frozen=True, slots=True)
class AwsKey:
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed_headers(request: Request, key: AwsKey, *, host: str, region: str, service: str, at: datetime) -> Request:
    """The same request with its date and signature. ``host`` as it goes into the Host header."""
    stamp = require_aware(at).strftime("%Y%m%dT%H%M%SZ")
    headers = (*request.headers, ("X-Amz-Date", stamp))
    if key.session_token:
        headers = (*headers, ("X-Amz-Security-Token", key.session_token))
    signature = authorization(
        Request(request.method, request.target, headers, request.body), key, host=host, region=region, service=service
    )
    return Request(request.method, request.target, (*headers, ("Authorization", signature)), request.body)


def authorization(request: Request, key: AwsKey, *, host: str, region: str, service: str) -> str:
    """The Authorization header; the request must carry its X-Amz-Date."""
    signed = sorted([("host", host), *((name.lower(), " ".join(value.split())) for name, value in request.headers)])
    names = ";".join(name for name, _ in signed)
    path, _, query = request.target.partition("?")
    canonical = "\n".join(
        (
            request.method,
            quote(path, safe="/-_.~%"),
            _query(query),
            *(f"{name}:{value}" for name, value in signed),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    stamp = dict(signed)["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    secret = signing_key(key.secret_key, stamp[:8], region, service)
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={key.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"


@lru_cache(maxsize=64)
def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """Good for one day (``YYYYMMDD``), region and service."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs))
