"""What does Twilio report? Status callbacks and inbound messages, as forms, signed over address and all fields.

All fields that came, also empty and unknown ones, are part of the signature. There is no timestamp in it: repetition is
caught by message and status. An opt-out that Twilio handled itself was answered by Twilio: nothing is replied here.
Sources: twilio-python and twilio-node request validation, docs "message status", "advanced opt-out".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from rekindle.providers.feedback import (
    MAX_REPLY,
    BounceClass,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    cut,
    form_fields,
    phone_of,
)
from rekindle.providers.webhook_signature import any_matches

TWIML: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'

_STATUSES: Final[Mapping[str, FeedbackKind]] = {
    "accepted": FeedbackKind.QUEUED,
    "scheduled": FeedbackKind.QUEUED,
    "queued": FeedbackKind.QUEUED,
    "sending": FeedbackKind.QUEUED,
    "sent": FeedbackKind.SENT,
    "delivered": FeedbackKind.DELIVERED,
    "read": FeedbackKind.OPENED,
    "undelivered": FeedbackKind.FAILED,
    "failed": FeedbackKind.FAILED,
    "canceled": FeedbackKind.CANCELLED,
}
_OPTED_OUT: Final = "21610"
#: 30005 unknown destination · 30006 landline or unreachable carrier: the number takes no messages.
_DEAD_NUMBER: Final = frozenset({"30005", "30006"})
#: 30003 handset off · 63018 too fast: the number lives.
_ALIVE: Final = frozenset({"30003", "63018"})
_WISHES: Final[Mapping[str, FeedbackKind]] = {"STOP": FeedbackKind.UNSUBSCRIBED, "START": FeedbackKind.RESUBSCRIBED}
_SEND_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TwilioReceiver:
    """``auth_tokens``: the account's, and during a change the secondary one."""

    def __init__(self, auth_tokens: Sequence[str]) -> None:
        self._tokens = tuple(token for token in auth_tokens if token)

    def receive(self, post: Post) -> Received:
        fields = self._verified(post)
        status = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
        if status in {"received", "receiving"} or ("Body" in fields and "MessageStatus" not in fields):
            return Received(feedback=tuple(_reply(fields, post)), answer=TWIML, answer_type="text/xml")
        return Received(feedback=tuple(_status(fields, status, post)), answer=TWIML, answer_type="text/xml")

    def answering(self, words: str) -> tuple[bytes, str]:
        """The body, and its type, with which a message is answered by another."""
        return TWIML.replace(
            b"<Response/>", f"<Response><Message>{escape(words)}</Message></Response>".encode()
        ), "text/xml"

    def _verified(self, post: Post) -> dict[str, str]:
        given = [post.headers.get("x-twilio-signature", "").encode("latin-1", "replace")]
        pairs: list[tuple[str, str]] = []
        body_hash = parse_qs(urlsplit(post.url).query).get("bodySHA256", [""])[0]
        if "application/x-www-form-urlencoded" in post.headers.get("content-type", "").lower():
            pairs = form_fields(post.body)
        elif post.body:
            # Other bodies are covered by a hash in the signed address.
            wanted_hash = hashlib.sha256(post.body).hexdigest()
            if not hmac.compare_digest(wanted_hash.encode(), body_hash.lower().encode("utf-8", "replace")):
                raise ForgedError
        wanted = [signature(token, url, pairs) for token in self._tokens for url in addresses(post.url)]
        if not any_matches(wanted, given):
            raise ForgedError
        return dict(pairs)


def signature(token: str, url: str, pairs: Sequence[tuple[str, str]]) -> bytes:
    """What Twilio writes into X-Twilio-Signature: repeated fields are sorted, equal values count once."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(pairs)))
    return b64encode(hmac.digest(token.encode(), signed.encode(), "sha1"))


def addresses(url: str) -> list[str]:
    """The address as it is, without its port, and with its scheme's own: Twilio is not constant in this.

    >>> addresses("https://shop.example/x?a=1")
    ['https://shop.example/x?a=1', 'https://shop.example:443/x?a=1']
    """
    parts = urlsplit(url)
    bare = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    own = f"{bare}:{443 if parts.scheme == 'https' else 80}"
    hosts = dict.fromkeys((parts.netloc, bare, own))
    return [urlunsplit(parts._replace(netloc=host)) for host in hosts]


def _status(fields: Mapping[str, str], status: str, post: Post) -> Iterator[Feedback]:
    sid, code = fields.get("MessageSid") or fields.get("SmsSid", ""), fields.get("ErrorCode", "")
    kind = _STATUSES.get(status, FeedbackKind.OTHER)
    bounce = None
    if kind is FeedbackKind.FAILED and code in _DEAD_NUMBER:
        kind, bounce = FeedbackKind.BOUNCED, BounceClass.PERMANENT
    elif kind is FeedbackKind.FAILED:
        bounce = BounceClass.TRANSIENT if code in _ALIVE else BounceClass.UNDETERMINED
    first = Feedback(
        kind=kind,
        name=status,
        event_id=f"{sid}:{status}",
        at=post.received_at,
        is_timed=False,
        send_id=_send_id(post),
        provider_id=sid,
        address=phone_of(fields.get("To", "")),
        bounce=bounce,
        code=code,
        detail=cut(fields.get("ErrorMessage", "")),
    )
    yield first
    if code == _OPTED_OUT:
        yield replace(first, kind=FeedbackKind.UNSUBSCRIBED, name=code, event_id=f"{sid}:{code}", bounce=None)


def _reply(fields: Mapping[str, str], post: Post) -> Iterator[Feedback]:
    sid, wish = fields.get("MessageSid") or fields.get("SmsSid", ""), fields.get("OptOutType", "").upper()
    sender = phone_of(fields.get("From", ""))
    words = fields.get("Body", "")[:MAX_REPLY]
    first = Feedback(
        kind=FeedbackKind.REPLIED,
        name="received",
        event_id=f"{sid}:received",
        at=post.received_at,
        is_timed=False,
        provider_id=sid,
        address=sender,
        text=words,
        detail=f"opt-out type {wish}" if wish else "",
    )
    yield first
    if wish in _WISHES:
        yield replace(first, kind=_WISHES[wish], name=f"OptOutType:{wish}", event_id=f"{sid}:{wish}")


def _send_id(post: Post) -> str:
    """From the query of the callback's address, which the signature covers."""
    (value, *_) = parse_qs(urlsplit(post.url).query).get("send_id", [""])
    return value if _SEND_ID.fullmatch(value) else ""
