"""What does a genuine report of each provider look like? Signed requests in their forms, with keys of the tests' own."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

FORM = "application/x-www-form-urlencoded"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:rekindle"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-test.pem"


@dataclass(frozen=True)
class Told:
    """What a provider is to say, in our words: delivered, deferred, bounced (for good), full, complained, unsubscribed,
    opened, clicked, queued, failed, unheard."""

    what: str
    send: str = ""
    address: str = "ada@example.com"
    at: datetime = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    url: str = ""


@dataclass(frozen=True)
class Sealed:
    """A request as it goes over the wire."""

    body: bytes
    headers: Mapping[str, str]
    query: str = ""


@dataclass(frozen=True)
class Account:
    """``key`` proves reports; ``path`` is the hook's address on our side."""

    kind: str
    id: int
    key: str
    url: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


def fresh_key(kind: str) -> str:
    return {"ses": TOPIC}.get(kind, secrets.token_hex(12))


def shown(kind: str, key: str) -> str:
    """What an operator types in for a key."""
    if kind == "sendgrid":
        public = _ec(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64encode(public).decode()
    if kind == "resend":
        return "whsec_" + b64encode(key.encode()).decode()
    return f"hook:{key}" if kind in {"postmark", "brevo"} else key


def report(account: Account, told: Sequence[Told], at: datetime, *, nonce: str = "") -> Sealed:
    """A genuine request; ``nonce`` makes two with the same content different messages."""
    return _SEALERS[account.kind](account, list(told), at, nonce)


# -- forms --------------------------------------------------------------------------------------------------------------

_SENDGRID = {
    "delivered": {"event": "delivered"},
    "deferred": {"event": "deferred"},
    "bounced": {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"},
    "full": {"event": "bounce", "type": "bounce", "status": "5.2.2", "reason": "552 5.2.2 mailbox full"},
    "complained": {"event": "spamreport"},
    "unsubscribed": {"event": "unsubscribe"},
    "opened": {"event": "open"},
    "clicked": {"event": "click"},
    "queued": {"event": "processed"},
    "failed": {"event": "dropped", "reason": "Invalid SMTPAPI header"},
    "unheard": {"event": "teleported"},
}


def _sendgrid(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    events = [
        _SENDGRID[one.what]
        | {"email": one.address, "timestamp": int(one.at.timestamp()), "sg_event_id": f"{nonce}{n}"}
        | ({"send_id": one.send} if one.send else {})
        | ({"url": one.url} if one.url else {})
        for n, one in enumerate(told)
    ]
    return sign_sendgrid(account.key, json.dumps(events).encode() + b"\r\n", at)


def sign_sendgrid(key: str, body: bytes, at: datetime) -> Sealed:
    signature = _ec(key).sign(_stamp(at).encode() + body, ECDSA(SHA256()))
    return Sealed(
        body,
        {
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": _stamp(at),
        },
    )


_MANDRILL = {
    "delivered": "delivered", "deferred": "deferral", "bounced": "hard_bounce", "full": "soft_bounce",
    "complained": "spam", "unsubscribed": "unsub", "opened": "open", "clicked": "click", "queued": "send",
    "failed": "reject", "unheard": "teleported",
}  # fmt: skip


def _mandrill(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    events = [
        {
            "event": _MANDRILL[one.what], "_id": f"m{nonce}", "ts": int(one.at.timestamp()), "url": one.url,
            "msg": {"email": one.address, "_id": f"m{nonce}", "metadata": {"send_id": one.send} if one.send else {},
                    "diag": "550 5.1.1 no such user" if one.what == "bounced" else ""},
        }
        for one in told
    ]  # fmt: skip
    pairs = {"mandrill_events": json.dumps(events)}
    signed = account.url + "".join(name + value for name, value in sorted(pairs.items()))
    signature = b64encode(hmac.digest(account.key.encode(), signed.encode(), "sha1")).decode()
    return Sealed(urlencode(pairs).encode(), {"X-Mandrill-Signature": signature, "Content-Type": FORM})


_SES: dict[str, tuple[str, str, dict[str, object]]] = {
    "delivered": ("Delivery", "delivery", {}),
    "deferred": ("DeliveryDelay", "deliveryDelay", {}),
    "bounced": ("Bounce", "bounce", {"bounceType": "Permanent", "bounceSubType": "General"}),
    "full": ("Bounce", "bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}),
    "complained": ("Complaint", "complaint", {}),
    "unsubscribed": ("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": True}}),
    "opened": ("Open", "open", {}),
    "clicked": ("Click", "click", {}),
    "queued": ("Send", "send", {}),
    "failed": ("Reject", "reject", {"reason": "Bad content"}),
    "unheard": ("Teleportation", "teleportation", {}),
}
_WHO = {"Delivery": "recipients", "DeliveryDelay": "delayedRecipients", "Bounce": "bouncedRecipients"}
_WHO |= {"Complaint": "complainedRecipients"}


def _ses(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    name, where, details = _SES[one.what]
    who: list[object] = [one.address] if name == "Delivery" else [{"emailAddress": one.address}]
    mine = {**details, "timestamp": one.at.isoformat(), "link": one.url} | ({_WHO[name]: who} if name in _WHO else {})
    letter = {"messageId": "ses-1", "destination": [one.address], "tags": {"send_id": [one.send]} if one.send else {}}
    return sign_sns(
        {
            "Type": "Notification",
            "MessageId": f"sns{nonce}",
            "TopicArn": account.key,
            "Message": json.dumps({"eventType": name, where: mine, "mail": letter}),
            "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    )


def sign_sns(envelope: dict[str, str]) -> Sealed:
    names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    signed = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    signature = b64encode(_rsa().sign(signed.encode(), PKCS1v15(), SHA256())).decode()
    whole = {**envelope, "Signature": signature, "SignatureVersion": "2", "SigningCertURL": CERTIFICATE_URL}
    return Sealed(json.dumps(whole).encode(), {"Content-Type": "text/plain; charset=UTF-8"})


_RESEND = {
    "delivered": "email.delivered", "deferred": "email.delivery_delayed", "bounced": "email.bounced",
    "full": "email.bounced", "complained": "email.complained", "opened": "email.opened", "clicked": "email.clicked",
    "queued": "email.sent", "failed": "email.failed", "unheard": "email.teleported",
}  # fmt: skip


def _resend(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    data: dict[str, object] = {"to": [one.address], "email_id": "r1", "tags": {"send_id": one.send} if one.send else {}}
    if one.what in {"bounced", "full"}:
        data["bounce"] = {"type": "Permanent" if one.what == "bounced" else "Transient", "message": ""}
    if one.url:
        data["click"] = {"link": one.url}
    body = json.dumps({"type": _RESEND[one.what], "created_at": one.at.isoformat(), "data": data}).encode()
    return sign_svix(account.key, f"msg{nonce}", body, at)


def sign_svix(key: str, name: str, body: bytes, at: datetime) -> Sealed:
    secret = b64decode(b64encode(key.encode()))
    mac = hmac.digest(secret, f"{name}.{_stamp(at)}.".encode() + body, "sha256")
    return Sealed(
        body, {"svix-id": name, "svix-timestamp": _stamp(at), "svix-signature": "v1," + b64encode(mac).decode()}
    )


_POSTMARK: dict[str, dict[str, object]] = {
    "delivered": {"RecordType": "Delivery"},
    "deferred": {"RecordType": "Bounce", "Type": "Transient"},
    "bounced": {"RecordType": "Bounce", "Type": "HardBounce"},
    "full": {"RecordType": "Bounce", "Type": "SoftBounce"},
    "complained": {"RecordType": "SpamComplaint"},
    "unsubscribed": {"RecordType": "SubscriptionChange", "SuppressSending": True},
    "opened": {"RecordType": "Open"},
    "clicked": {"RecordType": "Click"},
    "unheard": {"RecordType": "Teleportation"},
}
_POSTMARK_TIMES = {"Delivery": "DeliveredAt", "Bounce": "BouncedAt", "SpamComplaint": "BouncedAt"}
_POSTMARK_TIMES |= {"SubscriptionChange": "ChangedAt", "Open": "ReceivedAt", "Click": "ReceivedAt"}


def _postmark(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    event = dict(_POSTMARK[one.what])
    event |= {"MessageID": "p1", "Recipient": one.address, "Email": one.address, "OriginalLink": one.url}
    event |= {"Metadata": {"send_id": one.send} if one.send else {}}
    event[_POSTMARK_TIMES.get(str(event["RecordType"]), "ReceivedAt")] = one.at.isoformat()
    return Sealed(json.dumps(event).encode(), _basic(account.key))


_MAILGUN = {
    "delivered": {"event": "delivered"},
    "deferred": {"event": "failed", "severity": "temporary"},
    "bounced": {"event": "failed", "severity": "permanent"},
    "full": {"event": "failed", "severity": "permanent"},
    "complained": {"event": "complained"},
    "unsubscribed": {"event": "unsubscribed"},
    "opened": {"event": "opened"},
    "clicked": {"event": "clicked"},
    "queued": {"event": "accepted"},
    "failed": {"event": "rejected"},
    "unheard": {"event": "teleported"},
}
_MAILGUN_WORDS = {"bounced": ("5.1.1", "550 5.1.1 no such user"), "full": ("5.2.2", "552 5.2.2 mailbox full")}


def _mailgun(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    code, words = _MAILGUN_WORDS.get(one.what, ("", ""))
    event = {
        **_MAILGUN[one.what], "recipient": one.address, "timestamp": one.at.timestamp(), "url": one.url,
        "delivery-status": {"enhanced-code": code, "message": words},
        "user-variables": {"send_id": one.send} if one.send else {},
    }  # fmt: skip
    return sign_mailgun(account.key, event, f"token{nonce}{one.what}{one.at.timestamp()}", at)


def sign_mailgun(key: str, event: Mapping[str, object], token: str, at: datetime) -> Sealed:
    mac = hmac.new(key.encode(), f"{_stamp(at)}{token}".encode(), hashlib.sha256).hexdigest()
    proof = {"timestamp": _stamp(at), "token": token, "signature": mac}
    return Sealed(json.dumps({"signature": proof, "event-data": event}).encode(), {"Content-Type": "application/json"})


_BREVO = {
    "delivered": "delivered", "deferred": "deferred", "bounced": "hard_bounce", "full": "soft_bounce",
    "complained": "spam", "unsubscribed": "unsubscribed", "opened": "opened", "clicked": "click", "queued": "request",
    "failed": "error", "unheard": "teleported",
}  # fmt: skip


def _brevo(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    events = [
        {
            "event": _BREVO[one.what], "email": one.address, "message-id": "b1", "link": one.url,
            "ts_epoch": int(one.at.timestamp() * 1000),
        } | ({"X-Mailin-custom": one.send} if one.send else {})
        for one in told
    ]  # fmt: skip
    return Sealed(json.dumps(events).encode(), _basic(account.key))


_TWILIO: dict[str, dict[str, str]] = {
    "delivered": {"MessageStatus": "delivered"},
    "queued": {"MessageStatus": "sent"},
    "bounced": {"MessageStatus": "undelivered", "ErrorCode": "30005"},
    "full": {"MessageStatus": "undelivered", "ErrorCode": "30003"},
    "failed": {"MessageStatus": "failed", "ErrorCode": "30008"},
    "unsubscribed": {"MessageStatus": "failed", "ErrorCode": "21610"},
    "opened": {"MessageStatus": "read"},
    "unheard": {"MessageStatus": "teleported"},
}


def _twilio(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    fields = {"MessageSid": f"SM{nonce or 1}", "To": one.address, "ToCity": "", **_TWILIO[one.what]}
    return sign_twilio(account, fields, f"send_id={one.send}" if one.send else "")


def sign_twilio(account: Account, fields: Mapping[str, str], query: str = "") -> Sealed:
    url = account.url + (f"?{query}" if query else "")
    body = urlencode(fields).encode()
    pairs = sorted(set(parse_qsl(body.decode(), keep_blank_values=True)))
    mac = hmac.digest(account.key.encode(), (url + "".join(n + v for n, v in pairs)).encode(), "sha1")
    return Sealed(body, {"X-Twilio-Signature": b64encode(mac).decode(), "Content-Type": FORM}, query)


_VONAGE: dict[str, dict[str, object]] = {
    "delivered": {"status": "delivered"},
    "queued": {"status": "submitted"},
    "bounced": {"status": "undeliverable", "error": {"type": "https://errors.example#1050"}},
    "failed": {"status": "rejected", "error": {"title": "1020"}},
    "opened": {"status": "read"},
    "unheard": {"status": "teleported"},
}


def _vonage(account: Account, told: list[Told], at: datetime, nonce: str) -> Sealed:
    (one,) = told
    event = {"message_uuid": f"v{nonce}", "to": one.address.lstrip("+"), "timestamp": one.at.isoformat()}
    return sign_vonage(account.key, event | _VONAGE[one.what] | ({"client_ref": one.send} if one.send else {}), at)


def sign_vonage(key: str, event: Mapping[str, object], at: datetime) -> Sealed:
    body = json.dumps(event).encode()
    claims = {"iat": int(at.timestamp()), "payload_hash": hashlib.sha256(body).hexdigest()}
    head = f"{_packed(json.dumps({'alg': 'HS256'}).encode())}.{_packed(json.dumps(claims).encode())}"
    token = f"{head}.{_packed(hmac.digest(key.encode(), head.encode(), 'sha256'))}"
    return Sealed(body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})


_SEALERS: dict[str, Callable[[Account, list[Told], datetime, str], Sealed]] = {
    "sendgrid": _sendgrid, "mandrill": _mandrill, "ses": _ses, "resend": _resend, "postmark": _postmark,
    "mailgun": _mailgun, "brevo": _brevo, "twilio": _twilio, "vonage": _vonage,
}  # fmt: skip
KINDS = tuple(_SEALERS)


def says(kind: str, what: str) -> bool:
    """Does this provider report such a thing at all?"""
    forms: dict[str, Mapping[str, object]] = {
        "sendgrid": _SENDGRID, "mandrill": _MANDRILL, "ses": _SES, "resend": _RESEND, "postmark": _POSTMARK,
        "mailgun": _MAILGUN, "brevo": _BREVO, "twilio": _TWILIO, "vonage": _VONAGE,
    }  # fmt: skip
    return what in forms[kind]


# -- keys ---------------------------------------------------------------------------------------------------------------


@cache
def _ec(key: str) -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


@cache
def _rsa() -> RSAPrivateKey:
    return generate_rsa(public_exponent=65537, key_size=2048)


@cache
def certificate() -> bytes:
    """The one that SNS would show, in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_rsa().public_key())
    made = made.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=3650))
    return made.sign(_rsa(), SHA256()).public_bytes(Encoding.PEM)


def _stamp(at: datetime) -> str:
    return str(int(at.timestamp()))


def _packed(raw: bytes) -> str:
    return b64encode(raw, altchars=b"-_").decode().rstrip("=")


def _basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"hook:{key}".encode()).decode(), "Content-Type": "application/json"}
