"""What does Brevo report? One event per request, or a list of them; unsigned, so a shared secret stands for it.

There is no event id, and only `ts_epoch` (milliseconds) is in UTC: the other times follow the account's zone. Source:
developers.brevo.com "transactional webhooks", "secured webhooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    digest,
    instant,
)
from rekindle.providers.read_json import mapping, members, parsed, text
from rekindle.providers.webhook_signature import require_shared_secret

_KINDS: Final[Mapping[str, FeedbackKind]] = {
    "request": FeedbackKind.QUEUED,
    "sent": FeedbackKind.SENT,
    "delivered": FeedbackKind.DELIVERED,
    "deferred": FeedbackKind.DEFERRED,
    "defered": FeedbackKind.DEFERRED,  # as the documentation's sample spells it
    "hard_bounce": FeedbackKind.BOUNCED,
    "invalid_email": FeedbackKind.BOUNCED,
    "soft_bounce": FeedbackKind.BOUNCED,
    "blocked": FeedbackKind.BOUNCED,
    "error": FeedbackKind.FAILED,
    "opened": FeedbackKind.OPENED,
    "unique_opened": FeedbackKind.OPENED,
    "proxy_open": FeedbackKind.OPENED,
    "unique_proxy_open": FeedbackKind.OPENED,
    "click": FeedbackKind.CLICKED,
    "spam": FeedbackKind.COMPLAINED,
    "complaint": FeedbackKind.COMPLAINED,
    "unsubscribe": FeedbackKind.UNSUBSCRIBED,
    "unsubscribed": FeedbackKind.UNSUBSCRIBED,
}


class BrevoReceiver:
    """``credentials``: a bearer token set when the hook was made, or ``user:password`` in its address; one or two."""

    def __init__(self, credentials: Sequence[str]) -> None:
        self._credentials = tuple(credentials)

    def receive(self, post: Post) -> Received:
        require_shared_secret(post, self._credentials)
        body = parsed(post.body)
        if not isinstance(body, dict | list):
            raise UnreadableError("no event")
        return Received(feedback=tuple(_read(mapping(event), post) for event in members(body)))


def _read(event: Mapping[str, object], post: Post) -> Feedback:
    name = text(event.get("event"), 60)
    at, is_timed = instant(event.get("ts_epoch"), post.received_at)
    address, provider_id = text(event.get("email"), 320), text(event.get("message-id"), 300).strip("<>")
    words, link = text(event.get("reason")), text(event.get("link"))
    custom = text(event.get("X-Mailin-custom"), 200) or text(event.get("x-mailin-custom"), 200)
    return Feedback(
        kind=_KINDS.get(name, FeedbackKind.OTHER),
        name=name,
        event_id=digest(name, provider_id, address.lower(), event.get("ts_epoch"), link),
        at=at,
        is_timed=is_timed,
        send_id=custom if len(custom) <= 64 else "",
        provider_id=provider_id,
        address=address,
        bounce=_bounce(name, words),
        detail=cut(words),
        url=link,
        is_machine="proxy" in name,
    )


def _bounce(name: str, words: str) -> BounceClass | None:
    if name == "invalid_email":
        return BounceClass.PERMANENT
    if name == "hard_bounce":
        return unless_soft(words)
    return BounceClass.TRANSIENT if name in {"soft_bounce", "blocked"} else None
