"""What goes to Firebase, held against its discovery document; what its answers mean; how its token is had."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from rekindle.lib.clock import MovableClock
from rekindle.providers.base import (
    Accepted,
    Device,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    PushProvider,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import Answer
from rekindle.providers.over_http import UnsendableError
from rekindle.providers.push.fcm import Fcm, FcmProvider, PushToOne
from tests.providers.apis import CLOCK, local_client
from tests.providers.fcm_mock import hold_against
from tests.providers.http_server import RESET, Got, Reply, serving
from tests.providers.letters import run
from tests.providers.push_kit import KEY_FILE, RSA_PUBLIC, key_file, push, send, unpack
from tests.providers.shared_contracts import load

PHONE = Device(id="d1", address="token-of-phone-1")
NAME = "projects/demo-shop/messages/0:1500415314455276%31bd1c96"
ACCOUNT = Fcm(key_file=KEY_FILE, clock=CLOCK)


def token(value: str = "ya29.token", expires_in: object = 3599) -> Reply:
    return Reply.of(200, {"access_token": value, "expires_in": expires_in, "token_type": "Bearer"})


def sent(got: Got) -> Reply:
    return Reply.of(200, {"name": NAME})


def fcm(url: str, clock: MovableClock = CLOCK) -> FcmProvider:
    return FcmProvider(local_client(), Fcm(key_file=key_file(f"{url}/token"), base_url=url, clock=clock))


def test_signs_in_once_and_sends_to_every_device() -> None:
    async def work() -> None:
        async with serving(token(), sent, sent, sent) as server:
            one = fcm(server.url)
            assert isinstance(one, PushProvider)
            await one.open()
            tablet = Device(id="d2", address="token-of-tablet")
            assert await send(one, push(PHONE, tablet)) == [Accepted(NAME, "200 (2 of 2 devices)")]
            assert await send(one, push(PHONE)) == [Accepted(NAME, "200 (1 of 1 devices)")]
            signing, *messages = server.got
            assert [got.target for got in messages] == ["/v1/projects/demo-shop/messages:send"] * 3
            assert {got.headers["authorization"] for got in messages} == {"Bearer ya29.token"}
            assert {got.json["message"]["token"] for got in messages} == {PHONE.address, tablet.address}  # type: ignore[index]
            check_assertion(signing, server.url)
            await one.close()

    run(work())


def check_assertion(got: Got, url: str) -> None:
    form = parse_qs(got.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    signed, _, signature = form["assertion"][0].rpartition(".")
    RSA_PUBLIC.verify(unpack(signature), signed.encode(), PKCS1v15(), SHA256())
    head, claims = (json.loads(unpack(part)) for part in signed.split("."))
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    now = int(CLOCK.now().timestamp())
    assert claims == {
        "iss": "push@demo-shop.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": f"{url}/token",
        "iat": now,
        "exp": now + 3600,
    }


def test_the_token_is_fetched_again_before_it_ends() -> None:
    async def work() -> None:
        clock = MovableClock(CLOCK.now())
        async with serving(token("first"), sent, sent, token("second"), sent) as server:
            one = fcm(server.url, clock)
            await send(one, push(PHONE))
            clock.advance(timedelta(seconds=3200))
            await send(one, push(PHONE))
            clock.advance(timedelta(seconds=200))
            await send(one, push(PHONE))
            used = [got.headers["authorization"] for got in server.got if "authorization" in got.headers]
            assert used == ["Bearer first", "Bearer first", "Bearer second"]
            await one.close()

    run(work())


@pytest.mark.parametrize(
    ("reply", "pause"),
    [
        (Reply.of(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}), Pause.OPERATOR),
        (Reply.of(401, {"error": "invalid_client"}), Pause.OPERATOR),
        (Reply.of(503, {}, Retry_After="30"), Pause.BACK_OFF),
        (Reply.of(500), Pause.BACK_OFF),
        (Reply.of(200, {"access_token": "a b", "expires_in": 3600}), Pause.BACK_OFF),
        (Reply.of(200, {"access_token": "x", "expires_in": 0}), Pause.BACK_OFF),
        (RESET, Pause.BACK_OFF),
    ],
)
def test_without_a_token_nothing_starts_and_the_account_says_why(reply: Reply, pause: Pause) -> None:
    async def work() -> None:
        async with serving(reply, reply) as server:
            one = fcm(server.url)
            one.expect([push(PHONE)])
            assert await one.prepare(1) == 0
            assert one.trouble is not None
            assert one.trouble.pause is pause
            (outcome,) = [await future for future in one.start([push(PHONE)])]
            assert isinstance(outcome, NotStarted)
            assert all(got.target == "/token" for got in server.got)
            assert "PRIVATE" not in one.trouble.detail
            await one.close()

    run(work())


def test_a_token_that_is_refused_is_fetched_anew_once_and_then_a_person_is_asked() -> None:
    refused = Reply.of(401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "expired"}})

    async def work() -> None:
        clock = MovableClock(CLOCK.now())
        async with serving(token(), sent, refused, token("new"), refused) as server:
            one = fcm(server.url, clock)
            await send(one, push(PHONE))
            clock.advance(timedelta(seconds=600))
            (first,) = await send(one, push(PHONE))
            (second,) = await send(one, push(PHONE))
            assert isinstance(first, NotStarted)
            assert isinstance(second, NotStarted)
            assert (first.pause, second.pause) == (Pause.NONE, Pause.OPERATOR)
            await one.close()

    run(work())


def error(status: int, name: str, code: str = "", *fields: str, **headers: str) -> Outcome:
    details: list[object] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if fields:
        violations = [{"field": one, "description": "wrong"} for one in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    body = {"error": {"code": status, "message": f"about {PHONE.address}", "status": name, "details": details}}
    answer = Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(body).encode())
    return ACCOUNT.outcome(answer, PushToOne(push(PHONE), PHONE))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (error(404, "NOT_FOUND", "UNREGISTERED"), (True, "UNREGISTERED", Fault.RECIPIENT)),
        (
            error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.token"),
            (True, "INVALID_ARGUMENT", Fault.RECIPIENT),
        ),
        (error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), (True, "INVALID_ARGUMENT", Fault.LETTER)),
        (error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), (True, "SENDER_ID_MISMATCH", Fault.LETTER)),
        (error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), (False, "THIRD_PARTY_AUTH_ERROR", Fault.PROVIDER)),
        (error(500, "INTERNAL", "INTERNAL"), (False, "INTERNAL", Fault.PROVIDER)),
        (error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", retry_after="60"), (Pause.BACK_OFF, 60.0)),
        (error(503, "UNAVAILABLE", "UNAVAILABLE"), (Pause.BACK_OFF, None)),
        (error(403, "PERMISSION_DENIED"), (Pause.OPERATOR, None)),
        (error(404, "NOT_FOUND"), (Pause.OPERATOR, None)),
    ],
)
def test_googles_errors(outcome: Outcome, expected: tuple[object, ...]) -> None:
    assert PHONE.address not in outcome.detail
    if isinstance(outcome, Rejected):
        assert (outcome.permanent, outcome.code, outcome.fault) == expected
    else:
        assert isinstance(outcome, NotStarted)
        assert (outcome.pause, outcome.retry_after_s) == expected


@pytest.mark.parametrize(("status", "body"), [(200, b"{}"), (200, b"<html>"), (502, b""), (500, b"<html>")])
def test_only_a_name_is_an_acceptance(status: int, body: bytes) -> None:
    assert isinstance(ACCOUNT.outcome(Answer(status, {}, body), PushToOne(push(PHONE), PHONE)), Uncertain)


def test_the_request_is_what_the_discovery_document_describes() -> None:
    document = load("fcm/fcm.v1.json")
    method = document["resources"]["projects"]["resources"]["messages"]["methods"]["send"]
    plain = push(PHONE, image="", actions=(), is_urgent=True)
    for request in (
        *(ACCOUNT.request(PushToOne(one, PHONE)) for one in (push(PHONE), plain)),
        ACCOUNT.check_request(),
    ):
        assert request.method == method["httpMethod"]
        assert request.target == "/" + method["path"].replace("{+parent}", "projects/demo-shop")
        assert re.fullmatch(method["parameters"]["parent"]["pattern"], "projects/demo-shop")
        faults: list[str] = []
        hold_against(document["schemas"], method["request"]["$ref"], json.loads(request.body), "", faults)
        assert faults == []


def test_the_document_would_find_a_mistake() -> None:
    schemas = load("fcm/fcm.v1.json")["schemas"]
    wrong = {
        "message": {"tokn": "x", "data": {"n": 1}, "android": {"priority": "SOON", "ttl": 5}},
        "validateOnly": "yes",
    }
    faults: list[str] = []
    hold_against(schemas, "SendMessageRequest", wrong, "", faults)
    assert len(faults) == 5


def test_iphones_get_what_apple_understands() -> None:
    body = json.loads(ACCOUNT.request(PushToOne(push(PHONE), PHONE)).body)
    apns = body["message"]["apns"]
    assert apns["headers"] == {
        "apns-push-type": "alert",
        "apns-priority": "5",
        "apns-expiration": str(int(CLOCK.now().timestamp()) + 14_400),
        "apns-collapse-id": "cart-0190c3a25e3b",
    }
    assert apns["payload"]["aps"]["alert"] == {"title": "Dein Korb wartet", "body": "Größe 42 – noch da 😀"}
    assert apns["payload"]["aps"]["mutable-content"] == 1
    assert body["message"]["data"]["url"] == "https://r.example/r/abc"


@pytest.mark.parametrize("changes", [{"valid_for_s": 0}, {"topic": "a b"}, {"body": "x" * 4_100}, {"title": "\ud800"}])
def test_what_firebase_would_refuse_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsendableError):
        ACCOUNT.request(PushToOne(push(PHONE, **changes), PHONE))


@pytest.mark.parametrize(
    "file",
    [
        "",
        "{}",
        "[1]",
        key_file(type="authorized_user"),
        key_file(project_id="../x"),
        key_file(private_key="none"),
        key_file(client_email=None),
    ],
)
def test_what_is_no_key_file_is_told_to_the_person(file: str) -> None:
    with pytest.raises(ValueError, match=r"key file|private key"):
        Fcm(key_file=file)


def test_credentials_are_tried_without_sending() -> None:
    async def work() -> None:
        async with serving(token(), sent, Reply.of(403, {"error": {"status": "PERMISSION_DENIED"}})) as server:
            one = fcm(server.url)
            assert await one.check() is None
            assert server.got[1].json["validateOnly"] is True  # type: ignore[index]
            refused = await one.check()
            assert refused is not None
            assert refused.pause is Pause.OPERATOR
            await one.close()

    run(work())
