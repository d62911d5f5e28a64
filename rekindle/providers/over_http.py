"""How does a translation of one provider's API keep the promises of `providers.base`?

An adapter is a `Dialect`: pure, a letter in and a request out, an answer in and an outcome out. This module does the
rest for all of them: connections, futures, doubt. Statuses that mean the same everywhere are judged in `by_status`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, Generic, TypeVar

import msgspec

from rekindle.providers.base import Capabilities, Fault, NotStarted, Outcome, Pause, Rejected, Uncertain
from rekindle.providers.http_client import Answer, Answered, Exchange, HttpClient, NotWritten, Request, Unanswered

log = logging.getLogger(__name__)

_MAX_DETAIL: Final = 300
#: What an API quotes of the request's own header: a secret in another form than the one that is known.
_CREDENTIALS = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{16,}", re.IGNORECASE)
#: A provider that asks for more than that has another trouble than load.
_LONGEST_WAIT_S: Final = 24 * 3600.0

M = TypeVar("M")
T = TypeVar("T")


class UnsendableError(Exception):
    """This letter cannot be put into a request for this provider; ``outcome`` says why. Nothing was written."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.outcome = Rejected(True, code, why, Fault.LETTER)


class Dialect(ABC, Generic[M, T]):
    """One account at one provider, as a translation. ``M`` is what is sent, ``T`` what a look-up goes by."""

    base_url: str

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @property
    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a stored text, in case the provider repeats it."""

    @abstractmethod
    def request(self, message: M) -> Request:
        """Raises UnsendableError."""

    @abstractmethod
    def outcome(self, answer: Answer, message: M) -> Outcome:
        """What a whole answer means for this message."""

    @abstractmethod
    def check_request(self) -> Request:
        """A request that tells whether the credentials are good, and sends nothing."""

    def is_welcome(self, answer: Answer) -> bool:
        """Does the answer to `check_request` say that the credentials are good?"""
        return 200 <= answer.status < 300

    async def sign_in(self, client: HttpClient) -> NotStarted | None:
        """Fetch what requests need before they can be made, such as a token. None: they can be made; else why not."""
        return None

    def lookup_request(self, trace: T) -> Request | None:
        """The question whether a message was accepted; None where the provider cannot be asked."""
        return None

    def was_accepted(self, answer: Answer, trace: T) -> bool | None:
        """The answer to `lookup_request`."""
        return None


class HttpProvider(Generic[M, T]):
    """An `EmailProvider` (M Letter, T the message id) or `SmsProvider` (M Sms, T SmsTrace) made of a dialect.

    ``client`` is shared and stays open when this account is closed. Raises EgressError for a base URL that may not be
    called.
    """

    def __init__(self, client: HttpClient, dialect: Dialect[M, T]) -> None:
        self._client = client
        self._dialect = dialect
        self._line = client.line(dialect.base_url)
        self._under_way: set[asyncio.Future[Exchange]] = set()
        self._signed_out: NotStarted | None = None
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self._dialect.capabilities

    @property
    def start_width(self) -> int:
        return 0 if self._closed else self._line.ready

    @property
    def trouble(self) -> NotStarted | None:
        trouble = self._line.trouble
        return self._signed_out if trouble is None else not_written(trouble)

    async def open(self) -> None:
        self._closed = False
        await self.prepare(1)

    async def prepare(self, width: int) -> int:
        if self._closed:
            return 0
        self._signed_out = await self._dialect.sign_in(self._client)
        return 0 if self._signed_out is not None else await self._line.prepare(width)

    def start(self, messages: Sequence[M]) -> list[asyncio.Future[Outcome]]:
        return [self._start(message) for message in messages]

    async def lookup(self, trace: T) -> bool | None:
        request = self._dialect.lookup_request(trace)
        if request is None or self._closed:
            return None
        exchange = await self._ask(request)
        if not isinstance(exchange, Answered):
            return None
        try:
            return self._dialect.was_accepted(exchange.answer, trace)
        except (ValueError, TypeError, KeyError, LookupError):
            log.exception("lookup_unreadable")
            return None

    async def check(self) -> NotStarted | None:
        """Are the credentials good? None = yes; nothing is sent."""
        signed_out = await self._dialect.sign_in(self._client)
        if signed_out is not None:
            return signed_out
        exchange = await self._ask(self._dialect.check_request())
        if isinstance(exchange, NotWritten):
            return not_written(exchange)
        if isinstance(exchange, Unanswered):
            return NotStarted("no_answer", exchange.why, Pause.BACK_OFF)
        answer = exchange.answer
        if self._dialect.is_welcome(answer):
            return None
        said = told(answer.body.decode("utf-8", "replace"), *self._dialect.secrets)
        outcome = by_status(answer, said)
        if isinstance(outcome, NotStarted):
            return outcome
        return NotStarted(str(answer.status), f"{answer.status} {said}"[:_MAX_DETAIL], Pause.OPERATOR)

    async def close(self) -> None:
        self._closed = True
        while self._under_way:
            await asyncio.wait(self._under_way)
        self._line.release()

    # -- one message --------------------------------------------------------------------------------------------------

    def _start(self, message: M) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result(NotStarted("not_ready", "the account is closed", Pause.NONE))
            return future
        try:
            exchange = self._line.start(self._dialect.request(message))
        except UnsendableError as fault:
            future.set_result(fault.outcome)
            return future
        except ValueError as fault:  # a value that would break the request apart
            future.set_result(Rejected(True, "request", str(fault)[:_MAX_DETAIL], Fault.LETTER))
            return future
        # The caller may cancel its future; what is under way is not ended by that, so the two are kept apart.
        self._under_way.add(exchange)

        def answered(finished: asyncio.Future[Exchange]) -> None:
            self._under_way.discard(finished)
            outcome = self._outcome(finished.result(), message)
            if not future.done():
                future.set_result(outcome)

        exchange.add_done_callback(answered)
        return future

    def _outcome(self, exchange: Exchange, message: M) -> Outcome:
        if isinstance(exchange, NotWritten):
            return not_written(exchange)
        if isinstance(exchange, Unanswered):
            return Uncertain(exchange.why)
        try:
            return self._dialect.outcome(exchange.answer, message)
        except Exception as fault:  # a mistake of ours while reading an answer must not lose the letter
            log.exception("answer_unreadable")
            return Uncertain(f"the answer could not be read: {type(fault).__name__}")

    async def _ask(self, request: Request) -> Exchange:
        root = self._client.settings.rules
        origin, _ = root.split(self._dialect.base_url)
        return await self._client.exchange(
            f"{origin.scheme}://{origin.authority}{request.target}",
            request.method,
            headers=request.headers,
            body=request.body,
        )


def json_request(target: str, payload: object, *headers: tuple[str, str], method: str = "POST") -> Request:
    """A request with a JSON body. Raises UnsendableError for text that is no Unicode (a lone surrogate)."""
    try:
        body = msgspec.json.encode(payload)
    except (UnicodeEncodeError, TypeError, ValueError):
        raise UnsendableError("encoding", "the content cannot be written as JSON") from None
    kind = (("Content-Type", "application/json"), ("Accept", "application/json"))
    return Request(method, target, (*kind, *headers), body)


def not_written(exchange: NotWritten) -> NotStarted:
    """What it means for an account that nothing could be written."""
    pauses = {"not_ready": Pause.NONE, "connection_lost": Pause.NONE, "blocked": Pause.OPERATOR}
    pause = Pause.OPERATOR if exchange.code == "certificate" else pauses.get(exchange.code, Pause.BACK_OFF)
    return NotStarted(exchange.code, exchange.why, pause)


def by_status(answer: Answer, said: str, *, code: str = "", explained: bool = False) -> Outcome:
    """What a status means where the provider does not say more. ``explained``: the body is the provider's own error.

    A gateway's 502 and 504, and a 500 that is not the provider's own text, leave open whether the request went
    through: `Uncertain`. 503 means that it was not taken up (RFC 9110 15.6.4). Credentials, plans and wrong addresses
    concern the account: no letter fails for them.
    """
    status = answer.status
    code = code or str(status)
    detail = f"{status} {said}".strip()[:_MAX_DETAIL]
    if status in {401, 402, 403, 404, 405, 407, 410} or 300 <= status < 400:
        return NotStarted(code, detail, Pause.OPERATOR)
    if status in {408, 425, 429, 503}:
        return NotStarted(code, detail, Pause.BACK_OFF, retry_after_s(answer.headers))
    if status == 500 and explained:
        return Rejected(False, code, detail, Fault.PROVIDER)
    if 400 <= status < 500:
        return Rejected(True, code, detail, Fault.LETTER)
    return Uncertain(f"an answer that tells nothing: {detail}"[:_MAX_DETAIL])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait: Retry-After in seconds or as a date, or X-RateLimit-Reset as an instant.

    Instants are compared with the answer's own Date, so that nobody's clock matters.

    >>> retry_after_s({"retry-after": "120"})
    120.0
    >>> date = "Wed, 21 Oct 2026 07:28:00 GMT"
    >>> retry_after_s({"date": date, "retry-after": "Wed, 21 Oct 2026 07:29:00 GMT"})
    60.0
    """
    wish = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", wish):
        return min(float(wish), _LONGEST_WAIT_S)
    now = _instant(headers.get("date", ""))
    until = _instant(wish)
    reset = headers.get("x-ratelimit-reset", "").strip()
    if until is None and re.fullmatch(r"[0-9]{9,11}", reset):
        until = float(reset)
    if now is None or until is None:
        return None
    return min(max(until - now, 0.0), _LONGEST_WAIT_S)


def _instant(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def told(text: str, *hidden: str) -> str:
    """A provider's words as they may be stored: one line, at most 300 characters, without addresses and secrets.

    >>> told("bad address\\n ada@example.com", "ada@example.com")
    'bad address <hidden>'
    >>> told("you sent Authorization: Basic YXBpOnNlY3JldC1rZXk= and more")
    'you sent Authorization: Basic <hidden> and more'
    """
    line = " ".join(text.split())
    for word in hidden:
        if word:
            line = re.sub(re.escape(word), "<hidden>", line, flags=re.IGNORECASE)
    return _CREDENTIALS.sub(r"\1 <hidden>", line)[:_MAX_DETAIL]


def named(address: str, name: str) -> str:
    """An address with its display name, in the form that APIs take: UTF-8, quoted where needed.

    >>> named("a@b.example", 'Ada, "Countess"'), named("a@b.example", "")
    ('"Ada, \\\\"Countess\\\\"" <a@b.example>', 'a@b.example')
    """
    name = " ".join(name.split())
    if not name:
        return address
    if re.search(r"[^\w .!#$%&\'*+/=?^`{|}~-]", name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name} <{address}>"


def key_is_plain(key: str) -> bool:
    """Can this credential stand in a header? Printable ASCII without spaces."""
    return bool(re.fullmatch(r"[\x21-\x7e]{1,512}", key))
