"""What does Resend report? One event per request, signed as Svix does it.

The time of the event is `created_at` at the top, not the one in `data`, which is the letter's.
Sources: resend/resend-openapi, docs "webhooks", svix-webhooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rekindle.providers.bounces import unless_soft
from rekindle.providers.feedback import (
    BounceClass,
    Feedback,
    FeedbackKind,
    Post,
    Received,
    UnreadableError,
    cut,
    instant,
)
from rekindle.providers.read_json import mapping, members, parsed, text
from rekindle.providers.webhook_signature import require_standard_webhook

_KINDS: Final[Mapping[str, FeedbackKind]] = {
    "email.scheduled": FeedbackKind.QUEUED,
    "email.sent": FeedbackKind.SENT,
    "email.delivered": FeedbackKind.DELIVERED,
    "email.delivery_delayed": FeedbackKind.DEFERRED,
    "email.bounced": FeedbackKind.BOUNCED,
    "email.failed": FeedbackKind.FAILED,
    "email.suppressed": FeedbackKind.FAILED,
    "email.opened": FeedbackKind.OPENED,
    "email.clicked": FeedbackKind.CLICKED,
    "email.complained": FeedbackKind.COMPLAINED,
}


class ResendReceiver:
    """``secrets``: one or two, as shown (``whsec_…``)."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def receive(self, post: Post) -> Received:
        event_id = require_standard_webhook(post, self._secrets, prefix="svix")
        event = parsed(post.body)
        if not isinstance(event, dict):
            raise UnreadableError("no event")
        return Received(feedback=tuple(_read(mapping(event), event_id, post)))


def _read(event: Mapping[str, object], event_id: str, post: Post) -> Iterator[Feedback]:
    name, data = text(event.get("type"), 60), mapping(event.get("data"))
    kind = _KINDS.get(name, FeedbackKind.OTHER)
    at, is_timed = instant(event.get("created_at"), post.received_at)
    bounce = mapping(data.get("bounce"))
    words = text(bounce.get("message")) or text(mapping(data.get("failed")).get("reason"))
    recipients = members(data.get("to")) or [""]
    for recipient in recipients:
        address = text(recipient, 320)
        yield Feedback(
            kind=kind,
            name=name,
            event_id=event_id if len(recipients) == 1 else f"{event_id}:{address.lower()}"[:400],
            at=at,
            is_timed=is_timed,
            send_id=_send_id(data),
            provider_id=text(data.get("email_id"), 100),
            address=address,
            bounce=_bounce(kind, bounce, words),
            code=text(bounce.get("subType"), 60),
            detail=cut(words),
            url=text(mapping(data.get("click")).get("link")),
        )


def _bounce(kind: FeedbackKind, bounce: Mapping[str, object], words: str) -> BounceClass | None:
    """Types as at Amazon, on which Resend runs; one without a type is what its documentation calls a hard bounce."""
    if kind is not FeedbackKind.BOUNCED:
        return None
    said = text(bounce.get("type")).lower()
    if said in {"", "permanent"}:
        return unless_soft(words)
    return BounceClass.TRANSIENT if said in {"transient", "temporary"} else BounceClass.UNDETERMINED


def _send_id(data: Mapping[str, object]) -> str:
    """From the tag, which comes as an object or as a list of pairs; else from our own header."""
    tags = data.get("tags")
    if isinstance(tags, dict) and text(tags.get("send_id")):
        return text(tags.get("send_id"), 64)
    named = [mapping(one) for one in (*members(tags), *members(data.get("headers")))]
    for one in named:
        if text(one.get("name")).lower() in {"send_id", "x-rekindle-send"}:
            return text(one.get("value"), 64)
    return ""
