"""What happens to a request with events? Body -> envelope -> shop -> events -> one commit -> answer.

Every step but the wait for the commit is a plain function, so that the blocking entrance (`accept`, one thread per
request) and the event loop's (`accept_async`, thousands at once) are the same few lines. Nothing is acknowledged
before its commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import psycopg

from rekindle.lib.clock import Clock
from rekindle.terms.event import ShopEvent
from rekindle.terms.shop import KeyOwner, ShopSettings
from rekindle.web import metrics
from rekindle.web.http import Answer, Request
from rekindle.web.ingest.answers import (
    PLAIN_SUCCESS,
    Outcome,
    Refusal,
    compatible_answer,
    preflight,
    refused,
    strict_answer,
)
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.body import check_head, decoded, too_large
from rekindle.web.ingest.envelope import (
    Envelope,
    check_event,
    is_single,
    open_batch,
    open_event,
    open_single,
    single_envelope,
)
from rekindle.web.ingest.keys import told_key
from rekindle.web.ingest.limits import MAX_BODY
from rekindle.web.ingest.moments import skew_of
from rekindle.web.ingest.patience import Patience
from rekindle.web.ingest.problem import EventError, Findings, RequestError
from rekindle.web.ingest.segment import read_event
from rekindle.web.ingest.shapes import Message
from rekindle.web.ingest.usual import usual_event
from rekindle.web.ingest.values import read_text
from rekindle.web.ingest.writer import STORED, Job, NotStored, Result, Writer
from rekindle.web.rate import RateLimit
from rekindle.web.remember import Remembered

TIMEOUT_S = 30.0  #: how long a request waits for its commit; a statement is given up before
RETRY_S = 5  #: what a sender is told to wait when the database is away


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``single`` names the type of the one event that is the body; a batch has none."""

    single: str = ""
    strict: bool = False


ENDPOINTS = {
    "/v1/batch": Endpoint(),
    "/v1/events": Endpoint(strict=True),
    **{f"/v1/{kind}": Endpoint(single=kind) for kind in ("track", "identify", "page", "screen", "alias", "group")},
}


class Parcel(msgspec.Struct):
    """The events of one request, read: those to store with their positions, and what was wrong with others."""

    shop: ShopSettings
    events: list[ShopEvent] = []
    positions: list[int] = []
    refusals: list[Refusal] = []


class Intake:
    """The ingest endpoints over a writer, the shops by write key and a clock."""

    def __init__(
        self,
        *,
        writer: Writer,
        shops: Remembered[str, KeyOwner | None],
        clock: Clock,
        rate: RateLimit,
        push_hosts: tuple[str, ...] = (),
    ) -> None:
        self._writer = writer
        self._shops = shops
        self._clock = clock
        self._rate = rate
        self._push_hosts = push_hosts
        self._patience: Patience[Result] = Patience(NotStored(again=True), TIMEOUT_S)

    # --- the two entrances

    def accept(self, request: Request) -> Answer:
        """Answer a request, blocking this thread until its events are committed."""
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None or request.method != "POST":
            return _other(request)
        try:
            check_head(request)
            raw = request.read(MAX_BODY)
            began = time.perf_counter()
            envelope = self._unpack(endpoint, request, raw)
            owner = self._shops.find(self._key(request, envelope))
            parcel = self._read(endpoint, request, envelope, owner)
            if not parcel.events:
                return _finish(endpoint, parcel, STORED, began)
            job = self._submit(parcel)
            return _finish(endpoint, parcel, job.wait(TIMEOUT_S), began)
        except (RequestError, psycopg.OperationalError) as error:
            return _turned_away(error)

    async def accept_async(self, request: Request, read: Callable[[int], Awaitable[bytes | None]]) -> Answer:
        """The same on an event loop; ``read(limit)`` gives the body, or None when it is longer."""
        endpoint = ENDPOINTS.get(request.path)
        if endpoint is None or request.method != "POST":
            return _other(request)
        try:
            check_head(request)
            raw = await read(MAX_BODY)
            began = time.perf_counter()
            envelope = self._unpack(endpoint, request, raw)
            key = self._key(request, envelope)
            known = self._shops.fresh(key)
            loop = asyncio.get_running_loop()
            owner = known[0] if known else await loop.run_in_executor(None, self._shops.find, key)
            parcel = self._read(endpoint, request, envelope, owner)
            if not parcel.events:
                return _finish(endpoint, parcel, STORED, began)
            future: asyncio.Future[Result] = loop.create_future()
            self._submit(parcel, future)
            self._patience.watch(future, began)
            return _finish(endpoint, parcel, await future, began)
        except (RequestError, psycopg.OperationalError) as error:
            return _turned_away(error)

    # --- the steps

    def _unpack(self, endpoint: Endpoint, request: Request, raw: bytes | None) -> Envelope:
        if raw is None:
            raise too_large()
        body = decoded(raw, request.header("content-encoding"))
        if endpoint.single or (endpoint.strict and is_single(body)):
            return single_envelope(body)
        return open_batch(body)

    def _key(self, request: Request, envelope: Envelope) -> str:
        in_body = envelope.write_key
        key = told_key(request.header("authorization"), in_body if isinstance(in_body, str) else None)
        if key is None:
            raise RequestError(401, "a write key is needed: as Basic user name, or as writeKey in the body")
        wait_s = self._rate.wait_s(key, request.remote)
        if wait_s:
            raise RequestError(429, "too many requests from this address with this key", retry_after_s=wait_s)
        return key

    def _submit(self, parcel: Parcel, future: asyncio.Future[Result] | None = None) -> Job:
        job = Job(parcel.shop, parcel.events, future)
        if not self._writer.submit(job):
            raise away()
        return job

    def _read(self, endpoint: Endpoint, request: Request, envelope: Envelope, owner: KeyOwner | None) -> Parcel:
        """Read every event; one that is refused never harms the others."""
        if owner is None:
            raise RequestError(401, "no shop has this write key")
        if owner.is_secret and request.header("origin"):
            raise RequestError(403, "this is the shop's secret key: it must never be on a page; make a new one")
        shop = owner.shop
        received_at = self._clock.now()
        arrival = Arrival(
            shop=shop,
            received_at=received_at,
            skew=skew_of(envelope.sent_at, received_at),
            gpc=request.header("sec-gpc") == "1",
            push_hosts=self._push_hosts,
            is_server=owner.is_secret,
            remote=request.remote,
            agent=request.header("user-agent"),
        )
        parcel = Parcel(shop)
        findings = Findings()
        for index, raw in enumerate(envelope.events):
            message: Message | None = None
            try:
                check_event(raw)
                event = usual_event(raw, arrival) if envelope.single is None else None
                if event is None:
                    opened = envelope.single or (open_single if envelope.is_single else open_event)(raw)
                    message = opened[0]
                    event = read_event(raw, opened, arrival, findings, implied_type=endpoint.single)
            except EventError as error:
                findings.found.append(error)
                parcel.refusals += _refusals(index, message, findings, kept=False)
                findings = Findings()
                continue
            if findings.found:
                parcel.refusals += _refusals(index, message, findings, kept=not endpoint.strict)
                findings = Findings()
                if endpoint.strict:
                    continue
            parcel.events.append(event)
            parcel.positions.append(index)
        return parcel


def _refusals(index: int, message: Message | None, findings: Findings, *, kept: bool) -> list[Refusal]:
    key = (read_text(message.messageId, 100) or None) if message is not None else None
    return [Refusal(index, key, error, kept) for error in findings.found]


def _finish(endpoint: Endpoint, parcel: Parcel, result: Result, began: float) -> Answer:
    """Turn what became of the events into the endpoint's answer. Raises RequestError when nothing can be promised."""
    metrics.INGEST_SECONDS.observe(time.perf_counter() - began)
    if result is STORED and not parcel.refusals and not endpoint.strict:
        return PLAIN_SUCCESS
    if isinstance(result, NotStored):
        raise away() if result.again else RequestError(500, "events could not be stored; the operator's log says why")
    outcome = Outcome(len(parcel.events), parcel.refusals)
    if result.refused:
        for position, message in result.refused.items():
            key = parcel.events[position].message_key
            outcome.refusals.append(Refusal(parcel.positions[position], key, EventError("", message)))
        outcome.accepted -= len(result.refused)
        outcome.refusals.sort(key=lambda refusal: refusal.index)
    if outcome.refusals:
        metrics.REFUSED.inc(len({refusal.index for refusal in outcome.refusals if not refusal.kept}))
    return strict_answer(outcome) if endpoint.strict else compatible_answer(outcome)


def _other(request: Request) -> Answer:
    """The answer to a request that brings no events."""
    if request.method == "OPTIONS":
        return preflight()
    if request.path in ENDPOINTS:
        return refused(405, "events are sent with POST")
    return refused(404, "there is no such endpoint; events go to /v1/batch or /v1/events")


def away() -> RequestError:
    return RequestError(503, "the database cannot be reached; send the same events again", retry_after_s=RETRY_S)


def _turned_away(error: RequestError | psycopg.OperationalError) -> Answer:
    refusal = error if isinstance(error, RequestError) else away()
    metrics.TURNED_AWAY.labels(str(refusal.status)).inc()
    return refused(refusal.status, refusal.message, retry_after_s=refusal.retry_after_s)
