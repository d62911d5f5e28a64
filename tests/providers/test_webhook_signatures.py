"""Is every genuine report taken, and every forged, stale, repeated or rewritten one refused? (S-12)"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rekindle.providers.email.brevo_feedback import BrevoReceiver
from rekindle.providers.email.mailgun_feedback import MailgunReceiver
from rekindle.providers.email.mandrill_feedback import MandrillReceiver
from rekindle.providers.email.postmark_feedback import PostmarkReceiver
from rekindle.providers.email.resend_feedback import ResendReceiver
from rekindle.providers.email.sendgrid_feedback import SendGridReceiver
from rekindle.providers.email.ses_feedback import SesReceiver
from rekindle.providers.feedback import (
    CertificateNeededError,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    Receiver,
    UnreadableError,
)
from rekindle.providers.sms.twilio_feedback import TwilioReceiver
from rekindle.providers.sms.vonage_feedback import VonageReceiver
from rekindle.providers.webhook_signature import require_standard_webhook
from tests.providers.shared_contracts import load, needs_contracts, vectors

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
URL = "https://rekindle.example/hooks/x/token"
FORM = "application/x-www-form-urlencoded"


def post(body: bytes, at: datetime = NOW, url: str = URL, **headers: str) -> Post:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Post(url=url, headers=named, body=body, received_at=at)


def name_of(vector: Any) -> str:
    return str(vector.get("name") or vector.get("source") or vector.get("id"))


# -- the providers' own vectors ---------------------------------------------------------------------------------------------


@needs_contracts
@pytest.mark.parametrize("name", ["sendgrid", "twilio", "ses", "resend", "standard_webhooks"])
def test_there_are_vectors(name: str) -> None:
    assert load(f"{name}/signature_vectors.json")["vectors"]


def _sendgrid(vector: Any) -> tuple[Receiver, Post]:
    at = datetime.fromtimestamp(int(vector["timestamp"]) + 5, UTC)
    headers = {
        "X_Twilio_Email_Event_Webhook_Signature": vector["signature"],
        "X_Twilio_Email_Event_Webhook_Timestamp": vector["timestamp"],
    }
    return SendGridReceiver([vector["public_key_b64_der"]]), post(vector["body"].encode(), at, **headers)


@pytest.mark.parametrize("vector", vectors("sendgrid/signature_vectors.json"), ids=name_of)
def test_sendgrid_vectors(vector: Any) -> None:
    receiver, given = _sendgrid(vector)
    if not vector["valid"]:
        with pytest.raises(ForgedError):
            receiver.receive(given)
        return
    events = receiver.receive(given).feedback
    assert [one.name for one in events] == [event["event"] for event in json.loads(vector["body"])]
    assert all(one.address and one.event_id for one in events)


@pytest.mark.parametrize("vector", vectors("sendgrid/signature_vectors.json"), ids=name_of)
def test_sendgrid_vectors_grow_stale(vector: Any) -> None:
    if not vector["valid"]:
        return
    receiver, given = _sendgrid(vector)
    for late in (timedelta(hours=24), -timedelta(seconds=200)):
        receiver.receive(replace(given, received_at=given.received_at + late))
    for wrong in (timedelta(days=2), -timedelta(seconds=400)):
        with pytest.raises(ForgedError):
            receiver.receive(replace(given, received_at=given.received_at + wrong))


@pytest.mark.parametrize("vector", vectors("twilio/signature_vectors.json"), ids=name_of)
def test_twilio_vectors(vector: Any) -> None:
    body = urlencode(vector["params"], doseq=True).encode()
    given = post(body, url=vector["url"], X_Twilio_Signature=vector["signature"], Content_Type=FORM)
    receiver = TwilioReceiver([vector["auth_token"]])
    if vector["valid"]:
        assert receiver.receive(given).feedback[0].kind is FeedbackKind.OTHER
    else:
        with pytest.raises(ForgedError):
            receiver.receive(given)


def _ses(message: Any, certificate: bytes) -> tuple[SesReceiver, Post]:
    at = datetime.fromisoformat(message["Timestamp"]) + timedelta(seconds=30)
    receiver = SesReceiver([message["TopicArn"]], {message["SigningCertURL"]: certificate})
    return receiver, post(json.dumps(message).encode(), at, Content_Type="text/plain; charset=UTF-8")


@pytest.mark.parametrize("vector", vectors("ses/signature_vectors.json"), ids=name_of)
def test_ses_vectors(vector: Any) -> None:
    certificate = load("ses/signature_vectors.json")["cert_pem"].encode()
    receiver, given = _ses(vector["message"], certificate)
    if not vector["valid"]:
        with pytest.raises(ForgedError):
            receiver.receive(given)
        return
    events = receiver.receive(given).feedback
    assert events
    message = vector["message"]
    changes = {
        "another message": {"Message": message["Message"].replace("example.com", "example.org")},
        "another time": {"Timestamp": "2018-03-26T17:58:58.675Z"},
        "another id": {"MessageId": "x"},
        "a topic that is not ours": {"TopicArn": "arn:aws:sns:us-east-1:666:evil"},
        "an unknown version": {"SignatureVersion": "3"},
        "the other version": {"SignatureVersion": "1" if message["SignatureVersion"] == "2" else "2"},
        "no signature": {"Signature": ""},
        "text that is no base64": {"Signature": "*"},
        "a subject of another type": {"Subject": 5},
    }
    for change in changes.values():
        with pytest.raises(ForgedError):
            receiver.receive(replace(given, body=json.dumps({**message, **change}).encode()))
    for wrong in (timedelta(hours=3), -timedelta(minutes=10)):
        with pytest.raises(ForgedError):
            receiver.receive(replace(given, received_at=given.received_at + wrong))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
        "https://user@sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.x.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/a.txt",
        "https://169.254.169.254/a.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
def test_nobody_is_asked_to_fetch_a_certificate_from_elsewhere(url: str) -> None:
    receiver = SesReceiver(["arn:ours"], {})
    envelope = {"Type": "Notification", "TopicArn": "arn:ours", "SignatureVersion": "2", "SigningCertURL": url}
    with pytest.raises(ForgedError):
        receiver.receive(post(json.dumps(envelope).encode()))


def test_a_certificate_from_amazon_may_be_fetched() -> None:
    url = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
    envelope = {"Type": "Notification", "TopicArn": "arn:ours", "SignatureVersion": "2", "SigningCertURL": url}
    with pytest.raises(CertificateNeededError) as needed:
        SesReceiver(["arn:ours"], {}).receive(post(json.dumps(envelope).encode()))
    assert needed.value.url == url


@pytest.mark.parametrize("vector", vectors("resend/signature_vectors.json"), ids=name_of)
def test_resend_vectors(vector: Any) -> None:
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    headers = {
        "svix_id": vector["id"],
        "svix_timestamp": vector["timestamp"],
        "svix_signature": f"v1,{b64encode(b'x' * 32).decode()} {vector['signature']}",
    }
    given = post(vector["body"].encode(), at, **headers)
    (event,) = ResendReceiver([vector["secret"]]).receive(given).feedback
    assert (event.kind, event.event_id, event.address) == (FeedbackKind.SENT, vector["id"], "test@example.com")
    assert event.at.isoformat() == "2024-04-08T09:43:09.500000+00:00"
    rewritten = json.dumps(json.loads(vector["body"])).encode()
    for wrong in (
        replace(given, body=rewritten),
        replace(given, body=vector["body"].replace("\r\n", "\n").encode()),
        replace(given, received_at=at + timedelta(seconds=301)),
        replace(given, received_at=at - timedelta(seconds=301)),
        post(given.body, at, **{**headers, "svix_id": "other"}),
        post(given.body, at, **{**headers, "svix_timestamp": str(int(vector["timestamp"]) + 1)}),
        post(given.body, at, **{**headers, "svix_signature": vector["signature"].replace("v1,", "v2,")}),
    ):
        with pytest.raises(ForgedError):
            ResendReceiver([vector["secret"]]).receive(wrong)


@pytest.mark.parametrize("vector", vectors("standard_webhooks/signature_vectors.json"), ids=name_of)
def test_standard_webhooks_vectors(vector: Any) -> None:
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC)
    headers = {
        "webhook_id": vector["id"],
        "webhook_timestamp": str(vector["timestamp"]),
        "webhook_signature": vector["signature"],
    }
    given = post(vector["body"].encode(), at, **headers)
    assert require_standard_webhook(given, [vector["secret"]], prefix="webhook") == vector["id"]
    with pytest.raises(ForgedError):
        require_standard_webhook(replace(given, body=given.body + b" "), [vector["secret"]], prefix="webhook")


# -- the same attacks against every receiver --------------------------------------------------------------------------------

_EC, _EC_OLD = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())


def _public(key: Any) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _jwt(claims: dict[str, object], secret: str, algorithm: str = "HS256") -> str:
    def pack(raw: bytes) -> str:
        return b64encode(raw, altchars=b"-_").decode().rstrip("=")

    head = f"{pack(json.dumps({'alg': algorithm}).encode())}.{pack(json.dumps(claims).encode())}"
    return f"{head}.{pack(hmac.digest(secret.encode(), head.encode(), 'sha256'))}"


def _stamp(at: datetime) -> str:
    return str(int(at.timestamp()))


def sign_sendgrid(body: bytes, key: str, at: datetime) -> Post:
    private = {"new": _EC, "old": _EC_OLD}.get(key) or generate_private_key(SECP256R1())
    signature = b64encode(private.sign(_stamp(at).encode() + body, ECDSA(SHA256()))).decode()
    return post(
        body,
        X_Twilio_Email_Event_Webhook_Signature=signature,
        X_Twilio_Email_Event_Webhook_Timestamp=_stamp(at),
    )


def sign_resend(body: bytes, key: str, at: datetime) -> Post:
    secret = b64encode(key.encode())
    signature = b64encode(hmac.digest(b64decode(secret), b"m1." + _stamp(at).encode() + b"." + body, "sha256"))
    return post(body, svix_id="m1", svix_timestamp=_stamp(at), svix_signature="v1," + signature.decode())


def sign_mandrill(body: bytes, key: str, at: datetime) -> Post:
    fields = [tuple(pair.split("=", 1)) for pair in body.decode().split("&")]
    from urllib.parse import unquote_plus

    signed = URL + "".join(unquote_plus(name) + unquote_plus(value) for name, value in sorted(fields))  # type: ignore[misc]
    signature = b64encode(hmac.digest(key.encode(), signed.encode(), "sha1")).decode()
    return post(body, X_Mandrill_Signature=signature, Content_Type=FORM)


def sign_mailgun(body: bytes, key: str, at: datetime) -> Post:
    event = json.loads(body)
    signature = hmac.new(key.encode(), f"{_stamp(at)}t0ken".encode(), hashlib.sha256).hexdigest()
    proof = {"timestamp": _stamp(at), "token": "t0ken", "signature": signature}
    return post(json.dumps({"signature": proof, "event-data": event}).encode(), Content_Type="application/json")


def sign_twilio(body: bytes, key: str, at: datetime) -> Post:
    from urllib.parse import parse_qsl

    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    signed = URL + "".join(name + value for name, value in pairs)
    signature = b64encode(hmac.digest(key.encode(), signed.encode(), "sha1")).decode()
    return post(body, X_Twilio_Signature=signature, Content_Type=FORM)


def sign_vonage(body: bytes, key: str, at: datetime) -> Post:
    claims = {"iat": int(at.timestamp()), "payload_hash": hashlib.sha256(body).hexdigest()}
    return post(body, Authorization=f"Bearer {_jwt(claims, key)}")


def sign_basic(body: bytes, key: str, at: datetime) -> Post:
    return post(body, Authorization="Basic " + b64encode(f"hook:{key}".encode()).decode())


def sign_bearer(body: bytes, key: str, at: datetime) -> Post:
    return post(body, Authorization=f"Bearer {key}")


@dataclass(frozen=True)
class Scheme:
    """``covers_body``: a changed body does not verify; ``oldest``: the age at which a genuine report is refused."""

    receiver: Callable[[list[str]], Receiver]
    sign: Callable[[bytes, str, datetime], Post]
    body: bytes
    covers_body: bool = True
    oldest: timedelta | None = None


def _ec_receiver(keys: list[str]) -> Receiver:
    return SendGridReceiver([_public({"new": _EC, "old": _EC_OLD}[key]) for key in keys])


EVENT = b'[{"event":"delivered","email":"ada@example.com","sg_event_id":"e1","timestamp":1}]\r\n'
MANDRILL = urlencode(
    {"mandrill_events": '[{"event":"send","_id":"m1","ts":1,"msg":{"email":"ada@example.com"}}]'}
).encode()
RESEND = b'{"type": "email.delivered", "data": {"to": ["ada@example.com"]}}\r\n'
SCHEMES = {
    "sendgrid": Scheme(_ec_receiver, sign_sendgrid, EVENT, oldest=timedelta(hours=26)),
    "mandrill": Scheme(MandrillReceiver, sign_mandrill, MANDRILL),
    "resend": Scheme(
        lambda keys: ResendReceiver([f"whsec_{b64encode(key.encode()).decode()}" for key in keys]),
        sign_resend,
        RESEND,
        oldest=timedelta(seconds=301),
    ),
    "mailgun": Scheme(
        MailgunReceiver,
        sign_mailgun,
        b'{"event": "delivered", "recipient": "ada@example.com"}',
        covers_body=False,
        oldest=timedelta(hours=9),
    ),
    "postmark": Scheme(
        lambda keys: PostmarkReceiver([f"hook:{key}" for key in keys]),
        sign_basic,
        b'{"RecordType": "Delivery", "MessageID": "p1", "Recipient": "ada@example.com"}',
        covers_body=False,
    ),
    "brevo": Scheme(
        BrevoReceiver, sign_bearer, b'{"event": "delivered", "email": "ada@example.com"}', covers_body=False
    ),
    "twilio": Scheme(TwilioReceiver, sign_twilio, b"MessageSid=SM1&MessageStatus=delivered&To=%2B491511234567&ToCity="),
    "vonage": Scheme(
        VonageReceiver,
        sign_vonage,
        b'{"message_uuid": "v1", "status": "delivered", "to": "4915112345678"}',
        oldest=timedelta(hours=26),
    ),
}


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return SCHEMES[request.param]


def refused(receiver: Receiver, given: Post) -> None:
    with pytest.raises((ForgedError, UnreadableError)):
        receiver.receive(given)


def test_a_genuine_report_is_taken(scheme: Scheme) -> None:
    (event,) = scheme.receiver(["new"]).receive(scheme.sign(scheme.body, "new", NOW)).feedback
    assert event.kind in {FeedbackKind.DELIVERED, FeedbackKind.SENT}


def test_two_keys_are_valid_while_one_is_changed(scheme: Scheme) -> None:
    for key in ("new", "old"):
        given = scheme.sign(scheme.body, key, NOW)
        assert scheme.receiver(["new", "old"]).receive(given).feedback
    refused(scheme.receiver(["new"]), scheme.sign(scheme.body, "old", NOW))


def test_another_shops_key_is_refused(scheme: Scheme) -> None:
    refused(scheme.receiver(["new", "old"]), scheme.sign(scheme.body, "elsewhere", NOW))


def test_without_any_key_nothing_is_believed(scheme: Scheme) -> None:
    refused(scheme.receiver([]), scheme.sign(scheme.body, "new", NOW))
    if scheme.receiver is not _ec_receiver:
        refused(scheme.receiver([""]), scheme.sign(scheme.body, "", NOW))


def test_no_signature_and_a_broken_one_are_refused(scheme: Scheme) -> None:
    receiver, genuine = scheme.receiver(["new"]), scheme.sign(scheme.body, "new", NOW)
    if scheme.sign is not sign_mailgun:
        refused(receiver, replace(genuine, headers={"content-type": genuine.headers.get("content-type", "")}))
    for name, value in genuine.headers.items():
        if name != "content-type":
            for broken in ("", value[:-3], value + "A", "é", "\x00", value.swapcase(), "v1,", "Bearer ", "Basic é"):
                if broken != value:
                    refused(receiver, replace(genuine, headers={**genuine.headers, name: broken}))


def test_a_changed_body_is_refused(scheme: Scheme) -> None:
    receiver, genuine = scheme.receiver(["new"]), scheme.sign(scheme.body, "new", NOW)
    if not scheme.covers_body:
        return
    for changed in (
        genuine.body.replace(b"delivered", b"bounced").replace(b"send", b"spam"),
        genuine.body + b"\n",
        genuine.body.rstrip(),
        genuine.body.replace(b"%2B", b"%2B1").replace(b"&ToCity=", b""),
    ):
        if changed != genuine.body:
            refused(receiver, replace(genuine, body=changed))


def test_old_and_future_reports_are_refused_where_time_is_signed(scheme: Scheme) -> None:
    if scheme.oldest is None:
        return
    receiver = scheme.receiver(["new"])
    refused(receiver, scheme.sign(scheme.body, "new", NOW - scheme.oldest))
    refused(receiver, scheme.sign(scheme.body, "new", NOW + timedelta(seconds=301)))
    receiver.receive(scheme.sign(scheme.body, "new", NOW + timedelta(seconds=299)))


def test_a_repeated_report_is_the_same_event(scheme: Scheme) -> None:
    """A thousand repetitions of a request make one event id (R-14): what was stored once is found."""
    receiver, genuine = scheme.receiver(["new"]), scheme.sign(scheme.body, "new", NOW)
    later = replace(genuine, received_at=NOW + timedelta(seconds=120))
    ids = {one.event_id for given in (genuine, later) for one in receiver.receive(given).feedback}
    assert len(ids) == 1


def test_a_mailgun_token_counts_once() -> None:
    """Its signature does not cover the body, so the token must be remembered by whoever stores the event."""
    first = sign_mailgun(b'{"event": "delivered"}', "new", NOW)
    second = sign_mailgun(b'{"event": "complained", "recipient": "bob@example.com"}', "new", NOW)
    receiver = MailgunReceiver(["new"])
    assert receiver.receive(first).once == receiver.receive(second).once == "t0ken"


def test_mandrill_may_ask_before_the_key_is_known() -> None:
    receiver = MandrillReceiver([])
    assert receiver.receive(replace(post(b""), method="HEAD")) == Received()
    assert receiver.receive(post(b"mandrill_events=%5B%5D", X_Mandrill_Signature="x")) == Received()
    with pytest.raises(ForgedError):
        receiver.receive(post(MANDRILL, X_Mandrill_Signature="x"))


def test_mandrill_signs_the_address_as_configured() -> None:
    genuine = sign_mandrill(MANDRILL, "new", NOW)
    for url in (URL + "/", URL.replace("https", "http"), URL + "?a=1", URL.replace("rekindle.example", "10.0.0.1")):
        refused(MandrillReceiver(["new"]), replace(genuine, url=url))


def test_a_token_may_not_choose_its_own_algorithm() -> None:
    body = b'{"message_uuid": "v1", "status": "delivered"}'
    claims = {"iat": int(NOW.timestamp()), "payload_hash": hashlib.sha256(body).hexdigest()}
    for algorithm in ("none", "HS512", "RS256", ""):
        refused(VonageReceiver(["new"]), post(body, Authorization=f"Bearer {_jwt(claims, 'new', algorithm)}"))
    head, middle, _ = _jwt(claims, "new", "none").split(".")
    refused(VonageReceiver(["new"]), post(body, Authorization=f"Bearer {head}.{middle}."))
    refused(VonageReceiver(["new"]), post(body, Authorization=f"Bearer {_jwt({'iat': claims['iat']}, 'new')}"))


def test_twilio_covers_bodies_that_are_no_forms_by_their_hash() -> None:
    body = b'{"a": 1}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = b64encode(hmac.digest(b"new", url.encode(), "sha1")).decode()
    given = post(body, url=url, X_Twilio_Signature=signature, Content_Type="application/json")
    TwilioReceiver(["new"]).receive(given)
    refused(TwilioReceiver(["new"]), replace(given, body=b'{"a": 2}'))
    bare = b64encode(hmac.digest(b"new", URL.encode(), "sha1")).decode()
    refused(TwilioReceiver(["new"]), post(body, X_Twilio_Signature=bare, Content_Type="application/json"))


def test_keys_of_a_wrong_form_are_told_at_once() -> None:
    for key in ("nonsense", b64encode(b"x").decode(), ""):
        with pytest.raises(ValueError, match="verification key"):
            SendGridReceiver([key])


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[1, null, [], {}]",
    b"\xff",
    b"[" * 100_000,
    b'{"a": ' * 50_000,
    b'"x"',
    b"1e999",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_signed_body_raises_anything_else(scheme: Scheme, body: bytes) -> None:
    try:
        given = scheme.sign(body, "new", NOW)
    except (ValueError, RecursionError):  # the signer of the test cannot read it
        return
    try:
        received = scheme.receiver(["new"]).receive(given)
    except (UnreadableError, ForgedError):
        return
    assert all(one.kind is FeedbackKind.OTHER for one in received.feedback)
