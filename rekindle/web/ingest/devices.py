"""Which browser or app may show messages? Read from ``traits.push``, as the storefront script or a shop's server tells.

A browser's subscription as `PushSubscription.toJSON()` gives it, ``{"endpoint", "keys": {"p256dh", "auth"}}``, or an
app's registration token, ``{"token"}``. A subscription is only taken for a known push service: its address is called
later, and anybody may send one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from rekindle.lib.base64url import unpack
from rekindle.lib.push_endpoint import is_push_endpoint
from rekindle.terms.event import DeviceTold
from rekindle.web.ingest.problem import Findings

_AUTH: Final = 16
#: Registration tokens of Firebase: about 160 characters today, "up to 4 KB" by its documentation; ours is a row.
_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{20,2000}")
#: The curve of every subscription, P-256 (SEC 2, 2.4.2): y² = x³ - 3x + b modulo p.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def device_of(value: Any, further_hosts: Sequence[str], findings: Findings) -> DeviceTold | None:
    """The device told; a wrong one is noted and left out."""
    path = "traits.push"
    if not isinstance(value, dict):
        findings.add(path, 'must be a subscription {"endpoint", "keys"} or {"token"}')
        return None
    if "endpoint" not in value:
        return _app_of(value.get("token"), path, findings)
    endpoint, keys = value["endpoint"], value.get("keys")
    if not isinstance(endpoint, str) or not is_push_endpoint(endpoint, further_hosts):
        findings.add(f"{path}.endpoint", "must be the https address of a known push service")
        return None
    given = keys if isinstance(keys, dict) else {}
    public_key, auth = (
        unpack(text) if isinstance(text := given.get(name), str) else None for name in ("p256dh", "auth")
    )
    if public_key is None or not is_point(public_key):
        findings.add(f"{path}.keys.p256dh", "must be an uncompressed point of P-256 in base64url")
        return None
    if auth is None or len(auth) != _AUTH:
        findings.add(f"{path}.keys.auth", f"must be {_AUTH} bytes in base64url")
        return None
    return DeviceTold(address=endpoint, public_key=public_key, auth=auth)


def is_point(raw: bytes) -> bool:
    """Is this an uncompressed point of the curve P-256?"""
    if len(raw) != 65 or raw[0] != 4:
        return False
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0


def _app_of(token: object, path: str, findings: Findings) -> DeviceTold | None:
    if isinstance(token, str) and _TOKEN.fullmatch(token):
        return DeviceTold(address=token)
    findings.add(f"{path}.token", "must be the registration token of an app")
    return None
