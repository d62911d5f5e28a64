"""What does the engine ask of a provider, and what may a provider answer?

Protocols and value types only. An adapter translates between these and one provider's wire; it decides nothing, and
knows no database and no other provider. The answers are built so that a mistake is on the safe side: what may have been
accepted is `Uncertain`, and is never repeated blindly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec


class LetterParts(msgspec.Struct, frozen=True, kw_only=True):
    """A letter in pieces, for providers that build the MIME message themselves. Text, not encoded for headers.

    ``headers`` are those that the pieces do not say: List-Unsubscribe, List-Unsubscribe-Post, List-Id and our own.
    """

    from_address: str
    subject: str
    text: str
    html: str
    from_name: str = ""
    to_name: str = ""
    reply_to: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Letter(msgspec.Struct, frozen=True):
    """One e-mail, ready: ``content`` is the MIME message with CRLF line ends, without dot-stuffing.

    ``wire_safe`` says that every line of the content ends with CRLF and none begins with a dot, as `render.mime` builds
    it; without it an adapter looks for itself, which costs as much as the rest of the sending.
    ``sender`` and ``recipient`` are bare addresses for the envelope; ``message_id`` is the Message-ID inside the
    content, without angle brackets; ``send_id`` is ours, at most 64 letters, digits, dashes or underscores, and comes
    back from providers that carry metadata. ``parts`` says the same; adapters that speak JSON need it and nothing else,
    so the content may be empty beside it.
    """

    send_id: str
    message_id: str
    sender: str
    recipient: str
    content: bytes
    wire_safe: bool = False
    parts: LetterParts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One short message, ready. ``recipient`` is in E.164; ``sender`` a number, a short code or a name, empty where the
    account's own choice (a messaging service) decides.

    ``valid_for_s``: seconds after which the provider must give up rather than deliver late. ``report_url`` is where the
    provider reports; adapters add the send id to it where the provider carries no metadata of its own.
    """

    send_id: str
    recipient: str
    text: str
    valid_for_s: int
    sender: str = ""
    report_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsTrace:
    """What is known of a short message that may have been accepted: enough to find it in the provider's list.

    ``marker`` is text that no other message holds, such as its link; ``since`` is when the attempt began.
    """

    send_id: str
    recipient: str
    marker: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One browser or app that a shopper allowed to show messages. ``id`` is ours.

    A browser has the ``address`` of its push service, its ``public_key`` (65 bytes) and its ``auth`` secret (16 bytes);
    an app only the registration token as its address.
    """

    id: str
    address: str = field(repr=False)
    public_key: bytes = field(default=b"", repr=False)
    auth: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class PushAction:
    """A button under a message, and where it leads."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One message for the devices of one shopper, ready; it has one outcome. ``url`` is where a click leads.

    ``topic``: at most 32 letters, digits, dashes or underscores; a message takes the place of an earlier one of its
    topic, in the queue as on the screen. ``valid_for_s``: a device that was off for longer gets nothing.
    """

    send_id: str
    devices: tuple[Device, ...]
    title: str
    body: str
    url: str
    topic: str
    valid_for_s: int
    icon: str = ""
    image: str = ""
    actions: tuple[PushAction, ...] = ()
    locale: str = ""
    is_urgent: bool = False


class Fault(StrEnum):
    """What a refusal is about: it decides whether the address is suppressed."""

    #: The address does not exist or takes no mail: a hard bounce.
    RECIPIENT = "recipient"
    #: The shopper told the provider to stop (complaint, unsubscribe, STOP): an opt-out, whatever the address is worth.
    OPTED_OUT = "opted_out"
    #: This letter was refused (content, size, policy): the address is as good as before.
    LETTER = "letter"
    #: The provider or the way to it.
    PROVIDER = "provider"


class Pause(StrEnum):
    """What an account needs before the next letter is worth a try."""

    #: Nothing: try again when the next batch comes.
    NONE = "none"
    #: Less pressure: rate limit, 421, no connection. For ``retry_after_s`` or the caller's own back-off.
    BACK_OFF = "back_off"
    #: A person: credentials, certificate or sender address are refused, and every letter would meet the same.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took responsibility. ``provider_id`` is its own name for the letter, or empty.

    ``gone``: of the devices of a push message, those that are no more, by our id.
    """

    provider_id: str
    detail: str
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was accepted, and an attempt was made. ``permanent``: a repetition would meet the same answer.

    ``gone`` as in `Accepted`; all of its devices when the fault is the recipient.
    """

    permanent: bool
    code: str
    detail: str
    fault: Fault
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotStarted:
    """Nothing was accepted and nothing is wrong with the letter: it may be sent again and no attempt is consumed.

    ``retry_after_s`` is for the account, or, when nothing has to pause, for this letter alone.
    """

    code: str
    detail: str
    pause: Pause
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The provider may or may not have accepted: look up, replay with a key, or show it; never repeat blindly."""

    detail: str


Outcome: TypeAlias = Accepted | Rejected | NotStarted | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an adapter can do about doubt and about volume.

    ``batch``: one request carries several letters. ``idempotency_ttl_s``: for so long a repeated key is answered
    without a second delivery; None = no keys. ``lookup``: can be asked whether it accepted a message id.
    ``signed_webhooks``: its reports are authenticated.
    """

    batch: bool = False
    idempotency_ttl_s: int | None = None
    lookup: bool = False
    signed_webhooks: bool = False


@runtime_checkable
class EmailProvider(Protocol):
    """One account at one provider, used from one event loop.

    The order of a micro-batch: ``await prepare(n)``; take the row locks; look once more; ``start(letters)``; let go of
    the locks; await the futures. Everything slow is in `prepare`: `start` waits for nothing.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do; never changes."""
        ...

    @property
    def start_width(self) -> int:
        """How many letters can be started at this moment, on connections that are ready."""
        ...

    @property
    def trouble(self) -> NotStarted | None:
        """Why the last `prepare` could not get everything ready; None when it could."""
        ...

    async def open(self) -> None:
        """Get ready for the first batch. Raises nothing: a provider that is down shows in `trouble`."""
        ...

    async def prepare(self, width: int) -> int:
        """Connect, encrypt, log in, wake up: whatever is needed to start ``width`` letters. Returns `start_width`."""
        ...

    def start(self, letters: Sequence[Letter]) -> list[asyncio.Future[Outcome]]:
        """Write the first bytes of every letter before returning; called while the caller holds row locks.

        One future per letter, in order; none is ever cancelled or failed by the provider. Letters for which no ready
        connection is left come back as `NotStarted`. An event loop that writes at the end of its turn (uvloop) has
        flushed the bytes after one ``await asyncio.sleep(0)``: the caller does that before it lets go of the locks.
        """
        ...

    async def lookup(self, message_id: str) -> bool | None:
        """Was this message id accepted? None = cannot be known (always, without ``capabilities.lookup``).

        A no is only true after the lease and the provider's own time limit have passed.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way, say goodbye, release everything. Safe to call twice."""
        ...


@runtime_checkable
class SmsProvider(Protocol):
    """One account at one gateway for short messages; the same order and the same promises as `EmailProvider`."""

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do; never changes."""
        ...

    @property
    def start_width(self) -> int:
        """How many messages can be started at this moment."""
        ...

    @property
    def trouble(self) -> NotStarted | None:
        """Why the last `prepare` could not get everything ready; None when it could."""
        ...

    async def open(self) -> None:
        """Get ready for the first batch. Raises nothing."""
        ...

    async def prepare(self, width: int) -> int:
        """Whatever is needed to start ``width`` messages. Returns `start_width`."""
        ...

    def start(self, messages: Sequence[Sms]) -> list[asyncio.Future[Outcome]]:
        """As `EmailProvider.start`."""
        ...

    async def lookup(self, trace: SmsTrace) -> bool | None:
        """Was this message accepted? None = cannot be known. A no is only true after the settle time."""
        ...

    async def close(self) -> None:
        """Finish what is under way, release everything. Safe to call twice."""
        ...


@runtime_checkable
class PushProvider(Protocol):
    """One account for messages to devices; the same order and the same promises as `EmailProvider`.

    Browsers have their messages taken in by different services, so `prepare` has to know more than a number: the caller
    says with `expect` which messages come next, in their order.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do; never changes."""
        ...

    @property
    def start_width(self) -> int:
        """How many of the expected messages can be started at this moment."""
        ...

    @property
    def trouble(self) -> NotStarted | None:
        """Why the last `prepare` could not get everything ready; None when it could."""
        ...

    async def open(self) -> None:
        """Get ready for the first batch. Raises nothing."""
        ...

    def expect(self, messages: Sequence[Push]) -> None:
        """These are the messages that the next `prepare` is for; encrypts them."""
        ...

    async def prepare(self, width: int) -> int:
        """Whatever is needed to start the first ``width`` of the expected messages. Returns how many of them can be."""
        ...

    def start(self, messages: Sequence[Push]) -> list[asyncio.Future[Outcome]]:
        """As `EmailProvider.start`. A message is accepted when it was for one of its devices at least."""
        ...

    async def close(self) -> None:
        """Finish what is under way, release everything. Safe to call twice."""
        ...
