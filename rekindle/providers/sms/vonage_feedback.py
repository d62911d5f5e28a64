"""What does Vonage report? Status changes and inbound messages as JSON, with a signed token that holds the body's hash.

Failed requests are repeated for a day, and it is not said whether they are signed anew: a day is accepted, repetition
is caught by message and status. Sources: developer.vonage.com "signed webhooks", "messages API status callbacks"; the
form of the token as in Vonage's own libraries (not tried against the live service).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from rekindle.providers import jwt
from rekindle.providers.feedback import (
    MAX_REPLY,
    BounceClass,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    UnreadableError,
    cut,
    instant,
    phone_of,
)
from rekindle.providers.read_json import mapping, parsed, text
from rekindle.providers.webhook_signature import require_fresh

_OLDEST: Final = timedelta(hours=25)
_STATUSES: Final[Mapping[str, FeedbackKind]] = {
    "submitted": FeedbackKind.SENT,
    "delivered": FeedbackKind.DELIVERED,
    "read": FeedbackKind.OPENED,
    "rejected": FeedbackKind.FAILED,
    "undeliverable": FeedbackKind.FAILED,
}
#: 1050: the number is on a list of those that take no messages.
_DEAD_NUMBER: Final = frozenset({"1050"})


class VonageReceiver:
    """``signature_secrets``: the account's, and the one before it."""

    def __init__(self, signature_secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in signature_secrets if secret]

    def receive(self, post: Post) -> Received:
        scheme, _, token = post.headers.get("authorization", "").partition(" ")
        found = [jwt.hs256_claims(token.strip(), secret) for secret in self._secrets]
        claims = next((one for one in found if one is not None), None)
        if scheme.lower() != "bearer" or claims is None:
            raise ForgedError
        wanted = hashlib.sha256(post.body).hexdigest().encode()
        if not hmac.compare_digest(wanted, text(claims.get("payload_hash"), 64).lower().encode("utf-8", "replace")):
            raise ForgedError
        require_fresh(claims.get("iat"), post.received_at, past=_OLDEST)
        body = parsed(post.body)
        if not isinstance(body, dict):
            raise UnreadableError("no message")
        return Received(feedback=(_read(mapping(body), post),))


def _read(body: Mapping[str, object], post: Post) -> Feedback:
    name_of_message = text(body.get("message_uuid"), 64)
    at, is_timed = instant(body.get("timestamp"), post.received_at)
    if "status" not in body:
        return Feedback(
            kind=FeedbackKind.REPLIED if text(body.get("message_type")) == "text" else FeedbackKind.OTHER,
            name="inbound",
            event_id=f"{name_of_message}:inbound",
            at=at,
            is_timed=is_timed,
            provider_id=name_of_message,
            address=phone_of(body.get("from")),
            text=text(body.get("text"), MAX_REPLY),
        )
    status, error = text(body.get("status"), 40), mapping(body.get("error"))
    code = text(error.get("type")).rpartition("#")[2][:40] or text(error.get("title"), 40)
    kind = _STATUSES.get(status, FeedbackKind.OTHER)
    bounce = None
    if kind is FeedbackKind.FAILED:
        bounce = BounceClass.PERMANENT if code in _DEAD_NUMBER else BounceClass.UNDETERMINED
    return Feedback(
        kind=kind,
        name=status,
        event_id=f"{name_of_message}:{status}",
        at=at,
        is_timed=is_timed,
        send_id=text(body.get("client_ref"), 64),
        provider_id=name_of_message,
        address=phone_of(body.get("to")),
        bounce=bounce,
        code=code,
        detail=cut(text(error.get("detail")) or text(error.get("title"))),
    )
