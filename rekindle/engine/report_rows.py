"""Which row does a report become? Its id is made of the facts, never of the provider's event id or our time of arrival:
some providers give a repeated event a new id, others tell no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from rekindle.lib.ids import epoch_ms, timed_hex
from rekindle.lib.logs import without_addresses
from rekindle.providers.feedback import Feedback, FeedbackKind
from rekindle.store.feedback import ReportRow
from rekindle.terms.send import SendEventKind

#: What is kept of each kind; the others change no send.
EVENTS: Final[Mapping[FeedbackKind, SendEventKind]] = {
    FeedbackKind.DELIVERED: SendEventKind.DELIVERED,
    FeedbackKind.DEFERRED: SendEventKind.DEFERRED,
    FeedbackKind.BOUNCED: SendEventKind.BOUNCED,
    FeedbackKind.FAILED: SendEventKind.DROPPED,
    FeedbackKind.CANCELLED: SendEventKind.DROPPED,
    FeedbackKind.OPENED: SendEventKind.OPENED,
    FeedbackKind.CLICKED: SendEventKind.CLICKED,
    FeedbackKind.COMPLAINED: SendEventKind.COMPLAINED,
    FeedbackKind.UNSUBSCRIBED: SendEventKind.UNSUBSCRIBED,
}
#: Whoever says one of these has the message: a send of which nobody knew went out.
SETTLING: Final = frozenset(EVENTS) | {FeedbackKind.QUEUED, FeedbackKind.SENT}
MAX_URL: Final = 500


def report_row(one: Feedback, send_id: UUID, by: str, own_url: str) -> ReportRow:
    """``by``: who reports; ``own_url``: where our own links lead, which count their clicks themselves."""
    kind = EVENTS.get(one.kind)
    if kind is None or (one.kind is FeedbackKind.CLICKED and not _counts(one, own_url)):
        return ReportRow(id=send_id.hex, send_id=send_id, kind="", at=one.at)
    name, send = kind.value, send_id.int
    if one.is_timed:
        about = one.url if one.kind is FeedbackKind.CLICKED else ""
        identifier = timed_hex(epoch_ms(one.at), f"{send:032x}:{name}:{about}".encode())
    else:  # at the instant in the send's own id
        identifier = timed_hex(send >> 80, f"{send:032x}:{name}:{one.event_id}".encode())
    return ReportRow(
        id=identifier,
        send_id=send_id,
        kind=name,
        at=one.at,
        provider_key=_storable(one.provider_id) or None,
        detail=_detail(one, by),
    )


def _counts(one: Feedback, own_url: str) -> bool:
    """Our own links record who followed them, without scanners and without the way out; a provider knows neither."""
    return not one.is_machine and not (own_url and one.url.startswith(own_url))


def _detail(one: Feedback, by: str) -> dict[str, Any]:
    detail: dict[str, Any] = {"by": by}
    if one.bounce is not None:
        detail["class"] = one.bounce.value
    if one.code:
        detail["code"] = _storable(one.code[:60])
    if one.detail:
        words = _storable(one.detail)
        detail["text"] = without_addresses(words) if "@" in words or "+" in words else words
    if one.url:
        detail["url"] = _storable(one.url[:MAX_URL])
    if one.is_machine:
        detail["machine"] = True
    return detail


def _storable(text: str) -> str:
    """Without what PostgreSQL cannot keep: NUL, and halves of characters."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()
