"""What does SendGrid report? A signed array of events; custom arguments come back flattened at the top of each.

Signed are the timestamp and the raw body, line ends included: one that was parsed and written again does not verify.
No age limit is specified and nobody says whether a retry is signed anew, so a day of retries is accepted and repetition
is caught by the event id. Sources: docs "event webhook", sendgrid-python and sendgrid-nodejs.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from rekindle.providers.bounces import unless_soft
from rekindle.providers.feedback import (
    BounceClass,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    UnreadableError,
    cut,
    digest,
    instant,
)
from rekindle.providers.read_json import mapping, parsed, text
from rekindle.providers.webhook_signature import require_fresh

#: Retries go on for 24 hours; an hour for clocks and queues.
_OLDEST: Final = timedelta(hours=25)
_SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
_TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"

_KINDS: Final[Mapping[str, FeedbackKind]] = {
    "processed": FeedbackKind.QUEUED,
    "deferred": FeedbackKind.DEFERRED,
    "delivered": FeedbackKind.DELIVERED,
    "bounce": FeedbackKind.BOUNCED,
    "dropped": FeedbackKind.FAILED,
    "open": FeedbackKind.OPENED,
    "click": FeedbackKind.CLICKED,
    "spamreport": FeedbackKind.COMPLAINED,
    "unsubscribe": FeedbackKind.UNSUBSCRIBED,
    "group_unsubscribe": FeedbackKind.UNSUBSCRIBED,
    "group_resubscribe": FeedbackKind.RESUBSCRIBED,
}
#: Why a message was dropped says something about the shopper or the address too.
_DROPPED: Final[Mapping[str, FeedbackKind]] = {
    "unsubscribed address": FeedbackKind.UNSUBSCRIBED,
    "spam reporting address": FeedbackKind.COMPLAINED,
}
_DEAD: Final = frozenset({"bounced address", "invalid"})  # not "invalid SMTPAPI header", which is the sender's
#: Behind this, `sg_message_id` is about SendGrid's own machines; before it stands what the send was answered with.
_MACHINE = re.compile(r"\.(?:filter|recvd)")


class SendGridReceiver:
    """``public_keys``: one or two, base64 without armour as the dashboard shows them. Raises ValueError for others."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        self._keys = [_public_key(one) for one in public_keys]

    def receive(self, post: Post) -> Received:
        stamp = post.headers.get(_TIMESTAMP, "")
        try:
            signature = b64decode(post.headers.get(_SIGNATURE, ""), validate=True)
            signed = stamp.encode("ascii") + post.body
        except (binascii.Error, ValueError):
            raise ForgedError from None
        verdicts = [_verifies(key, signature, signed) for key in self._keys]
        if True not in verdicts:
            raise ForgedError
        require_fresh(stamp, post.received_at, past=_OLDEST)
        events = parsed(post.body)
        if not isinstance(events, list):
            raise UnreadableError("not a list of events")
        return Received(feedback=tuple(one for event in events for one in _read(mapping(event), post)))


def _read(event: Mapping[str, object], post: Post) -> Iterator[Feedback]:
    name = text(event.get("event"), 60)
    kind = _KINDS.get(name.lower(), FeedbackKind.OTHER)
    at, is_timed = instant(event.get("timestamp"), post.received_at)
    address, words = text(event.get("email"), 320), text(event.get("reason")) or text(event.get("response"))
    status = text(event.get("status"), 20)
    name_of_message = text(event.get("sg_message_id"), 300)
    event_id = text(event.get("sg_event_id"), 100) or digest(
        name, name_of_message, address, event.get("timestamp"), event.get("url")
    )
    first = Feedback(
        kind=kind,
        name=name,
        event_id=event_id,
        at=at,
        is_timed=is_timed,
        send_id=text(event.get("send_id"), 64),
        provider_id=_MACHINE.split(name_of_message)[0],
        address=address,
        bounce=_bounce(kind, event, words, status),
        code=status,
        detail=cut(words),
        url=text(event.get("url")),
        is_machine=event.get("sg_machine_open") is True,
    )
    yield first
    also = _DROPPED.get(words.strip().lower()) if kind is FeedbackKind.FAILED else None
    if also is not None:
        yield replace(first, kind=also, event_id=f"{event_id}:{also}", bounce=None)


def _bounce(kind: FeedbackKind, event: Mapping[str, object], words: str, status: str) -> BounceClass | None:
    if kind is FeedbackKind.BOUNCED:
        if text(event.get("type")) == "blocked":
            return BounceClass.TRANSIENT
        return unless_soft(words, status)
    if kind is FeedbackKind.FAILED and words.strip().lower() in _DEAD:
        return BounceClass.PERMANENT
    return None


@lru_cache(maxsize=256)
def _public_key(key: str) -> EllipticCurvePublicKey:
    try:
        loaded = load_der_public_key(b64decode("".join(key.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("SendGrid's verification key is base64 without armour") from None
    if not isinstance(loaded, EllipticCurvePublicKey):
        raise ValueError("SendGrid's verification key is an elliptic curve key")
    return loaded


def _verifies(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
