"""What goes out to each e-mail API, and what each of its answers means."""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64decode
from email import message_from_bytes, policy
from typing import Any

import pytest
from msgspec.structs import replace

from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Fault,
    Letter,
    LetterParts,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.over_http import HttpProvider, UnsendableError
from tests.providers.apis import APIS, SECRET, account, local_client
from tests.providers.http_server import HANG, RESET, Reply, serving
from tests.providers.letters import outcomes, run, send

SEND_ID = "7-0190c3a2-5e3b-7a11-8000-0123456789ab"
PARTS = LetterParts(
    from_address="shop@shop.example",
    from_name="Zoë, Töpfer & Co",
    reply_to="help@shop.example",
    subject="Größe 😀 noch da",
    text="Hallo Ada\n",
    html="<p>Hallo Ada</p>",
    headers=(
        ("List-Unsubscribe", "<https://r.example/u/abc>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-Id", "<carts.shop.example>"),
        ("X-Rekindle-Send", SEND_ID),
    ),
)
MIME = (
    b"From: shop@shop.example\r\nTo: ada@example.com\r\nSubject: hello\r\nX-Rekindle-Send: 7-x\r\n"
    b"List-Unsubscribe: <https://r.example/u/abc>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
)
LETTER = Letter(
    send_id=SEND_ID,
    message_id=f"{SEND_ID}@shop.example",
    sender="bounce@shop.example",
    recipient="ada@example.com",
    content=MIME,
    parts=PARTS,
)


def request_of(name: str, letter: Letter = LETTER) -> Request:
    return APIS[name].make("https://api.example").request(letter)


def body_of(name: str, letter: Letter = LETTER) -> Any:
    return json.loads(request_of(name, letter).body)


def header(request: Request, name: str) -> str:
    (value,) = [value for key, value in request.headers if key.lower() == name.lower()]
    return value


def outcome_of(name: str, status: int, body: object = b"", **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {key.replace("_", "-").lower(): value for key, value in headers.items()}
    return APIS[name].make("https://api.example").outcome(Answer(status, named, raw), LETTER)


# -- requests ---------------------------------------------------------------------------------------------------------------


def test_sendgrid_gets_our_id_as_argument_and_no_tracking() -> None:
    request, body = request_of("sendgrid"), body_of("sendgrid")
    assert (request.method, request.target) == ("POST", "/v3/mail/send")
    assert header(request, "Authorization") == f"Bearer SG.{SECRET}"
    assert body["personalizations"] == [{"to": [{"email": "ada@example.com"}], "custom_args": {"send_id": SEND_ID}}]
    assert body["from"] == {"email": "shop@shop.example", "name": "Zoë Töpfer & Co"}  # no comma, no semicolon
    assert body["reply_to"] == {"email": "help@shop.example"}
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]  # in this order, or it refuses
    assert body["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not any(one["enable"] for one in body["tracking_settings"].values())
    assert "custom_args" not in body  # at the top the published specification wants text


def test_mandrill_gets_metadata_and_no_tracking() -> None:
    request, body = request_of("mandrill"), body_of("mandrill")
    assert request.target == "/api/1.0/messages/send.json"
    assert body["key"] == f"md-{SECRET}"
    letter = body["message"]
    assert letter["metadata"] == {"send_id": SEND_ID}
    assert len(json.dumps(letter["metadata"])) <= 200  # its limit
    assert (letter["track_opens"], letter["track_clicks"], letter["auto_text"]) == (False, False, False)
    assert letter["to"] == [{"email": "ada@example.com", "name": "", "type": "to"}]
    assert letter["headers"]["Reply-To"] == "help@shop.example"


def test_ses_gets_the_message_as_it_is_and_a_tag() -> None:
    request, body = request_of("ses"), body_of("ses")
    assert request.target == "/v2/email/outbound-emails"
    assert b64decode(body["Content"]["Raw"]["Data"]) == MIME
    assert body["EmailTags"] == [{"Name": "send_id", "Value": SEND_ID}]
    assert body["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert header(request, "X-Amz-Date") == "20260302T090000Z"
    signed = "SignedHeaders=accept;content-type;host;x-amz-date, "
    assert header(request, "Authorization").startswith(
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260302/eu-central-1/ses/aws4_request, {signed}"
    )


def test_resend_gets_the_send_id_as_key() -> None:
    request, body = request_of("resend"), body_of("resend")
    assert header(request, "Idempotency-Key") == SEND_ID
    assert body["from"] == '"Zoë, Töpfer & Co" <shop@shop.example>'
    assert body["tags"] == [{"name": "send_id", "value": SEND_ID}]
    assert request_of("resend") == request  # the same key with another body would be a conflict


def test_postmark_gets_metadata_within_its_limits() -> None:
    body = body_of("postmark", replace(LETTER, message_id="x" * 60 + "@" + "y" * 200 + ".example"))
    assert body["Metadata"]["send_id"] == SEND_ID
    assert all(len(key) <= 20 and len(value) <= 80 for key, value in body["Metadata"].items())
    assert (body["TrackOpens"], body["TrackLinks"], body["MessageStream"]) == (False, "None", "broadcast")
    assert {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"} in body["Headers"]


def test_mailgun_gets_the_message_as_a_file_of_a_form() -> None:
    request = request_of("mailgun")
    assert request.target == "/v3/mg.shop.example/messages.mime"
    assert b64decode(header(request, "Authorization").split()[1]).decode() == f"api:{SECRET}"
    raw = b"Content-Type: " + header(request, "Content-Type").encode() + b"\r\n\r\n" + request.body
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload()
        for part in message_from_bytes(raw, policy=policy.HTTP).iter_parts()  # type: ignore[attr-defined]
    }
    assert parts.pop("message")[0].as_bytes() == MIME  # type: ignore[index, union-attr]
    assert {name: str(value).strip() for name, value in parts.items()} == {
        "to": "ada@example.com",
        "v:send_id": SEND_ID,
        "o:tracking": "no",
        "o:tracking-clicks": "no",
        "o:tracking-opens": "no",
    }


def test_brevo_gets_a_uuid_as_key_and_ascii_headers() -> None:
    body = body_of("brevo")
    assert str(uuid.UUID(body["headers"]["idempotencyKey"])) == body["headers"]["idempotencyKey"]
    assert body["headers"]["X-Mailin-custom"] == SEND_ID
    assert body_of("brevo") == body
    other = body_of("brevo", replace(LETTER, send_id="7-other"))
    assert other["headers"]["idempotencyKey"] != body["headers"]["idempotencyKey"]
    with pytest.raises(UnsendableError):
        request_of("brevo", replace(LETTER, parts=replace(PARTS, headers=(("X-Shop", "Zoë"),))))


@pytest.mark.parametrize("name", APIS)
def test_the_pieces_are_read_from_the_message_when_they_are_missing(name: str) -> None:
    bare = replace(LETTER, parts=None)
    text = request_of(name, bare).body.decode()
    assert "ada@example.com" in text
    if name not in {"ses", "mailgun"}:
        assert "hello" in text
        assert "https://r.example/u/abc" in text


@pytest.mark.parametrize("name", APIS)
def test_a_line_break_in_a_header_never_reaches_the_wire_as_one(name: str) -> None:
    parts = replace(PARTS, subject="a\r\nBcc: evil@example.com", from_name="b\r\nX: y")
    evil = replace(LETTER, parts=parts, recipient="ada@example.com\r\nX: y")
    try:
        request = request_of(name, evil)
    except UnsendableError:
        return
    assert all("\n" not in value for _, value in request.headers)
    if name != "mailgun":
        assert b"\n" not in request.body  # inside JSON a line break is two characters


@pytest.mark.parametrize("name", APIS)
def test_secrets_are_in_no_representation(name: str) -> None:
    assert SECRET not in repr(APIS[name].make("https://api.example"))


CAPABILITIES = {
    "sendgrid": Capabilities(signed_webhooks=True),
    "mandrill": Capabilities(signed_webhooks=True),
    "ses": Capabilities(signed_webhooks=True),
    "resend": Capabilities(idempotency_ttl_s=86_400, signed_webhooks=True),
    "postmark": Capabilities(lookup=True),
    "mailgun": Capabilities(lookup=True, signed_webhooks=True),
    "brevo": Capabilities(idempotency_ttl_s=900),
}


def test_capabilities_are_what_the_contracts_say() -> None:
    assert {name: api.make("https://api.example").capabilities for name, api in APIS.items()} == CAPABILITIES


# -- answers ----------------------------------------------------------------------------------------------------------------

ERRORS = {"errors": [{"message": "too many requests", "field": None}]}
TABLE: list[tuple[str, int, object, dict[str, str], tuple[object, ...]]] = [
    # provider, status, body, headers -> type of outcome and what matters of it
    ("sendgrid", 202, b"", {"X_Message_Id": "abc"}, (Accepted, "abc")),
    ("sendgrid", 202, b"", {}, (Uncertain,)),
    ("sendgrid", 202, b"<html>login</html>", {"X_Message_Id": "abc"}, (Uncertain,)),
    ("sendgrid", 200, b"{}", {"X_Message_Id": "abc"}, (Uncertain,)),
    ("sendgrid", 400, ERRORS, {}, (Rejected, True, Fault.LETTER)),
    ("sendgrid", 413, ERRORS, {}, (Rejected, True, Fault.LETTER)),
    ("sendgrid", 401, {"errors": [{"message": "invalid grant"}]}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("sendgrid", 401, {"errors": [{"message": "Maximum credits exceeded"}]}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("sendgrid", 403, ERRORS, {}, (NotStarted, Pause.OPERATOR, None)),
    ("sendgrid", 429, ERRORS, {"Retry_After": "7"}, (NotStarted, Pause.BACK_OFF, 7.0)),
    ("sendgrid", 429, ERRORS, {}, (NotStarted, Pause.BACK_OFF, None)),
    (
        "sendgrid",
        429,
        ERRORS,
        {"X_RateLimit_Reset": "1792567740", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
        (NotStarted, Pause.BACK_OFF, 60.0),
    ),
    ("sendgrid", 500, {"errors": [{"message": "oops"}]}, {}, (Rejected, False, Fault.PROVIDER)),
    ("sendgrid", 500, b"<html>", {}, (Uncertain,)),
    ("sendgrid", 502, b"<html>bad gateway</html>", {}, (Uncertain,)),
    ("sendgrid", 504, ERRORS, {}, (Uncertain,)),
    ("sendgrid", 503, b"", {"Retry_After": "30"}, (NotStarted, Pause.BACK_OFF, 30.0)),
    ("sendgrid", 302, b"", {"Location": "https://login.example"}, (NotStarted, Pause.OPERATOR, None)),
    ("mandrill", 200, [{"status": "sent", "_id": "m1"}], {}, (Accepted, "m1")),
    ("mandrill", 200, [{"status": "queued", "_id": "m1", "queued_reason": "hourly-quota"}], {}, (Accepted, "m1")),
    ("mandrill", 200, [{"status": "scheduled", "_id": "m1"}], {}, (Accepted, "m1")),
    ("mandrill", 200, [{"status": "sent"}], {}, (Uncertain,)),
    ("mandrill", 200, [], {}, (Uncertain,)),
    ("mandrill", 200, [{"status": "delivered?", "_id": "m1"}], {}, (Uncertain,)),
    ("mandrill", 200, b'[{"status": "se', {}, (Uncertain,)),
    ("mandrill", 200, [{"status": "invalid", "_id": "m1"}], {}, (Rejected, True, Fault.RECIPIENT)),
    *[
        ("mandrill", 200, [{"status": "rejected", "reject_reason": reason, "_id": "m"}], {}, (Rejected, True, fault))
        for reason, fault in {
            "hard-bounce": Fault.RECIPIENT,
            "invalid": Fault.RECIPIENT,
            "spam": Fault.OPTED_OUT,
            "unsub": Fault.OPTED_OUT,
            "soft-bounce": Fault.LETTER,
            "custom": Fault.LETTER,
            "rule": Fault.LETTER,
            "something new": Fault.LETTER,
        }.items()
    ],
    *[
        (
            "mandrill",
            200,
            [{"status": "rejected", "reject_reason": reason, "_id": "m"}],
            {},
            (NotStarted, Pause.OPERATOR, None),
        )
        for reason in ("invalid-sender", "unsigned", "test-mode-limit")
    ],
    ("mandrill", 500, {"status": "error", "name": "Invalid_Key", "code": -1}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("mandrill", 402, {"status": "error", "name": "PaymentRequired"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("mandrill", 404, {"status": "error", "name": "Unknown_Subaccount"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("mandrill", 500, {"status": "error", "name": "ValidationError"}, {}, (Rejected, True, Fault.LETTER)),
    ("mandrill", 500, {"status": "error", "name": "GeneralError"}, {}, (Rejected, False, Fault.PROVIDER)),
    ("mandrill", 503, {"status": "error", "name": "ServiceUnavailable"}, {}, (NotStarted, Pause.BACK_OFF, None)),
    ("mandrill", 500, b"<html>", {}, (Uncertain,)),
    ("ses", 200, {"MessageId": "s1"}, {}, (Accepted, "s1")),
    ("ses", 200, {}, {}, (Uncertain,)),
    ("ses", 200, b"<html>", {}, (Uncertain,)),
    *[
        ("ses", status, {"message": "m"}, {"x_amzn_ErrorType": name}, expected)
        for status, name, expected in (
            (429, "TooManyRequestsException:http://internal/", (NotStarted, Pause.BACK_OFF, None)),
            (400, "LimitExceededException", (NotStarted, Pause.BACK_OFF, None)),
            (400, "ThrottlingException", (NotStarted, Pause.BACK_OFF, None)),
            (400, "AccountSuspendedException", (NotStarted, Pause.OPERATOR, None)),
            (400, "SendingPausedException", (NotStarted, Pause.OPERATOR, None)),
            (400, "MailFromDomainNotVerifiedException", (NotStarted, Pause.OPERATOR, None)),
            (404, "NotFoundException", (NotStarted, Pause.OPERATOR, None)),
            (403, "InvalidSignatureException", (NotStarted, Pause.OPERATOR, None)),
            (400, "MessageRejected", (Rejected, True, Fault.LETTER)),
            (400, "BadRequestException", (Rejected, True, Fault.LETTER)),
            (500, "InternalFailure", (Rejected, False, Fault.PROVIDER)),
            (503, "ServiceUnavailable", (NotStarted, Pause.BACK_OFF, None)),
        )
    ],
    (
        "ses",
        400,
        {"__type": "com.amazonaws.ses#MessageRejected", "message": "Email address is not verified."},
        {},
        (NotStarted, Pause.OPERATOR, None),
    ),
    ("ses", 500, b"", {}, (Uncertain,)),
    ("resend", 200, {"id": "r1"}, {}, (Accepted, "r1")),
    ("resend", 200, {"object": "email"}, {}, (Uncertain,)),
    ("resend", 409, {"name": "concurrent_idempotent_requests"}, {}, (Uncertain,)),
    ("resend", 409, {"name": "invalid_idempotent_request"}, {}, (Uncertain,)),
    ("resend", 429, {"name": "rate_limit_exceeded"}, {"Retry_After": "1"}, (NotStarted, Pause.BACK_OFF, 1.0)),
    ("resend", 429, {"name": "daily_quota_exceeded"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("resend", 429, {"name": "monthly_quota_exceeded"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("resend", 401, {"name": "missing_api_key"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("resend", 403, {"name": "validation_error"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("resend", 422, {"name": "validation_error"}, {}, (Rejected, True, Fault.LETTER)),
    ("resend", 400, {"name": "invalid_idempotency_key"}, {}, (Rejected, True, Fault.LETTER)),
    ("resend", 500, {"name": "internal_server_error"}, {}, (Rejected, False, Fault.PROVIDER)),
    ("resend", 502, b"<html>", {}, (Uncertain,)),
    ("postmark", 200, {"ErrorCode": 0, "Message": "OK", "MessageID": "p1"}, {}, (Accepted, "p1")),
    ("postmark", 200, {"ErrorCode": 0, "Message": "OK"}, {}, (Uncertain,)),
    ("postmark", 200, {"Message": "OK", "MessageID": "p1"}, {}, (Uncertain,)),
    (
        "postmark",
        200,
        {
            "ErrorCode": 0,
            "Message": "Message OK, but will not deliver to these inactive addresses: ada@example.com",
            "MessageID": "p1",
        },
        {},
        (Rejected, True, Fault.RECIPIENT),
    ),
    ("postmark", 200, {"ErrorCode": 406, "Message": "inactive"}, {}, (Rejected, True, Fault.RECIPIENT)),
    *[
        ("postmark", status, {"ErrorCode": code, "Message": "m"}, {}, expected)
        for status, code, expected in (
            (422, 406, (Rejected, True, Fault.RECIPIENT)),
            (422, 300, (Rejected, True, Fault.LETTER)),
            (422, 402, (Rejected, True, Fault.LETTER)),
            (422, 411, (Rejected, True, Fault.LETTER)),
            (401, 10, (NotStarted, Pause.OPERATOR, None)),
            (422, 400, (NotStarted, Pause.OPERATOR, None)),
            (422, 401, (NotStarted, Pause.OPERATOR, None)),
            (422, 405, (NotStarted, Pause.OPERATOR, None)),
            (422, 412, (NotStarted, Pause.OPERATOR, None)),
            (422, 413, (NotStarted, Pause.OPERATOR, None)),
            (503, 100, (NotStarted, Pause.BACK_OFF, None)),
            (422, 100, (NotStarted, Pause.BACK_OFF, None)),
            (429, 429, (NotStarted, Pause.BACK_OFF, None)),
            (500, 500, (Rejected, False, Fault.PROVIDER)),
        )
    ],
    ("postmark", 500, b"<html>", {}, (Uncertain,)),
    ("mailgun", 200, {"id": "<m1@mg>", "message": "Queued. Thank you."}, {}, (Accepted, "m1@mg")),
    ("mailgun", 200, {"message": "Queued. Thank you."}, {}, (Uncertain,)),
    ("mailgun", 200, {"id": "<m1@mg>", "message": "Hello"}, {}, (Uncertain,)),
    ("mailgun", 200, b"Mailgun Magnificent API", {}, (NotStarted, Pause.OPERATOR, None)),
    ("mailgun", 200, b"<html>", {}, (Uncertain,)),
    ("mailgun", 400, {"message": "'to' parameter is not a valid address."}, {}, (Rejected, True, Fault.RECIPIENT)),
    ("mailgun", 400, {"message": "from parameter is missing"}, {}, (Rejected, True, Fault.LETTER)),
    ("mailgun", 401, b"Forbidden", {}, (NotStarted, Pause.OPERATOR, None)),
    ("mailgun", 402, {"message": "pay"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("mailgun", 404, {"message": "Domain not found"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("mailgun", 429, {"message": "slow"}, {"Retry_After": "3"}, (NotStarted, Pause.BACK_OFF, 3.0)),
    ("mailgun", 500, {"message": "oops"}, {}, (Rejected, False, Fault.PROVIDER)),
    ("mailgun", 502, b"", {}, (Uncertain,)),
    ("brevo", 201, {"messageId": "<b1@x>"}, {}, (Accepted, "b1@x")),
    ("brevo", 201, {}, {}, (Uncertain,)),
    ("brevo", 200, {"messageId": "<b1@x>"}, {}, (Uncertain,)),
    ("brevo", 400, {"code": "duplicate_parameter", "message": "Duplicate idempotencyKey"}, {}, (Accepted, None)),
    ("brevo", 400, {"code": "duplicate_parameter", "message": "Duplicate recipient"}, {}, (Uncertain,)),
    ("brevo", 400, {"code": "invalid_parameter", "message": "m"}, {}, (Rejected, True, Fault.LETTER)),
    ("brevo", 401, {"code": "unauthorized", "message": "Key not found"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("brevo", 400, {"code": "not_enough_credits", "message": "m"}, {}, (NotStarted, Pause.OPERATOR, None)),
    ("brevo", 429, {"code": "too_many_requests"}, {}, (NotStarted, Pause.BACK_OFF, None)),
    ("brevo", 500, {"code": "internal_error"}, {}, (Rejected, False, Fault.PROVIDER)),
    ("brevo", 502, b"", {}, (Uncertain,)),
]


def _essence(outcome: Outcome) -> tuple[object, ...]:
    match outcome:
        case Accepted():
            return Accepted, outcome.provider_id
        case Rejected():
            return Rejected, outcome.permanent, outcome.fault
        case NotStarted():
            return NotStarted, outcome.pause, outcome.retry_after_s
        case Uncertain():
            return (Uncertain,)


@pytest.mark.parametrize(("name", "status", "body", "headers", "expected"), TABLE)
def test_each_answer_means_what_the_contract_says(
    name: str, status: int, body: object, headers: dict[str, str], expected: tuple[object, ...]
) -> None:
    found = _essence(outcome_of(name, status, body, **headers))
    if expected == (Accepted, None):
        assert found[0] is Accepted
        assert found[1]
    else:
        assert found == expected


GARBAGE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b"<html>",
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"id": {}}',
    b'[[["a"]]]',
    b"[1]",
]


@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("status", [100, 200, 201, 202, 204, 299, 301, 400, 401, 418, 429, 500, 502, 503, 599])
def test_no_answer_of_any_form_is_taken_for_an_acceptance(name: str, status: int) -> None:
    for body in GARBAGE:
        outcome = outcome_of(name, status, body)
        assert not isinstance(outcome, Accepted)
        if 200 <= status < 300:
            assert isinstance(outcome, Uncertain)


@pytest.mark.parametrize("name", APIS)
def test_what_is_stored_of_an_answer_holds_no_address_and_no_secret(name: str) -> None:
    (key, *_) = APIS[name].make("https://api.example").secrets
    said = f"no such Ada@Example.com for key {key}"
    for status in (400, 401, 403, 422, 429, 500, 503):
        body = {
            "message": said,
            "Message": said,
            "ErrorCode": 300,
            "errors": [{"message": said}],
            "name": "GeneralError",
            "status": "error",
            "code": "x",
        }
        outcome = outcome_of(name, status, body, x_amzn_ErrorType="BadRequestException")
        assert SECRET not in repr(outcome)
        assert not re.search("ada@", repr(outcome), re.IGNORECASE)


# -- faults on the wire (R-08, R-09, R-10) ----------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Reply, type[Outcome]]] = {
    "reset": (RESET, Uncertain),
    "hang": (HANG, Uncertain),
    "half a body": (Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "close"), Uncertain),
    "a login page": (Reply.of(200, b"<html>sign in</html>"), Uncertain),
    "nothing": (Reply.of(200, b""), Uncertain),
    "garbage": (Reply.of(200, b"\x00\xff"), Uncertain),
    "502": (Reply.of(502, b"<html>bad gateway</html>"), Uncertain),
    "500 of a proxy": (Reply.of(500, b"<html>oops</html>"), Uncertain),
    "503": (Reply.of(503, b""), NotStarted),
    "429": (Reply.of(429, b"", Retry_After="60"), NotStarted),
    "401": (Reply.of(401, b""), NotStarted),
    "403": (Reply.of(403, b""), NotStarted),
    "a redirect": (Reply.of(307, b"", Location="https://elsewhere.example/"), NotStarted),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", APIS)
def test_a_fault_makes_no_duplicate_and_loses_nothing(name: str, fault: str) -> None:
    reply, expected = FAULTS[fault]

    async def work() -> None:
        async with serving(reply) as server:
            client = local_client(answer_s=0.1 if reply is HANG else 30.0)
            provider = HttpProvider(client, APIS[name].make(server.url))
            (outcome,) = await send(provider, LETTER)
            assert isinstance(outcome, expected)
            assert len(server.got) == 1  # asked once, whatever came
            await provider.close()
            await client.close()

    run(work())


def test_every_letter_of_a_wave_gets_its_own_fate() -> None:
    async def work() -> None:
        answers = [Reply.of(200, {"id": "a"}), RESET, Reply.of(422, {"name": "x"}), Reply.of(200, {"id": "b"})]
        async with serving(*answers) as server:
            client = local_client()
            provider = HttpProvider(client, APIS["resend"].make(server.url))
            assert await provider.prepare(4) == 4
            wave = [replace(LETTER, send_id=f"7-{n}") for n in range(4)]
            results = await outcomes(provider.start(wave))
            assert sorted(type(one).__name__ for one in results) == ["Accepted", "Accepted", "Rejected", "Uncertain"]
            keys = {got.headers["idempotency-key"] for got in server.got}
            assert keys == {"7-0", "7-1", "7-2", "7-3"}
            await provider.close()
            await client.close()

    run(work())


def test_a_letter_that_cannot_be_put_into_a_request_fails_alone() -> None:
    async def work() -> None:
        with account("resend") as (theirs, ours):
            async with serving(otherwise=theirs.answer) as server:
                provider = ours(server.url)
                bad = replace(LETTER, send_id="not a key")
                first, second = await send(provider, bad, LETTER)
                assert isinstance(first, Rejected)
                assert first.permanent
                assert isinstance(second, Accepted)
                assert len(server.got) == 1
                await provider.close()

    run(work())


# -- credentials ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", APIS)
def test_credentials_are_checked_without_sending(name: str) -> None:
    (key, *_) = APIS[name].make("https://api.example").secrets

    async def work() -> None:
        async with serving(Reply.of(200, {}), Reply.of(401, {"message": f"bad key {key}"}), RESET) as server:
            client = local_client()
            provider = HttpProvider(client, APIS[name].make(server.url))
            assert await provider.check() is None
            refused = await provider.check()
            assert refused is not None
            assert refused.pause is Pause.OPERATOR
            assert SECRET not in refused.detail
            unreachable = await provider.check()
            assert unreachable is not None
            assert unreachable.pause is Pause.BACK_OFF
            assert all(got.method == "GET" or "ping" in got.target for got in server.got)
            await client.close()

    run(work())


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "é"])
@pytest.mark.parametrize("name", ["sendgrid", "mandrill", "resend", "postmark", "mailgun", "brevo"])
def test_a_key_that_cannot_be_one_is_refused_at_once(name: str, key: str) -> None:
    kind = type(APIS[name].make("https://api.example"))
    given = {"server_token": key} if name == "postmark" else {"api_key": key}
    if name == "mailgun":
        given["domain"] = "mg.shop.example"
    with pytest.raises(ValueError, match="needs"):
        kind(**given)
