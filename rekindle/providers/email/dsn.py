"""What does a message in the return-path or reply mailbox tell? Bounces, complaints, automatic and human replies.

For shops that send through their own SMTP server. About half of real bounces are standard reports (RFC 3464), most
others plain text from a server; complaints are mostly ARF (RFC 5965); automatic replies (RFC 3834) are neither bounce
nor reply. The send is recognised by our own header in the returned part, else by the Message-ID, which holds it too.

Everything in such a message is hostile: nothing here follows, renders or trusts any of it, and a forged report can at
most concern a send whose random id its author knows.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from html import unescape
from typing import Final, cast

from rekindle.providers.bounces import classify
from rekindle.providers.feedback import MAX_REPLY, Feedback, FeedbackKind, cut, digest, instant

MAX_SIZE: Final = 2 * 1024 * 1024
_MAX_PARTS: Final = 200
_MAX_RECIPIENTS: Final = 50

_ACTIONS: Final = {
    "failed": FeedbackKind.BOUNCED,
    "delayed": FeedbackKind.DEFERRED,
    "delivered": FeedbackKind.DELIVERED,
    "relayed": FeedbackKind.SENT,
}
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OUR_HEADER = re.compile(r"^x-rekindle-send:[ \t]*([A-Za-z0-9_-]{1,64})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_OUR_ID = re.compile(rf"((?:[0-9]{{1,4}}-)?{_UUID})@", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_TAGS = re.compile(r"<[^>]{0,2000}>")

_FROM_A_SERVER = re.compile(r"mailer-?daemon|postmaster|mail ?delivery|(?<![a-z])mdaemon", re.IGNORECASE)
_ABOUT_DELIVERY = re.compile(
    r"undeliver|not delivered|delivery (?:status|failure|has failed|report|problem)|failure notice|returned mail"
    r"|mail delivery|delayed mail|non remis|unzustellbar|no se puede entregar",
    re.IGNORECASE,
)
_STILL_TRYING = re.compile(
    r"\bdelayed\b|will (?:be )?(?:retr|keep trying|continue)|no action is required", re.IGNORECASE
)
_QUOTED = re.compile(r"^(?:>.*|on .{5,200} wrote:|am .{5,200} schrieb.*:|le .{5,200} a écrit\s?:)$", re.IGNORECASE)


def read_mail(raw: bytes, received_at: datetime) -> tuple[Feedback, ...]:
    """What a message tells; never empty, and never an error: what cannot be read is `OTHER`."""
    try:
        message = email.message_from_bytes(raw[:MAX_SIZE], policy=email.policy.compat32)
        return tuple(_read(message, raw, received_at))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
        # The library's parser is not written for such input; the message stays for a person to look at.
        return (
            Feedback(kind=FeedbackKind.OTHER, name="unreadable", event_id=digest(raw), at=received_at, is_timed=False),
        )


def _read(message: Message, raw: bytes, received_at: datetime) -> Iterator[Feedback]:
    at, is_timed = _date(message, received_at)
    base = Feedback(
        kind=FeedbackKind.OTHER,
        name="",
        event_id=digest(_header(message, "Message-ID") or raw),
        at=at,
        is_timed=is_timed,
    )
    parts = _parts(message)
    status = next((part for part in parts if _type(part) == "message/delivery-status"), None)
    complaint = next((part for part in parts if _type(part) == "message/feedback-report"), None)
    original = _original(parts)
    if status is not None:
        yield from _delivery_status(status, replace(base, send_id=_send_id(original, raw)))
    elif complaint is not None:
        yield _complaint(complaint, original, replace(base, send_id=_send_id(original, raw)))
    elif _is_automatic(message):
        yield replace(base, name="auto-reply", address=_address(message, "From"))
    elif _is_from_a_server(message):
        yield _plain_bounce(message, parts, replace(base, send_id=_send_id(original, raw)))
    else:
        words = _human_words(_text(parts))
        yield replace(base, kind=FeedbackKind.REPLIED, name="reply", address=_address(message, "From"), text=words)


# -- reports ----------------------------------------------------------------------------------------------------------


def _delivery_status(part: Message, base: Feedback) -> Iterator[Feedback]:
    """RFC 3464: a block about the message, then one per recipient."""
    inner = part.get_payload()
    blocks = [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []
    recipients = [block for block in blocks if block.get("Final-Recipient") or block.get("Original-Recipient")]
    for block in recipients[:_MAX_RECIPIENTS]:
        action = _header(block, "Action").lower()
        code, words = _header(block, "Status").split(" ")[0][:20], _typed(_header(block, "Diagnostic-Code"))
        kind = _ACTIONS.get(action, FeedbackKind.OTHER)
        address = _typed(_header(block, "Original-Recipient")) or _typed(_header(block, "Final-Recipient"))
        tried_at, is_timed = _instant(_header(block, "Last-Attempt-Date"), base.at)
        yield replace(
            base,
            kind=kind,
            name=f"dsn:{action[:20]}",
            event_id=digest(base.event_id, address.lower(), action),
            at=tried_at if is_timed else base.at,
            is_timed=is_timed or base.is_timed,
            address=address[:320],
            bounce=classify(words, code) if kind is FeedbackKind.BOUNCED else None,
            code=code,
            detail=cut(words),
        )
    if not recipients:
        yield replace(base, name="dsn:empty")


def _complaint(part: Message, original: Message | None, base: Feedback) -> Feedback:
    """RFC 5965. "not-spam" is praise, "opt-out" a wish; every other type is a complaint."""
    report = _inner(part)
    kind_of_report = _header(report, "Feedback-Type").lower()
    kinds = {
        "not-spam": FeedbackKind.OTHER,
        "auth-failure": FeedbackKind.OTHER,
        "dmarc": FeedbackKind.OTHER,
        "opt-out": FeedbackKind.UNSUBSCRIBED,
        "opt-out-list": FeedbackKind.UNSUBSCRIBED,
    }
    recipient = _header(report, "Original-Rcpt-To") or _header(report, "Removal-Recipient")
    address = next((one for _, one in getaddresses([recipient]) if "@" in one), "")
    if not address and original is not None:
        address = _address(original, "To")
    return replace(
        base,
        kind=kinds.get(kind_of_report, FeedbackKind.COMPLAINED),
        name=f"arf:{kind_of_report[:20]}",
        address=address[:320],
        detail=cut(_header(report, "User-Agent")),
    )


def _plain_bounce(message: Message, parts: list[Message], base: Feedback) -> Feedback:
    """Text from a server: the first address that is not one of its own or ours, and whatever code it mentions."""
    failed = _header(message, "X-Failed-Recipients")
    ours = {_address(message, name).lower() for name in ("From", "To", "Return-Path")}
    words = _text(parts)
    found = [one for one in _ADDRESS.findall(f"{failed} {words}") if not _FROM_A_SERVER.search(one)]
    address = next((one for one in found if one.lower() not in ours and not _OUR_ID.match(one)), "")
    if _STILL_TRYING.search(words[:1_500]) or _STILL_TRYING.search(_header(message, "Subject")):
        return replace(base, kind=FeedbackKind.DEFERRED, name="text:delayed", address=address, detail=cut(words))
    code = re.search(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])", words)
    return replace(
        base,
        kind=FeedbackKind.BOUNCED,
        name="text",
        address=address[:320],
        bounce=classify(words, code[0] if code else ""),
        code=code[0] if code else "",
        detail=cut(_around(words, code.start() if code else 0)),
    )


# -- what kind of message ---------------------------------------------------------------------------------------------


def _is_automatic(message: Message) -> bool:
    """RFC 3834 section 5, and the older headers that auto-responders set. A server's own bounce is not one of them."""
    if _is_from_a_server(message):
        return False
    if _header(message, "Auto-Submitted").lower() not in {"", "no"}:
        return True
    if any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")):
        return True
    return _header(message, "Precedence").lower() in {"auto_reply", "bulk", "junk", "list"}


def _is_from_a_server(message: Message) -> bool:
    sender = _header(message, "From")
    return_path = _header(message, "Return-Path")
    if _FROM_A_SERVER.search(sender) or message.get("X-Failed-Recipients"):
        return True
    return return_path == "<>" and bool(_ABOUT_DELIVERY.search(_header(message, "Subject")))


def _human_words(words: str) -> str:
    """A reply without what it quotes: everything from the first quoted line on is the letter it answers."""
    kept: list[str] = []
    for line in words.splitlines():
        if _QUOTED.match(line.strip()):
            break
        kept.append(line.rstrip())
    return "\n".join(kept).strip()[:MAX_REPLY]


# -- parts ------------------------------------------------------------------------------------------------------------


def _parts(message: Message) -> list[Message]:
    """Parts down to, and without the inside of, returned messages."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < _MAX_PARTS:
        part = waiting.pop(0)
        found.append(part)
        if part.get_content_maintype() == "multipart":
            inner = part.get_payload()
            waiting += [one for one in inner if isinstance(one, Message)] if isinstance(inner, list) else []
    return found


def _original(parts: list[Message]) -> Message | None:
    """The returned message, or its headers."""
    for part in parts:
        if _type(part) in {"message/rfc822", "message/global"}:
            return _inner(part)
        if _type(part) in {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}:
            return email.message_from_string(_decoded(part), policy=email.policy.compat32)
    return None


def _inner(part: Message) -> Message:
    """The message or the block of fields inside a ``message/…`` part, however the parser took it."""
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        first = inner[0]
        return first if first.keys() else _fields(cast(str, first.get_payload()))
    return _fields(_decoded(part))


def _fields(text: object) -> Message:
    return email.message_from_string(text.lstrip() if isinstance(text, str) else "", policy=email.policy.compat32)


def _send_id(original: Message | None, raw: bytes) -> str:
    """From our header in the returned part, else from its Message-ID, else wherever either stands in the text."""
    if original is not None:
        own = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", _header(original, "X-Rekindle-Send"))
        by_id = _OUR_ID.search(_header(original, "Message-ID"))
        if own or by_id:
            return own[0] if own else cast("re.Match[str]", by_id)[1]
    words = raw[:MAX_SIZE].decode("latin-1").replace("\r\n", "\n")
    body = words.partition("\n\n")[2]
    found = _OUR_HEADER.search(body) or re.search(rf"^message-id:\s*<((?:[0-9]{{1,4}}-)?{_UUID})@", body, re.I | re.M)
    return found[1] if found else ""


def _text(parts: list[Message]) -> str:
    """The first readable part: plain text, else HTML without its tags."""
    for wanted in ("text/plain", "text/html"):
        for part in parts:
            if _type(part) == wanted and (words := _decoded(part)[:64_000]).strip():
                return words if wanted == "text/plain" else unescape(_TAGS.sub(" ", words))
    return ""


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        return payload[:MAX_SIZE].decode(charset, "replace")
    except LookupError:
        return payload[:MAX_SIZE].decode("utf-8", "replace")


def _type(part: Message) -> str:
    return part.get_content_type()


def _header(message: Message, name: str) -> str:
    """One header on one line, encoded words decoded where they can be."""
    value = str(message.get(name) or "")[:4_000]
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (ValueError, LookupError):
        return " ".join(value.split())


def _address(message: Message, name: str) -> str:
    return next((one for _, one in getaddresses([_header(message, name)]) if "@" in one), "")[:320]


def _typed(value: str) -> str:
    """The value behind its type: ``rfc822; ada@example.com`` (RFC 3464 2.1.2)."""
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and "@" not in kind else value.strip()


def _date(message: Message, received_at: datetime) -> tuple[datetime, bool]:
    return _instant(_header(message, "Date"), received_at)


def _instant(value: str, received_at: datetime) -> tuple[datetime, bool]:
    try:
        return instant(parsedate_to_datetime(value).isoformat(), received_at)
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at, False


def _around(words: str, place: int) -> str:
    return words[max(place - 100, 0) : place + 300]
