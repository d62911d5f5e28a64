"""What does Postmark report? One record per request, unsigned: a shared secret in the hook's address stands for it.

A bounce's `Type` decides; a change of subscription can also be a return. Sources: Postmark developer docs "webhooks",
"bounce API: bounce types".
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
from rekindle.providers.read_json import mapping, parsed, text
from rekindle.providers.webhook_signature import require_shared_secret

_RECORDS: Final[Mapping[str, FeedbackKind]] = {
    "Delivery": FeedbackKind.DELIVERED,
    "Open": FeedbackKind.OPENED,
    "Click": FeedbackKind.CLICKED,
    "SpamComplaint": FeedbackKind.COMPLAINED,
}
_BOUNCES: Final[Mapping[str, tuple[FeedbackKind, BounceClass | None]]] = {
    "HardBounce": (FeedbackKind.BOUNCED, BounceClass.PERMANENT),
    "BadEmailAddress": (FeedbackKind.BOUNCED, BounceClass.PERMANENT),
    "AddressChange": (FeedbackKind.BOUNCED, BounceClass.UNDETERMINED),
    "SoftBounce": (FeedbackKind.BOUNCED, BounceClass.TRANSIENT),
    "Blocked": (FeedbackKind.BOUNCED, BounceClass.TRANSIENT),
    "DMARCPolicy": (FeedbackKind.BOUNCED, BounceClass.TRANSIENT),
    "SpamNotification": (FeedbackKind.BOUNCED, BounceClass.TRANSIENT),
    "VirusNotification": (FeedbackKind.BOUNCED, BounceClass.TRANSIENT),
    "Unknown": (FeedbackKind.BOUNCED, BounceClass.UNDETERMINED),
    "Transient": (FeedbackKind.DEFERRED, None),
    "DnsError": (FeedbackKind.DEFERRED, None),
    "SpamComplaint": (FeedbackKind.COMPLAINED, None),
    "Unsubscribe": (FeedbackKind.UNSUBSCRIBED, None),
    "Subscribe": (FeedbackKind.RESUBSCRIBED, None),
    "ManuallyDeactivated": (FeedbackKind.FAILED, None),
    "SMTPApiError": (FeedbackKind.FAILED, None),
    "TemplateRenderingFailed": (FeedbackKind.FAILED, None),
}
_SUPPRESSED: Final[Mapping[str, tuple[FeedbackKind, BounceClass | None]]] = {
    "ManualSuppression": (FeedbackKind.UNSUBSCRIBED, None),
    "SpamComplaint": (FeedbackKind.COMPLAINED, None),
    "HardBounce": (FeedbackKind.BOUNCED, BounceClass.PERMANENT),
}


class PostmarkReceiver:
    """``credentials``: ``user:password`` as written into the hook's address, or a bearer token; one or two."""

    def __init__(self, credentials: Sequence[str]) -> None:
        self._credentials = tuple(credentials)

    def receive(self, post: Post) -> Received:
        require_shared_secret(post, self._credentials)
        record = parsed(post.body)
        if not isinstance(record, dict):
            raise UnreadableError("no record")
        return Received(feedback=(_read(mapping(record), post),))


def _read(record: Mapping[str, object], post: Post) -> Feedback:
    name = text(record.get("RecordType"), 60)
    kind, bounce = _judge(name, record)
    said_at = next(
        (record[key] for key in ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt") if key in record), ""
    )
    at, is_timed = instant(said_at, post.received_at)
    words = text(record.get("Details")) or text(record.get("Description"))
    provider_id = text(record.get("MessageID"), 100)
    if bounce is BounceClass.PERMANENT and name == "Bounce":
        bounce = unless_soft(words)
    number = text(record.get("ID"), 40)
    address = text(record.get("Email"), 320) or text(record.get("Recipient"), 320)
    link = text(record.get("OriginalLink"))
    return Feedback(
        kind=kind,
        name=f"{name}:{text(record.get('Type'), 60)}" if name == "Bounce" else name,
        event_id=f"{name}:{number}" if number else digest(name, provider_id, said_at, link, address),
        at=at,
        is_timed=is_timed,
        send_id=text(mapping(record.get("Metadata")).get("send_id"), 64),
        provider_id=provider_id,
        address=address,
        bounce=bounce,
        code=text(record.get("Type"), 60),
        detail=cut(words),
        url=link,
    )


def _judge(name: str, record: Mapping[str, object]) -> tuple[FeedbackKind, BounceClass | None]:
    if name == "Bounce":
        return _BOUNCES.get(text(record.get("Type")), (FeedbackKind.OTHER, None))
    if name == "SubscriptionChange":
        if record.get("SuppressSending") is not True:
            return FeedbackKind.RESUBSCRIBED, None
        return _SUPPRESSED.get(text(record.get("SuppressionReason")), (FeedbackKind.UNSUBSCRIBED, None))
    return _RECORDS.get(name, FeedbackKind.OTHER), None
