"""What goes out to the gateways, what their answers mean, and what Twilio's list tells afterwards."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rekindle.lib.clock import MovableClock
from rekindle.providers.base import (
    Accepted,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Sms,
    SmsProvider,
    SmsTrace,
    Uncertain,
)
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.over_http import Dialect, HttpProvider, UnsendableError
from rekindle.providers.sms.twilio import Twilio
from rekindle.providers.sms.vonage import Vonage
from tests.providers.apis import local_client
from tests.providers.http_server import RESET, Reply, form, serving
from tests.providers.letters import outcomes, run

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT = "AC" + "0" * 31 + "1"
SID = "SM" + "a" * 32
_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SMS = Sms(
    send_id="7-0190c3a2-5e3b-7a11-8000-0123456789ab",
    recipient="+4915112345678",
    text="Dein Korb wartet: https://r.example/c/abc?x=1&y=+ Größe 😀",
    valid_for_s=3_600,
    sender="+15550100002",
    report_url="https://rekindle.example/hooks/twilio/tok",
)


def twilio(url: str = "https://api.example", **changes: Any) -> Twilio:
    return Twilio(**{"account_sid": ACCOUNT, "secret": "canary-token", "base_url": url, **changes})


def vonage(url: str = "https://api.example", clock: MovableClock | None = None) -> Vonage:
    return Vonage(
        application_id="0190c3a2-5e3b-7a11-8000-0123456789ab",
        private_key=PEM,
        base_url=url,
        clock=clock or MovableClock(NOW),
    )


def outcome_of(dialect: Dialect[Sms, SmsTrace], status: int, body: object, **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dialect.outcome(Answer(status, {k.replace("_", "-").lower(): v for k, v in headers.items()}, raw), SMS)


def header(request: Request, name: str) -> str:
    return dict(request.headers)[name]


# -- Twilio -----------------------------------------------------------------------------------------------------------------


def test_twilio_gets_a_form_with_the_send_in_its_callback() -> None:
    request = twilio().request(SMS)
    assert request.target == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert b"To=%2B4915112345678" in request.body
    assert b"+" not in request.body
    fields = form(request.body)
    assert fields == {
        "To": SMS.recipient,
        "Body": SMS.text,
        "ValidityPeriod": "3600",
        "From": "+15550100002",
        "StatusCallback": f"https://rekindle.example/hooks/twilio/tok?send_id={SMS.send_id}",
    }
    assert b64decode(header(request, "Authorization").split()[1]).decode() == f"{ACCOUNT}:canary-token"


def test_twilio_may_choose_the_sender_and_use_an_api_key() -> None:
    key, service = "SK" + "b" * 32, "MG" + "c" * 32
    request = twilio(key_sid=key, messaging_service=service).request(replace(SMS, sender=""))
    fields = form(request.body)
    assert fields["MessagingServiceSid"] == service
    assert "From" not in fields
    assert b64decode(header(request, "Authorization").split()[1]).decode().startswith(key)


@pytest.mark.parametrize(
    "changes",
    [{"text": ""}, {"text": "x" * 1_601}, {"valid_for_s": 0}, {"valid_for_s": -5}, {"sender": ""}, {"text": "\ud800"}],
)
def test_what_twilio_would_refuse_or_deliver_late_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsendableError):
        twilio().request(replace(SMS, **changes))


def test_validity_never_exceeds_what_twilio_allows() -> None:
    assert form(twilio().request(replace(SMS, valid_for_s=99_999)).body)["ValidityPeriod"] == "36000"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21610, Rejected(True, "21610", "", Fault.OPTED_OUT)),
        (400, 21211, Rejected(True, "21211", "", Fault.RECIPIENT)),
        (400, 21614, Rejected(True, "21614", "", Fault.RECIPIENT)),
        (400, 21635, Rejected(True, "21635", "", Fault.RECIPIENT)),
        (400, 21617, Rejected(True, "21617", "", Fault.LETTER)),
        (400, 21612, Rejected(True, "21612", "", Fault.LETTER)),
        (400, 21604, Rejected(True, "21604", "", Fault.LETTER)),
        (400, 99999, Rejected(True, "99999", "", Fault.LETTER)),
        (400, 21603, NotStarted("21603", "", Pause.OPERATOR)),
        (400, 21408, NotStarted("21408", "", Pause.OPERATOR)),
        (401, 20003, NotStarted("20003", "", Pause.OPERATOR)),
        (403, 20008, NotStarted("20008", "", Pause.OPERATOR)),
        (429, 20429, NotStarted("20429", "", Pause.BACK_OFF, 1.0)),
        (503, 20503, NotStarted("20503", "", Pause.BACK_OFF, 1.0)),
        (500, 20500, Rejected(False, "20500", "", Fault.PROVIDER)),
    ],
)
def test_twilios_codes(status: int, code: int, expected: Outcome) -> None:
    body = {"code": code, "message": f"about {SMS.recipient}", "status": status}
    found = outcome_of(twilio(), status, body, Retry_After="1")
    assert replace(found, detail="") == expected  # type: ignore[type-var]
    assert SMS.recipient not in found.detail
    assert str(code) in found.detail


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (201, {"sid": SID, "status": "queued"}, Accepted),
        (201, {"sid": "x"}, Uncertain),
        (201, b"<html>", Uncertain),
        (200, b"", Uncertain),
        (204, b"", Uncertain),
        (500, b"<html>", Uncertain),
        (502, b"", Uncertain),
        (503, b"", NotStarted),
        (401, b"", NotStarted),
        (429, b"", NotStarted),
    ],
)
def test_only_a_message_sid_is_an_acceptance(status: int, body: object, kind: type[Outcome]) -> None:
    assert type(outcome_of(twilio(), status, body)) is kind


TRACE = SmsTrace(send_id=SMS.send_id, recipient=SMS.recipient, marker="/c/abc", since=NOW)


def listed(*messages: tuple[str, timedelta], more: bool = False) -> Answer:
    rows = [
        {
            "body": body,
            "to": SMS.recipient,
            "status": "queued",
            "date_sent": None,
            "date_created": format_datetime(NOW + offset),
        }
        for body, offset in messages
    ]
    page = {"messages": rows, "next_page_uri": "/next" if more else None}
    return Answer(200, {}, json.dumps(page).encode())


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (listed(("hi https://r.example/c/abc bye", MINUTE)), True),
        (listed(("another /c/xyz", MINUTE), ("look /c/abc", 2 * MINUTE)), True),
        (listed(), False),
        (listed(("another /c/xyz", MINUTE)), False),
        (listed(("another /c/xyz", -90 * MINUTE), more=True), False),
        (listed(("another /c/xyz", MINUTE), more=True), None),  # the list goes on in the time that matters
        (listed(("", MINUTE)), None),  # its text was redacted: it may be ours
        (listed(("", -90 * MINUTE)), False),
        (Answer(500, {}, b"{}"), None),
        (Answer(200, {}, b"<html>"), None),
        (Answer(200, {}, b'{"messages": {}}'), None),
        (Answer(200, {}, b'{"messages": [{"body": "x", "date_created": "soon"}]}'), None),
    ],
)
def test_the_list_says_yes_no_or_nothing(answer: Answer, expected: bool | None) -> None:
    assert twilio().was_accepted(answer, TRACE) is expected
    assert twilio().was_accepted(answer, replace(TRACE, marker="")) is None


def test_a_lost_answer_is_found_in_the_list() -> None:
    """The whole way: written, connection reset, doubt; then the list knows."""

    async def work() -> None:
        sent: list[dict[str, object]] = []

        def take(got: Any) -> Reply:
            sent.append({"body": form(got.body)["Body"], "date_created": format_datetime(NOW)})
            return RESET

        def search(got: Any) -> Reply:
            assert "To=%2B4915112345678" in got.target
            return Reply.of(200, {"messages": sent, "next_page_uri": None})

        async with serving(take, search, search) as server:
            client = local_client()
            provider = HttpProvider(client, twilio(server.url))
            assert isinstance(provider, SmsProvider)
            await provider.open()
            await provider.prepare(1)
            (outcome,) = await outcomes(provider.start([SMS]))
            assert isinstance(outcome, Uncertain)
            assert await provider.lookup(TRACE) is True
            assert await provider.lookup(replace(TRACE, marker="/c/never")) is False
            await provider.close()
            await client.close()

    run(work())


@pytest.mark.parametrize(
    "changes",
    [{"account_sid": "AC1"}, {"secret": ""}, {"secret": "a b"}, {"key_sid": "x"}, {"messaging_service": "MG"}],
)
def test_twilio_credentials_of_a_wrong_form_are_told_at_once(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Twilio"):
        twilio(**changes)


# -- Vonage -----------------------------------------------------------------------------------------------------------------


def test_vonage_gets_json_with_our_id_and_a_life_time() -> None:
    request = vonage().request(SMS)
    assert request.target == "/v1/messages"
    assert json.loads(request.body) == {
        "message_type": "text",
        "channel": "sms",
        "to": "4915112345678",
        "from": "15550100002",
        "text": SMS.text,
        "ttl": 3_600,
        "client_ref": SMS.send_id,
        "webhook_url": SMS.report_url,
        "webhook_version": "v1",
    }


def _unpack(part: str) -> bytes:
    return b64decode(part + "=" * (-len(part) % 4), altchars=b"-_")


def test_vonages_token_is_signed_by_the_application_and_renewed_in_time() -> None:
    clock = MovableClock(NOW)
    account = vonage(clock=clock)

    def token() -> str:
        return header(account.request(SMS), "Authorization").removeprefix("Bearer ")

    first = token()
    head, claims, signature = first.split(".")
    _KEY.public_key().verify(_unpack(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    told = json.loads(_unpack(claims))
    assert json.loads(_unpack(head)) == {"alg": "RS256", "typ": "JWT"}
    assert (told["iat"], told["exp"]) == (int(NOW.timestamp()), int(NOW.timestamp()) + 900)
    clock.advance(timedelta(minutes=13))
    assert token() == first
    clock.advance(timedelta(minutes=2))
    assert token() != first
    clock.set(NOW - timedelta(hours=1))  # a clock that was wrong: a token from the future helps nobody
    assert json.loads(_unpack(token().split(".")[1]))["iat"] == int(NOW.timestamp()) - 3_600


@pytest.mark.parametrize("changes", [{"text": ""}, {"text": "x" * 1_001}, {"valid_for_s": 19}, {"sender": ""}])
def test_what_vonage_would_refuse_is_not_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsendableError):
        vonage().request(replace(SMS, **changes))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, {"message_uuid": "v1"}, (Accepted, "v1")),
        (202, {}, (Uncertain,)),
        (202, b"<html>", (Uncertain,)),
        (429, {"type": "https://x/#1000"}, (NotStarted, Pause.BACK_OFF)),
        (402, {"type": "https://x/#low-balance"}, (NotStarted, Pause.OPERATOR)),
        (401, {"type": "https://x/#unauthorized"}, (NotStarted, Pause.OPERATOR)),
        (401, b"", (NotStarted, Pause.OPERATOR)),
        (422, {"type": "https://x/#1120"}, (NotStarted, Pause.OPERATOR)),
        (422, {"type": "https://x/#1050"}, (Rejected, True, Fault.RECIPIENT)),
        (422, {"type": "https://x/#1150"}, (Rejected, True, Fault.LETTER)),
        (500, {"type": "https://x/#1030"}, (Rejected, False, Fault.PROVIDER)),
        (500, b"", (Uncertain,)),
        (502, b"", (Uncertain,)),
    ],
)
def test_vonages_answers(status: int, body: object, expected: tuple[object, ...]) -> None:
    found = outcome_of(vonage(), status, body)
    match found:
        case Accepted():
            assert (Accepted, found.provider_id) == expected
        case Rejected():
            assert (Rejected, found.permanent, found.fault) == expected
        case NotStarted():
            assert (NotStarted, found.pause) == expected
        case Uncertain():
            assert expected == (Uncertain,)


def test_vonage_credentials_are_checked_by_an_empty_message() -> None:
    async def work() -> None:
        invalid, unknown = (
            Reply.of(422, {"type": "https://x/#1010"}),
            Reply.of(401, {"type": "https://x/#unauthorized"}),
        )
        async with serving(invalid, unknown) as server:
            client = local_client()
            provider = HttpProvider(client, vonage(server.url))
            assert await provider.check() is None
            refused = await provider.check()
            assert refused is not None
            assert refused.pause is Pause.OPERATOR
            assert [got.body for got in server.got] == [b"{}", b"{}"]
            await client.close()

    run(work())


def test_vonage_needs_a_real_key() -> None:
    with pytest.raises(ValueError, match="private key"):
        Vonage(application_id="0190c3a2-5e3b-7a11-8000-0123456789ab", private_key="nonsense")
    with pytest.raises(ValueError, match="UUID"):
        Vonage(application_id="x", private_key=PEM)


@pytest.mark.parametrize("make", [twilio, vonage])
def test_no_secret_is_in_a_representation(make: Any) -> None:
    account = make()
    assert not any(secret in repr(account) for secret in account.secrets)
