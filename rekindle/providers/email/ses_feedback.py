"""What does Amazon SES report? Its events come through SNS, each message signed.

The key is in a certificate that has to be fetched; its host is checked before anybody does. A valid signature only
proves that some SNS topic sent it, and anybody can make one: only topics on our list count, for subscriptions too.
Sources: SNS developer guide "verifying the signatures of messages", SES developer guide "contents of event data",
aws-php-sns-message-validator.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate

from rekindle.providers.bounces import unless_soft
from rekindle.providers.feedback import (
    BounceClass,
    CertificateNeededError,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    UnreadableError,
    cut,
    instant,
)
from rekindle.providers.read_json import mapping, members, parsed, text
from rekindle.providers.webhook_signature import require_fresh

#: SNS retries for an hour at most and does not sign anew; the second hour is for clocks and queues.
_OLDEST: Final = timedelta(hours=2)
_HOST = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(?:\.cn)?")
_SIGNED: Final = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: Final[Mapping[str, type[HashAlgorithm]]] = {"1": SHA1, "2": SHA256}

#: Event -> kind, where its details stand, which of them lists recipients.
_EVENTS: Final[Mapping[str, tuple[FeedbackKind, str, str]]] = {
    "Send": (FeedbackKind.SENT, "send", ""),
    "Delivery": (FeedbackKind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (FeedbackKind.DEFERRED, "deliveryDelay", "delayedRecipients"),
    "Bounce": (FeedbackKind.BOUNCED, "bounce", "bouncedRecipients"),
    "Complaint": (FeedbackKind.COMPLAINED, "complaint", "complainedRecipients"),
    "Reject": (FeedbackKind.FAILED, "reject", ""),
    "Rendering Failure": (FeedbackKind.FAILED, "failure", ""),
    "Open": (FeedbackKind.OPENED, "open", ""),
    "Click": (FeedbackKind.CLICKED, "click", ""),
    "Subscription": (FeedbackKind.UNSUBSCRIBED, "subscription", ""),
}


class SesReceiver:
    """``topics``: the ARNs that may speak. ``certificates``: PEM by URL, as far as they were fetched."""

    def __init__(self, topics: Sequence[str], certificates: Mapping[str, bytes]) -> None:
        self._topics = frozenset(topics)
        self._certificates = certificates

    def receive(self, post: Post) -> Received:
        envelope = mapping(parsed(post.body))
        self._verify(envelope, post)
        kind = text(envelope.get("Type"), 60)
        if kind == "SubscriptionConfirmation":
            url = text(envelope.get("SubscribeURL"))
            if not _is_sns(url):
                raise ForgedError
            return Received(confirm_url=url)
        if kind != "Notification":
            return Received()
        event = parsed(text(envelope.get("Message"), len(post.body)))
        if not isinstance(event, dict):
            if text(envelope.get("Message")).startswith("Successfully validated SNS topic"):
                return Received()
            raise UnreadableError("the message is no event")
        return Received(feedback=tuple(_read(mapping(event), text(envelope.get("MessageId"), 100), post)))

    def _verify(self, envelope: Mapping[str, object], post: Post) -> None:
        url, version = text(envelope.get("SigningCertURL")), text(envelope.get("SignatureVersion"))
        if text(envelope.get("TopicArn")) not in self._topics or version not in _HASHES:
            raise ForgedError
        if not _is_sns(url) or not urlsplit(url).path.endswith(".pem"):
            raise ForgedError
        certificate = self._certificates.get(url)
        if certificate is None:
            raise CertificateNeededError(url)
        if any(name in envelope and not isinstance(envelope[name], str) for name in _SIGNED):
            raise ForgedError
        signed = "".join(f"{name}\n{envelope[name]}\n" for name in _SIGNED if name in envelope)
        try:
            signature = b64decode(text(envelope.get("Signature")), validate=True)
            _key_of(certificate).verify(signature, signed.encode(), PKCS1v15(), _HASHES[version]())
        except (InvalidSignature, binascii.Error, ValueError):
            raise ForgedError from None
        at, is_timed = instant(envelope.get("Timestamp"), post.received_at)
        require_fresh(at.timestamp() if is_timed else None, post.received_at, past=_OLDEST)


def _is_sns(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.port is None and parts.username is None
    except ValueError:
        return False
    return parts.scheme == "https" and plain and bool(_HOST.fullmatch(parts.netloc))


@lru_cache(maxsize=64)
def _key_of(certificate: bytes) -> RSAPublicKey:
    key = load_pem_x509_certificate(certificate).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate holds no RSA key")
    return key


def _read(event: Mapping[str, object], message_id: str, post: Post) -> Iterator[Feedback]:
    """One event per recipient: a notification may name several."""
    name = text(event.get("eventType"), 60) or text(event.get("notificationType"), 60)
    kind, where, who = _EVENTS.get(name, (FeedbackKind.OTHER, "", ""))
    details, letter = mapping(event.get(where)), mapping(event.get("mail"))
    kind = _finer(kind, details)
    at, is_timed = instant(details.get("timestamp") or letter.get("timestamp"), post.received_at)
    recipients = members(details.get(who)) if who else members(letter.get("destination"))
    for recipient in recipients or [""]:
        facts = mapping(recipient)
        address = text(facts.get("emailAddress"), 320) or text(recipient, 320)
        words = text(facts.get("diagnosticCode")) or text(details.get("smtpResponse")) or text(details.get("reason"))
        yield Feedback(
            kind=kind,
            name=name,
            event_id=f"{message_id}:{address.lower()}"[:400],
            at=at,
            is_timed=is_timed,
            send_id=_send_id(letter),
            provider_id=text(letter.get("messageId"), 200),
            address=address,
            bounce=_bounce(kind, details, words, text(facts.get("status"), 20)),
            code=text(facts.get("status"), 20) or text(details.get("bounceSubType"), 60),
            detail=cut(words or text(details.get("errorMessage"))),
            url=text(details.get("link")),
        )


def _finer(kind: FeedbackKind, details: Mapping[str, object]) -> FeedbackKind:
    """A complaint may say "not spam"; a change of subscription may be in either direction."""
    if kind is FeedbackKind.COMPLAINED and text(details.get("complaintFeedbackType")) == "not-spam":
        return FeedbackKind.OTHER
    if kind is FeedbackKind.UNSUBSCRIBED:
        wishes = mapping(details.get("newTopicPreferences"))
        topics = [mapping(one) for one in members(wishes.get("topicSubscriptionStatus"))]
        is_out = wishes.get("unsubscribeAll") is True
        is_out = is_out or any("optout" in text(one.get("subscriptionStatus")).lower() for one in topics)
        return FeedbackKind.UNSUBSCRIBED if is_out else FeedbackKind.RESUBSCRIBED
    return kind


def _bounce(kind: FeedbackKind, details: Mapping[str, object], words: str, status: str) -> BounceClass | None:
    if kind is not FeedbackKind.BOUNCED:
        return None
    said = text(details.get("bounceType"))
    if said == "Permanent":
        return unless_soft(words, status)
    return BounceClass.TRANSIENT if said == "Transient" else BounceClass.UNDETERMINED


def _send_id(letter: Mapping[str, object]) -> str:
    for value in members(mapping(letter.get("tags")).get("send_id")):
        return text(value, 64)
    for header in (mapping(one) for one in members(letter.get("headers"))):
        if text(header.get("name")).lower() == "x-rekindle-send":
            return text(header.get("value"), 64)
    return ""
