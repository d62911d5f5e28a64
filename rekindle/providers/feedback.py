"""What do providers tell us afterwards, in one vocabulary?

A `Receiver` per provider turns a web request into `Received`: the signature over the raw bytes first, then events. It
is pure: no database, no network, time from the request. The engine deduplicates by `Feedback.event_id`, finds the send
by ``send_id`` (ours, which travelled with the message) or ``provider_id``, and decides what follows; nothing here does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from rekindle.providers.read_json import number, text

#: Longest text of a person or a server that is kept.
MAX_DETAIL: Final = 300
MAX_REPLY: Final = 2_000
MAX_FIELDS: Final = 500


class FeedbackKind(StrEnum):
    QUEUED = "queued"  #: the provider has it
    SENT = "sent"  #: handed to the next system
    DELIVERED = "delivered"  #: the receiving system took it
    DEFERRED = "deferred"  #: will be tried again; followed by delivered or bounced
    BOUNCED = "bounced"  #: refused by the receiving side, finally; `Feedback.bounce` says what that means
    FAILED = "failed"  #: given up by the provider
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"  #: reported as spam
    UNSUBSCRIBED = "unsubscribed"  #: asked the provider, or us through it, to stop
    RESUBSCRIBED = "resubscribed"  #: asked the provider to start again; never a consent by itself
    REPLIED = "replied"  #: wrote back; `Feedback.text` holds the words
    CANCELLED = "cancelled"
    OTHER = "other"  #: changes no send; kept and counted


class BounceClass(StrEnum):
    PERMANENT = "permanent"  #: the address is dead: suppress it
    TRANSIENT = "transient"  #: full, filtered, blocked, expired, policy: the address may well live
    UNDETERMINED = "undetermined"  #: nobody can tell; not a reason to suppress


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One fact about one recipient.

    ``name`` is the provider's own name of the event. ``at`` is the provider's time when ``is_timed``, else the time of
    arrival: a repeated report then has another ``at`` but the same ``event_id``. ``event_id`` is the same in every
    repetition and unique within the provider's account. ``address`` is as told: to be normalised, hashed and then
    forgotten. ``is_machine``: an opening or click by a proxy or scanner. ``code`` is SMTP's or the provider's.
    """

    kind: FeedbackKind
    name: str
    event_id: str
    at: datetime
    is_timed: bool = True
    send_id: str = ""
    provider_id: str = ""
    address: str = field(default="", repr=False)
    bounce: BounceClass | None = None
    code: str = ""
    detail: str = ""
    url: str = ""
    text: str = field(default="", repr=False)
    is_machine: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A web request to our hook. ``url`` is the public one, rebuilt from configuration and never from the request;
    header names are in lower case; ``body`` is as it came, before any parser."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a request told.

    ``once``: to be remembered for a day and refused the second time, where the signature covers only this and not the
    body (Mailgun); empty elsewhere. ``confirm_url``: to be fetched once, to confirm a subscription that was asked for.
    ``answer`` is the body that the provider expects with the 200.
    """

    feedback: tuple[Feedback, ...] = ()
    once: str = ""
    confirm_url: str = ""
    answer: bytes = b""
    answer_type: str = "text/plain"


class ForgedError(Exception):
    """Not from the provider, or too old, or from the future. Answered alike whatever it was."""


class UnreadableError(Exception):
    """From the provider, but not in its form: answered with 400 and kept for a person to look at."""


class CertificateNeededError(Exception):
    """The signature can be judged only with the certificate at ``url``, whose host was checked already."""

    def __init__(self, url: str) -> None:
        super().__init__("the certificate is not known yet")
        self.url = url


class Receiver(Protocol):
    """One account's reports."""

    def receive(self, post: Post) -> Received:
        """Raises ForgedError, UnreadableError, CertificateNeededError."""
        ...


class NoReceiver:
    """For providers that report nothing: whoever says that he is one is not."""

    def receive(self, post: Post) -> Received:
        raise ForgedError("this provider sends no reports")


@runtime_checkable
class Answering(Protocol):
    """A receiver whose provider sends what the answer to its request says."""

    def answering(self, words: str) -> tuple[bytes, str]:
        """Body and type of an answer that sends these words back to whoever wrote."""
        ...


def cut(words: str, limit: int = MAX_DETAIL) -> str:
    """On one line and not longer than that.

    >>> cut("a\\r\\n b")
    'a b'
    """
    return " ".join(words.split())[:limit]


def digest(*parts: object) -> str:
    """An event id for providers that have none: the same parts always give the same 32 digits."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode("utf-8", "replace")).hexdigest()[:32]


def instant(value: object, received_at: datetime) -> tuple[datetime, bool]:
    """When it happened, in UTC, and whether the provider said so: seconds, milliseconds or ISO 8601, also as text.

    What is missing, no time at all, before 2000 or more than a day ahead counts as not said.

    >>> now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    >>> [instant(v, now)[0].isoformat() for v in (1600112492, "1591726752372", "2026-03-02T10:00:00+02:00")]
    ['2020-09-14T19:41:32+00:00', '2020-06-09T18:19:12.372000+00:00', '2026-03-02T08:00:00+00:00']
    >>> instant("soon", now) == (now, False)
    True
    """
    at: datetime | None = None
    seconds = number(value)
    try:
        if seconds is not None:
            at = datetime.fromtimestamp(seconds / 1000 if abs(seconds) > 1e11 else seconds, UTC)
        elif isinstance(value, str) and value:
            at = datetime.fromisoformat(value.strip())
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    if at is None or at.year < 2000 or at > received_at + timedelta(days=1):
        return received_at, False
    return at, True


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in their order, decoded once, empty ones included. Raises UnreadableError."""
    try:
        return parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise UnreadableError("the body is no form") from None


def phone_of(value: object) -> str:
    """A number as providers write it, with the plus that some leave out; short codes and names as they are.

    >>> phone_of("447700900001"), phone_of("+447700900001"), phone_of("whatsapp:+447700900001"), phone_of("2021")
    ('+447700900001', '+447700900001', '+447700900001', '2021')
    """
    digits = text(value, 64).rpartition(":")[2].strip()
    return f"+{digits}" if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15 else digits
