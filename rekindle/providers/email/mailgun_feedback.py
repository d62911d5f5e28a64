"""What does Mailgun report? One event per request, with a signature that covers a token and its time, not the body.

Whoever saw one request could send another body with the same token: so a token counts once (`Received.once`) and only
while it is young. "Permanent" here means only that Mailgun gave up. Older hooks post forms. Sources: Mailgun docs
"securing webhooks", "webhook retries", "event structure".
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from rekindle.providers.bounces import classify
from rekindle.providers.feedback import (
    BounceClass,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
    UnreadableError,
    cut,
    form_fields,
    instant,
)
from rekindle.providers.read_json import mapping, parsed, text
from rekindle.providers.webhook_signature import any_matches, require_fresh

#: Retries end after 5 + 10 + 15 minutes and 1 + 2 + 4 hours.
_OLDEST: Final = timedelta(hours=8)
_KINDS: Final[Mapping[str, FeedbackKind]] = {
    "accepted": FeedbackKind.QUEUED,
    "delivered": FeedbackKind.DELIVERED,
    "rejected": FeedbackKind.FAILED,
    "opened": FeedbackKind.OPENED,
    "clicked": FeedbackKind.CLICKED,
    "complained": FeedbackKind.COMPLAINED,
    "unsubscribed": FeedbackKind.UNSUBSCRIBED,
    # names of the older, form-encoded hooks
    "bounced": FeedbackKind.BOUNCED,
    "dropped": FeedbackKind.FAILED,
}
#: Mailgun's own lists: nothing was tried.
_SUPPRESSED: Final[Mapping[str, FeedbackKind | None]] = {
    "suppress-bounce": None,
    "suppress-unsubscribe": FeedbackKind.UNSUBSCRIBED,
    "suppress-complaint": FeedbackKind.COMPLAINED,
}


class MailgunReceiver:
    """``signing_keys``: the account's HTTP webhook signing key, and the one before it."""

    def __init__(self, signing_keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in signing_keys if key]

    def receive(self, post: Post) -> Received:
        body = parsed(post.body)
        if isinstance(body, dict):
            proof, event = mapping(body.get("signature")), mapping(body.get("event-data"))
        elif "form" in post.headers.get("content-type", ""):
            event = dict(form_fields(post.body))  # of a repeated name the last value counts
            proof = event
        else:
            raise UnreadableError("neither JSON nor a form")
        token = text(proof.get("token"), 200)
        stamp = text(proof.get("timestamp"), 40)
        wanted = [hmac.new(key, f"{stamp}{token}".encode(), "sha256").hexdigest().encode() for key in self._keys]
        given = text(proof.get("signature"), 200).lower().encode("utf-8", "replace")
        if not token or not any_matches(wanted, [given]):
            raise ForgedError
        require_fresh(stamp, post.received_at, past=_OLDEST)
        return Received(feedback=tuple(_read(event, token, post)), once=token)


def _read(event: Mapping[str, object], token: str, post: Post) -> Iterator[Feedback]:
    name, reason = text(event.get("event"), 60), text(event.get("reason"), 80)
    status = mapping(event.get("delivery-status"))
    words = text(status.get("message")) or text(status.get("description"))
    words = words or text(event.get("error")) or text(event.get("description"))
    code = text(status.get("enhanced-code"), 20) or text(status.get("code"), 20) or text(event.get("code"), 20)
    kind, bounce, also = _judge(name, event, words, code)
    at, is_timed = instant(event.get("timestamp"), post.received_at)
    headers = mapping(mapping(event.get("message")).get("headers"))
    variables = event.get("user-variables")
    mine = mapping(variables) or mapping(parsed(text(variables)))
    for number, one in enumerate((kind, *([also] if also else []))):
        yield Feedback(
            kind=one,
            name=f"{name}:{text(event.get('severity'), 20)}" if name == "failed" else name,
            event_id=token if number == 0 else f"{token}:{one}",
            at=at,
            is_timed=is_timed,
            send_id=text(mine.get("send_id"), 64) or text(event.get("send_id"), 64),
            provider_id=(text(headers.get("message-id"), 300) or text(event.get("Message-Id"), 300)).strip("<>"),
            address=text(event.get("recipient"), 320),
            bounce=bounce if number == 0 else None,
            code=code or reason,
            detail=cut(words or reason),
            url=text(event.get("url")),
            is_machine=bool(text(mapping(event.get("client-info")).get("bot"))),
        )


def _judge(
    name: str, event: Mapping[str, object], words: str, code: str
) -> tuple[FeedbackKind, BounceClass | None, FeedbackKind | None]:
    """Kind, class of a bounce, and a second kind where the refusal tells something about the shopper."""
    reason = text(event.get("reason"), 80).lower()
    if reason in _SUPPRESSED:
        return FeedbackKind.FAILED, BounceClass.PERMANENT if reason == "suppress-bounce" else None, _SUPPRESSED[reason]
    if name == "failed":
        if text(event.get("severity")) == "temporary":
            return FeedbackKind.DEFERRED, None, None
        return FeedbackKind.BOUNCED, classify(words, code), None
    kind = _KINDS.get(name, FeedbackKind.OTHER)
    return kind, classify(words, code) if kind is FeedbackKind.BOUNCED else None, None
