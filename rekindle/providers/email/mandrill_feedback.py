"""What does Mailchimp Transactional (Mandrill) report? A form with one field that holds a JSON list.

Signed is the address of our hook exactly as it was configured there, then every field and its value. Before the key is
known the hook must answer a HEAD and an empty list, so those tell nothing and need no signature. Sources: Mandrill help
"Authenticating webhook requests", "Introduction to webhooks".
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

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
    form_fields,
    instant,
)
from rekindle.providers.read_json import mapping, parsed, text
from rekindle.providers.webhook_signature import any_matches

_KINDS: Final[Mapping[str, FeedbackKind]] = {
    "send": FeedbackKind.SENT,
    "delivered": FeedbackKind.DELIVERED,
    "deferral": FeedbackKind.DEFERRED,
    "hard_bounce": FeedbackKind.BOUNCED,
    "soft_bounce": FeedbackKind.BOUNCED,
    "reject": FeedbackKind.FAILED,
    "open": FeedbackKind.OPENED,
    "click": FeedbackKind.CLICKED,
    "spam": FeedbackKind.COMPLAINED,
    "unsub": FeedbackKind.UNSUBSCRIBED,
}


class MandrillReceiver:
    """``keys``: those of the webhook, which has one of its own per address."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys if key]

    def receive(self, post: Post) -> Received:
        if post.method == "HEAD":
            return Received()
        fields = form_fields(post.body)
        events = parsed(dict(fields).get("mandrill_events", ""))
        if events == []:
            return Received()
        signed = post.url + "".join(f"{name}{value}" for name, value in sorted(fields))
        wanted = [b64encode(hmac.digest(key, signed.encode(), "sha1")) for key in self._keys]
        given = post.headers.get("x-mandrill-signature", "").encode("latin-1", "replace")
        if not any_matches(wanted, [given]):
            raise ForgedError
        if not isinstance(events, list):
            raise UnreadableError("not a list of events")
        return Received(feedback=tuple(one for event in events for one in _read(mapping(event), post)))


def _read(event: Mapping[str, object], post: Post) -> Iterator[Feedback]:
    """Blacklist changes have no `event` and no message: kept under their type."""
    letter = mapping(event.get("msg"))
    name = text(event.get("event"), 60) or text(event.get("type"), 60)
    kind = _KINDS.get(text(event.get("event"), 60), FeedbackKind.OTHER)
    at, is_timed = instant(event.get("ts"), post.received_at)
    provider_id = text(event.get("_id"), 100) or text(letter.get("_id"), 100)
    words = text(letter.get("diag")) or text(letter.get("bounce_description"))
    if kind is FeedbackKind.FAILED:
        rejected = letter.get("reject")
        words = text(mapping(rejected).get("reason")) or text(rejected) or words
    address = text(letter.get("email"), 320) or text(mapping(event.get("reject")).get("email"), 320)
    event_id = digest(name, provider_id, event.get("ts"), event.get("url"), address)
    yield Feedback(
        kind=kind,
        name=name,
        event_id=event_id,
        at=at,
        is_timed=is_timed,
        send_id=text(mapping(letter.get("metadata")).get("send_id"), 64),
        provider_id=provider_id,
        address=address,
        bounce=_bounce(name, words),
        detail=cut(words),
        url=text(event.get("url")),
    )


def _bounce(name: str, words: str) -> BounceClass | None:
    if name == "soft_bounce":
        return BounceClass.TRANSIENT
    return unless_soft(words) if name == "hard_bounce" else None
