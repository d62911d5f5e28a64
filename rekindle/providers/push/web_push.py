"""How does a message reach browsers? Encrypted for each one, posted to the service that its subscription names.

Unlike other accounts this one talks to several services, each with its own trouble: a service that is down or asks for
patience holds up its own messages and nobody else's. It cannot be asked afterwards, and reports nothing.
Sources: RFC 8030, 8291, 8292; the services' own answers (Mozilla autopush "errno", Apple "reason", Google's texts).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.lib.push_endpoint import is_push_endpoint
from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Device,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    Push,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import (
    Answer,
    Answered,
    EgressError,
    EgressRules,
    Exchange,
    HttpClient,
    Line,
    NotWritten,
    Request,
)
from rekindle.providers.over_http import UnsendableError, by_status, not_written, told
from rekindle.providers.push.combine import all_answered
from rekindle.providers.push.message_encryption import MAX_PLAIN, encrypt
from rekindle.providers.push.vapid import Vapid
from rekindle.providers.read_json import mapping, number, parsed, text

log = logging.getLogger(__name__)

_CAPABILITIES: Final = Capabilities()
#: RFC 8030 5.2 lets services shorten it; they take at most four weeks.
_MAX_TTL_S: Final = 28 * 86_400
#: A service that does not say how long to wait, or cannot be reached.
_PATIENCE_S: Final = 60.0
#: Services that one account keeps ways to at a time.
_MAX_LINES: Final = 64
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
#: How services say that a subscription was made under another key: it can never be used again.
_OTHER_KEY = re.compile(
    r"VapidPkHashMismatch|do not correspond to the credentials|key.{0,40}(mismatch|does not match)"
    r"|(mismatch|does not match).{0,40}key",
    re.IGNORECASE,
)
#: autopush: 102 invalid endpoint · 103 expired · 105, 106 invalid or dropped subscription.
_GONE_ERRNO: Final = frozenset({102, 103, 105, 106})


@dataclass(frozen=True, kw_only=True)
class WebPush:
    """One shop's identity towards all services. ``subject``: mailto: or https:, for complaints of a service."""

    private_key: str = field(repr=False)
    subject: str
    clock: Clock = SYSTEM_CLOCK
    _vapid: Vapid = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+\.[^\s@]+|https://[^\s]+)", self.subject):
            raise ValueError("web push needs a contact for push services: mailto:somebody@shop.example or https://…")
        object.__setattr__(self, "_vapid", Vapid(self.private_key, self.subject, self.clock))

    @property
    def public_key(self) -> str:
        """The application server key that browsers subscribe with."""
        return self._vapid.public_key

    def request(self, message: Push, device: Device, rules: EgressRules) -> tuple[str, Request]:
        """The origin of the device's service, and the request. Raises UnsendableError, EgressError."""
        if not is_push_endpoint(device.address, rules.push_hosts):
            raise EgressError("this is no address of a known push service")
        origin, target = rules.split(device.address)
        base = f"{origin.scheme}://{origin.authority}"
        if message.valid_for_s < 1:
            raise UnsendableError("expired", "the message is not valid any more")
        if not _TOPIC.fullmatch(message.topic):
            raise UnsendableError("topic", "a topic has 1 to 32 letters, digits, dashes or underscores")
        plain = payload(message)
        if len(plain) > MAX_PLAIN:
            raise UnsendableError("413", f"a push message has at most {MAX_PLAIN} bytes, this one {len(plain)}")
        headers = (
            ("TTL", str(min(message.valid_for_s, _MAX_TTL_S))),
            ("Urgency", "high" if message.is_urgent else "normal"),
            ("Topic", message.topic),
            ("Content-Type", "application/octet-stream"),
            ("Content-Encoding", "aes128gcm"),
            ("Authorization", self._vapid.authorization(base)),
        )
        return base, Request("POST", target, headers, encrypt(plain, device.public_key, device.auth))

    def outcome(self, answer: Answer, device: Device) -> Outcome:
        """What a service's answer means for one device."""
        body = mapping(parsed(answer.body))
        words = " ".join(text(body.get(name), 200) for name in ("reason", "message", "error")).strip()
        said = told(words or answer.body[:300].decode("utf-8", "replace"), device.address)
        if answer.status in {200, 201, 202, 204}:
            return Accepted("", str(answer.status))
        if answer.status in {404, 410} or number(body.get("errno")) in _GONE_ERRNO:
            return Rejected(True, str(answer.status), said, Fault.RECIPIENT)
        if answer.status in {400, 401, 403} and _OTHER_KEY.search(said):
            return Rejected(True, str(answer.status), f"made under another key: {said}"[:300], Fault.RECIPIENT)
        outcome = by_status(answer, said)
        if isinstance(outcome, NotStarted) and outcome.pause is Pause.BACK_OFF:
            return NotStarted(outcome.code, outcome.detail, Pause.NONE, outcome.retry_after_s or _PATIENCE_S)
        return outcome


def payload(message: Push) -> bytes:
    """What our service worker shows: see frontend/src/storefront/push_worker.ts."""
    told: dict[str, object] = {
        "v": 1,
        "id": message.send_id,
        "title": message.title,
        "body": message.body,
        "url": message.url,
        "tag": message.topic,
        "icon": message.icon,
        "image": message.image,
        "lang": message.locale,
        "actions": [{"title": action.title, "url": action.url} for action in message.actions],
    }
    try:
        return msgspec.json.encode({name: value for name, value in told.items() if value})
    except UnicodeEncodeError:
        raise UnsendableError("encoding", "the content cannot be written as UTF-8") from None


@dataclass(slots=True)
class _Posting:
    """One message to one device, ready to be written; ``outcome`` when it will not be."""

    device: Device
    origin: str = ""
    request: Request | None = None
    outcome: Outcome | None = None


class WebPushProvider:
    """A `PushProvider` for browsers. ``client`` is shared and stays open when this account is closed."""

    def __init__(self, client: HttpClient, account: WebPush) -> None:
        self._client, self._account = client, account
        self._expected: dict[str, list[_Posting]] = {}
        self._lines: dict[str, Line] = {}
        self._patience: dict[str, tuple[float, str]] = {}  # origin -> not before, and why
        self._width = 0
        self._under_way: set[asyncio.Future[Outcome]] = set()
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def start_width(self) -> int:
        return 0 if self._closed else self._width

    @property
    def trouble(self) -> NotStarted | None:
        """None: the trouble of one service is told by the outcomes of its messages."""
        return None

    async def open(self) -> None:
        self._closed = False

    async def check(self) -> NotStarted | None:
        """Are the credentials good? Made by this machine and never registered anywhere, so there is nobody to ask."""
        return None

    def expect(self, messages: Sequence[Push]) -> None:
        self._expected = {one.send_id: [self._posting(one, device) for device in one.devices] for one in messages}
        self._width = 0

    async def prepare(self, width: int) -> int:
        if self._closed:
            return 0
        planned = list(self._expected.values())[:width]
        wanted = Counter(
            one.origin for postings in planned for one in postings if one.request and not self._waits(one.origin)
        )
        for origin in wanted:
            self._line(origin, keep=wanted)
        await asyncio.gather(*(self._connect(origin, count) for origin, count in wanted.items()))
        self._width = self._startable(planned, wanted)
        return self._width

    def start(self, messages: Sequence[Push]) -> list[asyncio.Future[Outcome]]:
        return [self._start(message) for message in messages]

    async def close(self) -> None:
        self._closed = True
        while self._under_way:
            await asyncio.wait(self._under_way)
        for line in self._lines.values():
            line.release()
        self._lines.clear()

    # -- getting ready ------------------------------------------------------------------------------------------------

    def _posting(self, message: Push, device: Device) -> _Posting:
        try:
            origin, request = self._account.request(message, device, self._client.settings.rules)
        except UnsendableError as fault:
            return _Posting(device, outcome=fault.outcome)
        except EgressError as fault:
            return _Posting(device, outcome=Rejected(True, "blocked", str(fault), Fault.LETTER))
        except ValueError as fault:  # a key that is none: this device can never be reached
            return _Posting(device, outcome=Rejected(True, "subscription", str(fault)[:300], Fault.RECIPIENT))
        return _Posting(device, origin, request)

    def _line(self, origin: str, *, keep: Mapping[str, int]) -> None:
        if origin in self._lines:
            return
        for other in [one for one in self._lines if one not in keep][: max(len(self._lines) - _MAX_LINES + 1, 0)]:
            self._lines.pop(other).release()
        self._lines[origin] = self._client.line(origin)

    async def _connect(self, origin: str, count: int) -> None:
        if await self._lines[origin].prepare(count):
            return
        trouble = self._lines[origin].trouble
        if trouble is not None:
            self._wait(origin, _PATIENCE_S, f"{trouble.code}: {trouble.why}")

    def _startable(self, planned: Sequence[Sequence[_Posting]], wanted: Mapping[str, int]) -> int:
        """How many messages from the first one have a connection for each device whose service is there at all."""
        free = {origin: self._lines[origin].ready for origin in wanted}
        for place, postings in enumerate(planned):
            needed = Counter(one.origin for one in postings if one.request and not self._waits(one.origin))
            if any(free.get(origin, 0) < count for origin, count in needed.items()):
                return place
            for origin, count in needed.items():
                free[origin] -= count
        return len(planned)

    def _waits(self, origin: str) -> bool:
        until, _ = self._patience.get(origin, (0.0, ""))
        return asyncio.get_running_loop().time() < until

    def _wait(self, origin: str, seconds: float, why: str) -> None:
        if len(self._patience) >= 1_000:
            self._patience.clear()
        self._patience[origin] = asyncio.get_running_loop().time() + seconds, why
        log.warning("push_service_waits", extra={"facts": {"service": origin, "s": seconds, "why": why}})

    # -- one message --------------------------------------------------------------------------------------------------

    def _start(self, message: Push) -> asyncio.Future[Outcome]:
        postings = self._expected.pop(message.send_id, None)
        if postings is None or [one.device for one in postings] != list(message.devices):
            postings = [self._posting(message, device) for device in message.devices]
        self._width = max(self._width - 1, 0)
        return all_answered(message.devices, [self._post(one) for one in postings])

    def _post(self, posting: _Posting) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if posting.request is None or self._closed:
            nothing = NotStarted("not_ready", "the account is closed", Pause.NONE)
            future.set_result(posting.outcome or nothing)
            return future
        line = self._lines.get(posting.origin)
        if line is None or self._waits(posting.origin):
            future.set_result(self._not_now(posting.origin))
            return future
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        line.start(posting.request).add_done_callback(self._reading(posting, future))
        return future

    def _reading(
        self, posting: _Posting, future: asyncio.Future[Outcome]
    ) -> Callable[[asyncio.Future[Exchange]], None]:
        def answered(finished: asyncio.Future[Exchange]) -> None:
            future.set_result(self._outcome(posting, finished.result()))

        return answered

    def _outcome(self, posting: _Posting, exchange: Exchange) -> Outcome:
        if isinstance(exchange, NotWritten):
            trouble = not_written(exchange)
            return NotStarted(trouble.code, trouble.detail, Pause.NONE, self._left(posting.origin))
        if not isinstance(exchange, Answered):
            return Uncertain(exchange.why)
        try:
            outcome = self._account.outcome(exchange.answer, posting.device)
        except Exception as fault:  # a mistake of ours while reading an answer must not lose the message
            log.exception("answer_unreadable")
            return Uncertain(f"the answer could not be read: {type(fault).__name__}")
        if isinstance(outcome, NotStarted) and outcome.retry_after_s is not None:
            self._wait(posting.origin, outcome.retry_after_s, f"{outcome.code}: {outcome.detail}")
        return outcome

    def _not_now(self, origin: str) -> NotStarted:
        _, why = self._patience.get(origin, (0.0, "no connection is ready"))
        return NotStarted("not_ready", why, Pause.NONE, self._left(origin))

    def _left(self, origin: str) -> float | None:
        until, _ = self._patience.get(origin, (0.0, ""))
        left = until - asyncio.get_running_loop().time()
        return max(left, 1.0) if left > 0 else None
