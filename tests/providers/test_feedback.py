"""What does each event of each provider mean in our words?"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from rekindle.providers.bounces import classify
from rekindle.providers.feedback import BounceClass, Feedback, FeedbackKind, Post, Received
from tests.providers.shared_contracts import load
from tests.providers.test_webhook_signatures import NOW, SCHEMES, _ses, sign_twilio, vectors

K, B = FeedbackKind, BounceClass
SENT_AT = 1_772_440_000  # 2026-03-02T08:26:40Z


def receive(name: str, body: bytes) -> Received:
    scheme = SCHEMES[name]
    return scheme.receiver(["new"]).receive(scheme.sign(body, "new", NOW))


def told(name: str, event: Any) -> tuple[Feedback, ...]:
    if name == "sendgrid":
        event = [event]
    if name == "mandrill":
        return receive(name, urlencode({"mandrill_events": json.dumps([event])}).encode()).feedback
    return receive(name, json.dumps(event).encode()).feedback


def essence(events: tuple[Feedback, ...]) -> list[tuple[FeedbackKind, BounceClass | None]]:
    return [(one.kind, one.bounce) for one in events]


# -- SendGrid ---------------------------------------------------------------------------------------------------------------

OVER_QUOTA = "552 5.2.2 The email account that you tried to reach is over quota and inactive."


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "processed"}, [(K.QUEUED, None)]),
        ({"event": "Processed", "timestamp": "123456789"}, [(K.QUEUED, None)]),
        ({"event": "deferred", "attempt": "5", "response": "400 try again later"}, [(K.DEFERRED, None)]),
        ({"event": "delivered"}, [(K.DELIVERED, None)]),
        ({"event": "bounce", "type": "bounce", "reason": "500 unknown recipient"}, [(K.BOUNCED, B.PERMANENT)]),
        ({"event": "bounce", "type": "bounce"}, [(K.BOUNCED, B.PERMANENT)]),
        ({"event": "bounce", "type": "bounce", "status": "5.2.2", "reason": OVER_QUOTA}, [(K.BOUNCED, B.TRANSIENT)]),
        ({"event": "bounce", "type": "bounce", "reason": "550 5.7.1 spam"}, [(K.BOUNCED, B.TRANSIENT)]),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, [(K.BOUNCED, B.TRANSIENT)]),
        ({"event": "dropped", "reason": "Bounced Address"}, [(K.FAILED, B.PERMANENT)]),
        ({"event": "dropped", "reason": "Invalid"}, [(K.FAILED, B.PERMANENT)]),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, [(K.FAILED, None), (K.UNSUBSCRIBED, None)]),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, [(K.FAILED, None), (K.COMPLAINED, None)]),
        ({"event": "dropped", "reason": "Spam Content"}, [(K.FAILED, None)]),
        ({"event": "open"}, [(K.OPENED, None)]),
        ({"event": "click", "url": "https://shop.example/"}, [(K.CLICKED, None)]),
        ({"event": "spamreport"}, [(K.COMPLAINED, None)]),
        ({"event": "unsubscribe"}, [(K.UNSUBSCRIBED, None)]),
        ({"event": "group_unsubscribe"}, [(K.UNSUBSCRIBED, None)]),
        ({"event": "group_resubscribe"}, [(K.RESUBSCRIBED, None)]),
        ({"event": "account_status_change", "type": "compliance_suspend"}, [(K.OTHER, None)]),
        ({"event": "a new one"}, [(K.OTHER, None)]),
        ({}, [(K.OTHER, None)]),
    ],
)
def test_sendgrid_events(event: dict[str, object], expected: list[object]) -> None:
    assert essence(told("sendgrid", {"email": "ada@example.com", "sg_event_id": "e", **event})) == expected


def test_a_sendgrid_event_names_send_message_time_and_person() -> None:
    event = {
        "event": "open",
        "email": "ada@example.com",
        "timestamp": SENT_AT,
        "send_id": "7-abc",
        "sg_event_id": "e1",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "sg_machine_open": True,
        "category": ["a", "b"],
    }
    (found,) = told("sendgrid", event)
    assert (found.send_id, found.provider_id, found.event_id) == ("7-abc", "LRzXl_NHStOGhQ4kofSm_A", "e1")
    assert found.at == datetime.fromtimestamp(SENT_AT, UTC)
    assert found.is_machine
    assert found.is_timed
    assert "ada" not in repr(found)


def test_every_documented_sendgrid_example_is_understood() -> None:
    """The samples of the documentation, oddities included; none raises, all but the odd ones have a meaning."""
    kinds = []
    for sample in load("sendgrid/event_webhook_doc_examples.json"):
        if isinstance(sample, list):
            kinds += [one.kind for one in receive("sendgrid", json.dumps(sample).encode()).feedback]
    assert len(kinds) > 25
    assert kinds.count(K.OTHER) <= 3


def test_a_second_fact_of_one_event_has_an_id_of_its_own() -> None:
    first, second = told("sendgrid", {"event": "dropped", "reason": "Unsubscribed Address", "sg_event_id": "e"})
    assert (first.event_id, second.event_id) == ("e", "e:unsubscribed")


# -- Mandrill, Resend, Postmark, Mailgun, Brevo -----------------------------------------------------------------------------

MESSAGE = {"email": "ada@example.com", "metadata": {"send_id": "7-abc"}, "_id": "m1"}
HARD = {"diag": "smtp;550 5.1.1 The email account that you tried to reach does not exist."}
FULL = {"diag": "smtp;552 5.2.2 mailbox full"}


@pytest.mark.parametrize(
    ("name", "event", "expected"),
    [
        ("mandrill", {"event": "send", "msg": MESSAGE}, (K.SENT, None)),
        ("mandrill", {"event": "delivered", "msg": MESSAGE}, (K.DELIVERED, None)),
        ("mandrill", {"event": "deferral", "msg": MESSAGE}, (K.DEFERRED, None)),
        ("mandrill", {"event": "hard_bounce", "msg": {**MESSAGE, **HARD}}, (K.BOUNCED, B.PERMANENT)),
        ("mandrill", {"event": "hard_bounce", "msg": {**MESSAGE, **FULL}}, (K.BOUNCED, B.TRANSIENT)),
        ("mandrill", {"event": "soft_bounce", "msg": {**MESSAGE, **HARD}}, (K.BOUNCED, B.TRANSIENT)),
        ("mandrill", {"event": "reject", "msg": {**MESSAGE, "reject": {"reason": "unsub"}}}, (K.FAILED, None)),
        ("mandrill", {"event": "open", "msg": MESSAGE}, (K.OPENED, None)),
        ("mandrill", {"event": "click", "msg": MESSAGE, "url": "https://x.example"}, (K.CLICKED, None)),
        ("mandrill", {"event": "spam", "msg": MESSAGE}, (K.COMPLAINED, None)),
        ("mandrill", {"event": "unsub", "msg": MESSAGE}, (K.UNSUBSCRIBED, None)),
        ("mandrill", {"type": "blacklist", "action": "add", "reject": {"email": "ada@example.com"}}, (K.OTHER, None)),
        ("mandrill", {"event": "inbound", "msg": MESSAGE}, (K.OTHER, None)),
        ("resend", {"type": "email.sent"}, (K.SENT, None)),
        ("resend", {"type": "email.scheduled"}, (K.QUEUED, None)),
        ("resend", {"type": "email.delivered"}, (K.DELIVERED, None)),
        ("resend", {"type": "email.delivery_delayed"}, (K.DEFERRED, None)),
        ("resend", {"type": "email.bounced"}, (K.BOUNCED, B.PERMANENT)),
        ("resend", {"type": "email.bounced", "data": {"bounce": {"type": "Transient"}}}, (K.BOUNCED, B.TRANSIENT)),
        (
            "resend",
            {"type": "email.bounced", "data": {"bounce": {"type": "Permanent", "message": "mailbox full"}}},
            (K.BOUNCED, B.TRANSIENT),
        ),
        (
            "resend",
            {"type": "email.bounced", "data": {"bounce": {"type": "Undetermined"}}},
            (K.BOUNCED, B.UNDETERMINED),
        ),
        ("resend", {"type": "email.suppressed"}, (K.FAILED, None)),
        ("resend", {"type": "email.failed"}, (K.FAILED, None)),
        ("resend", {"type": "email.opened"}, (K.OPENED, None)),
        ("resend", {"type": "email.clicked"}, (K.CLICKED, None)),
        ("resend", {"type": "email.complained"}, (K.COMPLAINED, None)),
        ("resend", {"type": "domain.updated"}, (K.OTHER, None)),
        ("postmark", {"RecordType": "Delivery"}, (K.DELIVERED, None)),
        ("postmark", {"RecordType": "Open"}, (K.OPENED, None)),
        ("postmark", {"RecordType": "Click", "OriginalLink": "https://x.example"}, (K.CLICKED, None)),
        ("postmark", {"RecordType": "SpamComplaint"}, (K.COMPLAINED, None)),
        ("postmark", {"RecordType": "Bounce", "Type": "HardBounce"}, (K.BOUNCED, B.PERMANENT)),
        (
            "postmark",
            {"RecordType": "Bounce", "Type": "HardBounce", "Details": "554 5.7.1 blocked using spamhaus"},
            (K.BOUNCED, B.TRANSIENT),
        ),
        ("postmark", {"RecordType": "Bounce", "Type": "BadEmailAddress"}, (K.BOUNCED, B.PERMANENT)),
        ("postmark", {"RecordType": "Bounce", "Type": "SoftBounce"}, (K.BOUNCED, B.TRANSIENT)),
        ("postmark", {"RecordType": "Bounce", "Type": "Blocked"}, (K.BOUNCED, B.TRANSIENT)),
        ("postmark", {"RecordType": "Bounce", "Type": "DMARCPolicy"}, (K.BOUNCED, B.TRANSIENT)),
        ("postmark", {"RecordType": "Bounce", "Type": "Transient"}, (K.DEFERRED, None)),
        ("postmark", {"RecordType": "Bounce", "Type": "DnsError"}, (K.DEFERRED, None)),
        ("postmark", {"RecordType": "Bounce", "Type": "AutoResponder"}, (K.OTHER, None)),
        ("postmark", {"RecordType": "Bounce", "Type": "NewType"}, (K.OTHER, None)),
        (
            "postmark",
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "ManualSuppression"},
            (K.UNSUBSCRIBED, None),
        ),
        (
            "postmark",
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "SpamComplaint"},
            (K.COMPLAINED, None),
        ),
        ("postmark", {"RecordType": "SubscriptionChange", "SuppressSending": False}, (K.RESUBSCRIBED, None)),
        ("postmark", {"RecordType": "Inbound"}, (K.OTHER, None)),
        ("mailgun", {"event": "accepted"}, (K.QUEUED, None)),
        ("mailgun", {"event": "delivered"}, (K.DELIVERED, None)),
        ("mailgun", {"event": "failed", "severity": "temporary"}, (K.DEFERRED, None)),
        (
            "mailgun",
            {"event": "failed", "severity": "permanent", "delivery-status": {"code": 550, "message": "No such user"}},
            (K.BOUNCED, B.PERMANENT),
        ),
        (
            "mailgun",
            {"event": "failed", "severity": "permanent", "delivery-status": {"code": 552, "message": "over quota"}},
            (K.BOUNCED, B.TRANSIENT),
        ),
        ("mailgun", {"event": "failed", "severity": "permanent"}, (K.BOUNCED, B.UNDETERMINED)),
        ("mailgun", {"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}, (K.FAILED, B.PERMANENT)),
        ("mailgun", {"event": "rejected"}, (K.FAILED, None)),
        ("mailgun", {"event": "opened"}, (K.OPENED, None)),
        ("mailgun", {"event": "clicked"}, (K.CLICKED, None)),
        ("mailgun", {"event": "complained"}, (K.COMPLAINED, None)),
        ("mailgun", {"event": "unsubscribed"}, (K.UNSUBSCRIBED, None)),
        ("mailgun", {"event": "list_member_uploaded"}, (K.OTHER, None)),
        ("brevo", {"event": "request"}, (K.QUEUED, None)),
        ("brevo", {"event": "delivered"}, (K.DELIVERED, None)),
        ("brevo", {"event": "deferred"}, (K.DEFERRED, None)),
        ("brevo", {"event": "defered"}, (K.DEFERRED, None)),
        ("brevo", {"event": "hard_bounce", "reason": "550 user unknown"}, (K.BOUNCED, B.PERMANENT)),
        ("brevo", {"event": "hard_bounce", "reason": "550 5.7.1 rejected by policy"}, (K.BOUNCED, B.TRANSIENT)),
        ("brevo", {"event": "invalid_email"}, (K.BOUNCED, B.PERMANENT)),
        ("brevo", {"event": "soft_bounce"}, (K.BOUNCED, B.TRANSIENT)),
        ("brevo", {"event": "blocked"}, (K.BOUNCED, B.TRANSIENT)),
        ("brevo", {"event": "error"}, (K.FAILED, None)),
        ("brevo", {"event": "unique_proxy_open"}, (K.OPENED, None)),
        ("brevo", {"event": "click"}, (K.CLICKED, None)),
        ("brevo", {"event": "spam"}, (K.COMPLAINED, None)),
        ("brevo", {"event": "unsubscribed"}, (K.UNSUBSCRIBED, None)),
        ("brevo", {"event": "list_addition"}, (K.OTHER, None)),
        ("vonage", {"status": "submitted"}, (K.SENT, None)),
        ("vonage", {"status": "delivered"}, (K.DELIVERED, None)),
        ("vonage", {"status": "read"}, (K.OPENED, None)),
        ("vonage", {"status": "rejected", "error": {"type": "https://x/#1050"}}, (K.FAILED, B.PERMANENT)),
        ("vonage", {"status": "undeliverable", "error": {"title": "1320"}}, (K.FAILED, B.UNDETERMINED)),
        ("vonage", {"status": "new"}, (K.OTHER, None)),
        ("vonage", {"message_type": "text", "text": "STOP"}, (K.REPLIED, None)),
        ("vonage", {"message_type": "image"}, (K.OTHER, None)),
    ],
)
def test_events_of_the_others(name: str, event: dict[str, object], expected: object) -> None:
    assert essence(told(name, event)) == [expected]


@pytest.mark.parametrize(
    ("name", "event", "provider_id"),
    [
        ("mandrill", {"event": "open", "_id": "m1", "ts": SENT_AT, "msg": MESSAGE}, "m1"),
        (
            "resend",
            {
                "type": "email.opened",
                "created_at": "2026-03-02T08:26:40.000Z",
                "data": {
                    "email_id": "r1",
                    "created_at": "2026-01-01T00:00:00Z",
                    "to": ["ada@example.com"],
                    "tags": {"send_id": "7-abc"},
                },
            },
            "r1",
        ),
        (
            "resend",
            {
                "type": "email.opened",
                "created_at": "2026-03-02T08:26:40Z",
                "data": {
                    "email_id": "r1",
                    "to": ["ada@example.com"],
                    "headers": [{"name": "X-Rekindle-Send", "value": "7-abc"}],
                },
            },
            "r1",
        ),
        (
            "postmark",
            {
                "RecordType": "Open",
                "MessageID": "p1",
                "ReceivedAt": "2026-03-02T03:26:40.0000000-05:00",
                "Recipient": "ada@example.com",
                "Metadata": {"send_id": "7-abc"},
            },
            "p1",
        ),
        (
            "mailgun",
            {
                "event": "opened",
                "timestamp": float(SENT_AT),
                "recipient": "ada@example.com",
                "user-variables": {"send_id": "7-abc"},
                "message": {"headers": {"message-id": "g1@mg.example"}},
            },
            "g1@mg.example",
        ),
        (
            "brevo",
            {
                "event": "opened",
                "ts_epoch": SENT_AT * 1000,
                "ts": SENT_AT + 3600,
                "email": "ada@example.com",
                "X-Mailin-custom": "7-abc",
                "message-id": "<b1@x>",
            },
            "b1@x",
        ),
    ],
)
def test_events_name_send_message_time_and_person(name: str, event: dict[str, object], provider_id: str) -> None:
    (found,) = told(name, event)
    assert (found.send_id, found.provider_id, found.address) == ("7-abc", provider_id, "ada@example.com")
    assert (found.at, found.is_timed) == (datetime.fromtimestamp(SENT_AT, UTC), True)


def test_mailgun_tells_why_it_did_not_try() -> None:
    event = {"event": "failed", "severity": "permanent", "recipient": "ada@example.com"}
    assert essence(told("mailgun", {**event, "reason": "suppress-unsubscribe"})) == [
        (K.FAILED, None),
        (K.UNSUBSCRIBED, None),
    ]
    assert essence(told("mailgun", {**event, "reason": "suppress-complaint"})) == [
        (K.FAILED, None),
        (K.COMPLAINED, None),
    ]


def test_mailguns_older_forms_are_read_with_the_last_of_repeated_values() -> None:
    stamp, token = str(int(NOW.timestamp())), "t0ken"
    signature = hmac.new(b"new", f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    fields = [
        ("signature", "forged"),
        ("event", "complained"),
        ("recipient", "ada@example.com"),
        ("send_id", "7-abc"),
        ("timestamp", stamp),
        ("token", token),
        ("signature", signature),
    ]
    headers = {"content-type": "application/x-www-form-urlencoded"}
    given = Post(url="https://x.example/", headers=headers, body=urlencode(fields).encode(), received_at=NOW)
    (found,) = SCHEMES["mailgun"].receiver(["new"]).receive(given).feedback
    assert (found.kind, found.send_id) == (K.COMPLAINED, "7-abc")


def test_brevo_lists_are_read() -> None:
    received = receive("brevo", json.dumps([{"event": "delivered"}, {"event": "opened"}, 5]).encode())
    assert [one.kind for one in received.feedback] == [K.DELIVERED, K.OPENED, K.OTHER]


def test_a_batch_of_a_thousand_has_a_thousand_ids() -> None:
    events = [{"event": "open", "_id": "same", "ts": SENT_AT + n, "msg": MESSAGE} for n in range(1_000)]
    found = receive("mandrill", urlencode({"mandrill_events": json.dumps(events)}).encode()).feedback
    assert len({one.event_id for one in found}) == 1_000


# -- SES --------------------------------------------------------------------------------------------------------------------

BY_NAME = {str(vector["name"]): vector for vector in vectors("ses/signature_vectors.json")}


def _ses_events(name: str) -> tuple[Feedback, ...]:
    if name not in BY_NAME:
        pytest.skip("no SES vectors: set REKINDLE_SHARED")
    receiver, given = _ses(BY_NAME[name]["message"], load("ses/signature_vectors.json")["cert_pem"].encode())
    return receiver.receive(given).feedback


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bounce_event/v1", [(K.BOUNCED, B.PERMANENT)]),
        ("click_event/v2", [(K.CLICKED, None)]),
        ("complaint_event/v1", [(K.COMPLAINED, None)]),
        ("delivery_event/v2", [(K.DELIVERED, None)]),
        ("open_event/v1", [(K.OPENED, None)]),
        ("reject_event/v1", [(K.FAILED, None)]),
    ],
)
def test_ses_events(name: str, expected: list[object]) -> None:
    assert essence(_ses_events(name)) == expected


def test_ses_names_every_recipient_apart() -> None:
    events = _ses_events("multiple_bounce_event/v1")
    assert len(events) > 1
    assert len({one.event_id for one in events}) == len({one.address for one in events}) == len(events)


# -- Twilio -----------------------------------------------------------------------------------------------------------------


def test_twilios_own_payloads() -> None:
    data = load("twilio/webhook_payloads.json")
    found = {}
    for sample in data["status_callbacks"]:
        received = receive("twilio", sample["body"].encode())
        assert received.answer.endswith(b"<Response/>")
        found[sample["expect"]] = [one.kind for one in received.feedback]
    assert found == {
        "delivered": [K.DELIVERED],
        "delivered (whatsapp)": [K.DELIVERED],
        "failed, and To has opted out": [K.FAILED, K.UNSUBSCRIBED],
        "an unknown status must not crash: answer 2xx or 4xx, change no state": [K.OTHER],
        "sent": [K.SENT],
    }
    (inbound,) = receive("twilio", data["inbound"][0]["body"].encode()).feedback
    assert (inbound.kind, inbound.text, inbound.address) == (K.REPLIED, "Msg", "+15550100007")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("MessageStatus=failed&ErrorCode=30005", [(K.BOUNCED, B.PERMANENT)]),
        ("MessageStatus=undelivered&ErrorCode=30006", [(K.BOUNCED, B.PERMANENT)]),
        ("MessageStatus=undelivered&ErrorCode=30003", [(K.FAILED, B.TRANSIENT)]),
        ("MessageStatus=undelivered&ErrorCode=30007", [(K.FAILED, B.UNDETERMINED)]),
        ("MessageStatus=failed", [(K.FAILED, B.UNDETERMINED)]),
        ("MessageStatus=queued", [(K.QUEUED, None)]),
        ("MessageStatus=sending", [(K.QUEUED, None)]),
        ("MessageStatus=canceled", [(K.CANCELLED, None)]),
        ("MessageStatus=read", [(K.OPENED, None)]),
        ("MessageStatus=partially_delivered", [(K.OTHER, None)]),
        (
            "SmsStatus=received&Body=STOP&From=%2B491511234567&OptOutType=STOP",
            [(K.REPLIED, None), (K.UNSUBSCRIBED, None)],
        ),
        ("SmsStatus=received&Body=START&From=%2B1&OptOutType=START", [(K.REPLIED, None), (K.RESUBSCRIBED, None)]),
        ("SmsStatus=received&Body=HELP&From=%2B1&OptOutType=HELP", [(K.REPLIED, None)]),
        ("SmsStatus=received&Body=Bitte%20aufh%C3%B6ren&From=%2B1", [(K.REPLIED, None)]),
        ("Body=&From=%2B1", [(K.REPLIED, None)]),
    ],
)
def test_twilio_callbacks(fields: str, expected: list[object]) -> None:
    assert essence(receive("twilio", f"MessageSid=SM1&To=%2B15550100006&{fields}".encode()).feedback) == expected


def test_a_twilio_callback_carries_the_send_in_its_signed_address() -> None:
    scheme = SCHEMES["twilio"]
    url = "https://rekindle.example/hooks/x/token?send_id=7-abc"
    body = b"MessageSid=SM1&MessageStatus=delivered"
    signature = b64encode(hmac.digest(b"new", (url + "MessageSidSM1MessageStatusdelivered").encode(), "sha1")).decode()
    headers = {**sign_twilio(body, "new", NOW).headers, "x-twilio-signature": signature}
    (found,) = scheme.receiver(["new"]).receive(Post(url=url, headers=headers, body=body, received_at=NOW)).feedback
    assert (found.send_id, found.is_timed, found.event_id) == ("7-abc", False, "SM1:delivered")


# -- what a refusal means (contracts 4) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (
            "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
            "",
            B.PERMANENT,
        ),
        ("550-5.1.1 The email account that you tried to reach does not exist.", "", B.PERMANENT),
        (
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ada@example.com not found by SMTP lookup",
            "",
            B.PERMANENT,
        ),
        ("550 5.2.1 The email account that you tried to reach is disabled.", "", B.PERMANENT),
        ("550 No such user here", "", B.PERMANENT),
        ("511 5.1.1 unknown address", "", B.PERMANENT),
        ("550 Unknown user", "", B.PERMANENT),
        (
            "Host or domain name not found. Name service error for name=x.example type=A: Host not found",
            "5.4.4",
            B.PERMANENT,
        ),
        ("smtp; 550 5.7.1 user unknown", "", B.PERMANENT),
        ("rejected", "5.1.1", B.PERMANENT),
        ("The domain does not accept mail (null MX)", "5.1.10", B.PERMANENT),
        ("552 5.2.2 mailbox full", "", B.TRANSIENT),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "", B.TRANSIENT),
        ("550 5.7.26 This mail has been blocked because the sender is unauthenticated.", "", B.TRANSIENT),
        ("550 5.7.1 Message rejected due to content restrictions", "", B.TRANSIENT),
        ("550 High probability of spam", "", B.TRANSIENT),
        ("550 5.1.1 rejected: too many messages, mailbox temporarily blocked", "", B.TRANSIENT),
        ("delivery temporarily suspended: Host not found, try again", "4.4.3", B.TRANSIENT),
        ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", "", B.TRANSIENT),
        ("421 try later", "", B.TRANSIENT),
        ("message expired after 5 days", "5.4.7", B.TRANSIENT),
        ("552 5.3.4 Message size exceeds fixed limit", "", B.TRANSIENT),
        ("553 5.1.8 sender address does not exist", "", B.UNDETERMINED),
        ("550 rejected", "", B.UNDETERMINED),
        ("554 5.0.0 error", "", B.UNDETERMINED),
        ("", "", B.UNDETERMINED),
    ],
)
def test_a_five_is_not_always_a_dead_address(words: str, status: str, expected: BounceClass) -> None:
    assert classify(words, status) is expected


def test_hostile_words_are_judged_in_time() -> None:
    """S-17: the patterns are linear enough for what a stranger may write."""
    for words in ("user " * 40_000, "a" * 200_000, "mailbox" + " x" * 100_000, "5.1." * 50_000):
        started = time.thread_time()
        classify(words)
        assert time.thread_time() - started < 1
