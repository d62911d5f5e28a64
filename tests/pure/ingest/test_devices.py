"""Which subscriptions and tokens are taken, and which are named as wrong?"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rekindle.lib.base64url import pack
from rekindle.terms.event import ConsentGiven, DeviceTold
from rekindle.web.ingest.devices import device_of, is_point
from rekindle.web.ingest.problem import Findings

from .reading import read, read_with_findings

POINT = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA"
GIVEN: dict[str, Any] = {
    "endpoint": ENDPOINT,
    "expirationTime": None,
    "keys": {"p256dh": pack(POINT), "auth": pack(b"a" * 16)},
}


def identify(push: object) -> dict[str, object]:
    consent = {"push": {"granted": True, "wording": "Yes."}}
    return {
        "type": "identify",
        "anonymousId": "v1",
        "messageId": "m1",
        "timestamp": "2026-03-02T08:59:30Z",
        "traits": {"push": push, "consent": consent, "club": "gold"},
    }


def test_a_browsers_subscription_is_read_and_kept_nowhere_else() -> None:
    event = read(identify(GIVEN))
    assert event.device == DeviceTold(address=ENDPOINT, public_key=POINT, auth=b"a" * 16)
    assert event.consents == (ConsentGiven(channel="push", granted=True, wording="Yes."),)
    assert event.traits == {"club": "gold"}
    assert b"push.services" not in event.payload
    assert "gAAAAA" not in repr(event)


def test_an_apps_token_is_read() -> None:
    token = "fGx:APA91b" + "x" * 140
    assert read(identify({"token": token})).device == DeviceTold(address=token)


def test_a_device_is_somebody_even_without_a_visitor() -> None:
    message = identify(GIVEN)
    del message["anonymousId"]
    assert read(message).device is not None


@pytest.mark.parametrize(
    ("push", "path"),
    [
        ("yes", "traits.push"),
        ([], "traits.push"),
        ({}, "traits.push.token"),
        ({"token": "short"}, "traits.push.token"),
        ({"token": "x" * 3_000}, "traits.push.token"),
        ({"token": "with blanks in it and so on"}, "traits.push.token"),
        (GIVEN | {"endpoint": "https://evil.example/x"}, "traits.push.endpoint"),
        (GIVEN | {"endpoint": "https://10.0.0.1/x"}, "traits.push.endpoint"),
        (GIVEN | {"endpoint": "http://web.push.apple.com/x"}, "traits.push.endpoint"),
        (GIVEN | {"endpoint": 5}, "traits.push.endpoint"),
        (GIVEN | {"keys": None}, "traits.push.keys.p256dh"),
        (GIVEN | {"keys": {"p256dh": pack(POINT)}}, "traits.push.keys.auth"),
        (GIVEN | {"keys": {"p256dh": pack(POINT), "auth": pack(b"a" * 15)}}, "traits.push.keys.auth"),
        (GIVEN | {"keys": {"p256dh": pack(POINT[:-1]), "auth": pack(b"a" * 16)}}, "traits.push.keys.p256dh"),
        (GIVEN | {"keys": {"p256dh": pack(b"\4" + b"\1" * 64), "auth": pack(b"a" * 16)}}, "traits.push.keys.p256dh"),
        (GIVEN | {"keys": {"p256dh": "ä", "auth": pack(b"a" * 16)}}, "traits.push.keys.p256dh"),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_of_the_event_kept(push: object, path: str) -> None:
    event, problems = read_with_findings(identify(push))
    assert [problem.path for problem in problems] == [path]
    assert event.device is None
    assert event.traits == {"club": "gold"}


def test_the_operator_may_know_further_services() -> None:
    own = GIVEN | {"endpoint": "http://127.0.0.1:8090/notify/1"}
    assert device_of(own, (), Findings()) is None
    told = device_of(own, ("http://127.0.0.1:8090",), Findings())
    assert told is not None
    assert told.address == own["endpoint"]


def test_points_of_the_curve() -> None:
    for _ in range(5):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        assert is_point(raw)
        assert not is_point(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert not is_point(b"\4" + b"\xff" * 64)
    assert not is_point(b"")
