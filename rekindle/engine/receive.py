"""How does a provider's request become applied reports? The signature over the raw bytes first, then everything else.

Certificates and confirmations of subscriptions are fetched by the one HTTP client with its egress rules; their hosts
were checked by the receiver before.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg

from rekindle.engine.context import Context
from rekindle.engine.feedback import Applied, Source, apply_feedback
from rekindle.engine.hooks import Hook
from rekindle.providers.feedback import (
    Answering,
    CertificateNeededError,
    Feedback,
    FeedbackKind,
    ForgedError,
    Post,
    Received,
)
from rekindle.providers.http_client import Answered, EgressError, HttpClient, HttpSettings
from rekindle.store.database import Connection
from rekindle.terms.send import Channel

log = logging.getLogger(__name__)

#: Somebody waits for our answer meanwhile: providers give up after 5 to 15 seconds.
_FETCH: Final = HttpSettings(connections=1, connect_s=3.0, answer_s=4.0, answer_limit=64 * 1024)
_MOST_CERTIFICATES: Final = 32


class NotFetchedError(Exception):
    """What the signature or the subscription needs could not be fetched now; the provider will ask again."""


def fetch(url: str) -> bytes | None:
    """The body of a 2xx, over TLS, from a public address, without redirects; None for everything else."""

    async def go() -> bytes | None:
        client = HttpClient(_FETCH)
        try:
            said = await client.exchange(url)
        finally:
            await client.close()
        return said.answer.body if isinstance(said, Answered) and 200 <= said.answer.status < 300 else None

    try:
        return asyncio.run(go())
    except EgressError:
        return None


@dataclass(slots=True)
class Heard:
    """What a request brought: what became of its reports, and the body with which the provider wants to be answered."""

    applied: Applied = field(default_factory=Applied)
    kinds: list[FeedbackKind] = field(default_factory=list)
    answer: bytes = b""
    answer_type: str = "text/plain"


class Ear:
    """One per process: remembers certificates. ``get`` fetches an address."""

    def __init__(self, get: Callable[[str], bytes | None] = fetch) -> None:
        self._get = get
        self._lock = threading.Lock()
        self.certificates: dict[str, bytes] = {}

    def listen(self, hook: Hook, post: Post) -> Received:
        """Check and read a request; nothing is stored. Raises ForgedError, UnreadableError, NotFetchedError."""
        if hook.receiver is None:
            raise ForgedError
        try:
            received = hook.receiver.receive(post)
        except CertificateNeededError as needed:
            self._fetch_certificate(needed.url)
            received = hook.receiver.receive(post)
        if received.confirm_url:
            if self._get(received.confirm_url) is None:
                raise NotFetchedError
            log.info("hook_confirmed", extra={"facts": {"account": hook.account_id, "kind": hook.kind}})
        return received

    def _fetch_certificate(self, url: str) -> None:
        body = self._get(url)
        if body is None:
            raise NotFetchedError
        with self._lock:
            if len(self.certificates) >= _MOST_CERTIFICATES:
                self.certificates.clear()
            self.certificates[url] = body


def apply_received(connection: Connection, context: Context, hook: Hook, received: Received, body: bytes) -> Heard:
    """Apply what was read; commits before it returns. Raises ForgedError for a token that was used before."""
    source = Source(shop=hook.shop, channel=Channel(hook.channel), name=hook.kind, account_id=hook.account_id)
    feedback = received.feedback
    try:
        applied = apply_feedback(connection, context, source, feedback, once=received.once, body=body)
    except (psycopg.DataError, psycopg.IntegrityError):
        applied = _apply_singly(connection, context, source, feedback)
    answer, answer_type = received.answer, received.answer_type
    receiver: object = hook.receiver
    if applied.answer and isinstance(receiver, Answering):
        answer, answer_type = receiver.answering(applied.answer)
    return Heard(applied, [one.kind for one in feedback], answer, answer_type)


def _apply_singly(connection: Connection, context: Context, source: Source, feedback: Sequence[Feedback]) -> Applied:
    """The database cannot hold one of these: the others must not be lost for it, and the provider not ask for ever."""
    total = Applied()
    for one in feedback:
        try:
            got = apply_feedback(connection, context, source, [one])
        except (psycopg.DataError, psycopg.IntegrityError):
            log.exception("report_unstorable", extra={"facts": {"account": source.account_id, "kind": one.kind.value}})
            continue
        for name in Applied.__dataclass_fields__:
            setattr(total, name, getattr(total, name) + getattr(got, name))  # numbers, and at most one answer
    return total
