"""What is done about a request, one step after another? Each is checked, carried out, and a line of its history.

What a step carries out is idempotent and commits by itself, before the request says that it was done: a crash between
the two leaves an open request, and the step is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from rekindle.engine.consents import note_refusal
from rekindle.engine.context import Context
from rekindle.engine.forget import erase, erase_place
from rekindle.engine.law import laws
from rekindle.engine.opt_out import opt_out, opt_out_place
from rekindle.engine.privacy.correct import correct
from rekindle.engine.privacy.export import order_file
from rekindle.engine.privacy.record import RequestError, add_line
from rekindle.engine.privacy.whom import owners, places_of
from rekindle.engine.transactions import Work, until_free
from rekindle.policy.request_steps import CLOSING, allowed_steps
from rekindle.policy.request_terms import request_terms
from rekindle.store import privacy_requests as store
from rekindle.store import subject
from rekindle.store.buckets import base_bucket
from rekindle.store.consents import Subject
from rekindle.store.database import Connection
from rekindle.store.prepared import transaction
from rekindle.terms.privacy_request import PrivacyRequest, RequestLine, RequestState, Step
from rekindle.terms.shop import ShopSettings

MAX_TEXT: Final = 1_000
#: What the history keeps of the person's own words or names is nothing: these steps must say why.
_NEEDS_REASON: Final = frozenset({Step.REFUSE, Step.EXTEND, Step.NOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A step to take, by whom, and why. ``text`` is kept in the history for as long as the request itself."""

    step: Step
    by: str
    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def take_step(
    connection: Connection, context: Context, shop: ShopSettings, request_id: UUID, taken: Taken
) -> PrivacyRequest:
    """Take a step and return the request as it is then. Commits. Raises RequestError, then nothing was changed."""
    request = find_request(connection, shop, request_id)
    check(request, taken)
    detail = _carry_out(connection, context, shop, request, taken)
    return note_step(connection, context, shop, taken, request_id=request_id, detail=detail)


def find_request(connection: Connection, shop: ShopSettings, request_id: UUID) -> PrivacyRequest:
    """Raises RequestError when the shop has no such request."""
    request = store.load_request(connection, base_bucket(shop), shop.id, request_id)
    if request is None:
        raise RequestError("There is no such request.")
    return request


def check(request: PrivacyRequest, taken: Taken) -> None:
    """Raises RequestError for a step that may not follow, or that lacks its reason."""
    if taken.step not in allowed_steps(request):
        raise RequestError(f"This request cannot take the step “{taken.step.value}” now.")
    if taken.step in _NEEDS_REASON and not taken.text.strip():
        raise RequestError("Write down why: it is kept with the request.")


def note_step(
    connection: Connection,
    context: Context,
    shop: ShopSettings,
    taken: Taken,
    *,
    request_id: UUID,
    detail: Mapping[str, object],
) -> PrivacyRequest:
    """Write down that a step was taken, with what follows for the request's state and dates."""
    now = context.clock.now()

    def write() -> PrivacyRequest:
        with transaction(connection):
            held = store.hold_request(connection, base_bucket(shop), shop.id, request_id)
            if held is None:
                raise RequestError("There is no such request.")
            check(held, taken)
            after = _after(shop, held, taken.step, now)
            store.change_request(connection, after)
            said = {"text": taken.text.strip()[:MAX_TEXT]} if taken.text.strip() else {}
            add_line(connection, after, RequestLine(at=now, what=taken.step, by=taken.by, detail={**detail, **said}))
            return after

    return until_free(connection, write)


def _after(shop: ShopSettings, request: PrivacyRequest, step: Step, now: datetime) -> PrivacyRequest:
    if step is Step.EXTEND:
        entries = request.regions.split()
        terms = request_terms(laws().pack_of(shop), entries, request.kind, request.received_at)
        if not terms.extension:
            raise RequestError("No region of this request allows more time.")
        return replace(request, due_at=request.due_at + terms.extension, extended_at=now)
    if step is Step.VERIFY:
        return replace(request, state=RequestState.VERIFIED)
    acknowledged_at = request.acknowledged_at or now
    if step is Step.ACKNOWLEDGE:
        return replace(request, acknowledged_at=acknowledged_at)
    if step in CLOSING:
        state = RequestState.REFUSED if step is Step.REFUSE else RequestState.ANSWERED
        return replace(request, state=state, closed_at=now, acknowledged_at=acknowledged_at)
    return request


def _carry_out(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, taken: Taken
) -> Mapping[str, object]:
    """Do what the step says beyond the request itself; what the history keeps about it."""
    does = _DOES.get(taken.step)
    return does(connection, context, shop, request, taken) if does is not None else {}


def _export(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, taken: Taken
) -> Mapping[str, object]:
    return {"export": str(order_file(connection, context, shop, request, by=taken.by).id)}


def _correct(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, taken: Taken
) -> Mapping[str, object]:
    return correct(connection, context, shop, request, taken.values)


def _erase(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, _taken: Taken
) -> Mapping[str, object]:
    cancelled, found = 0, False
    for owner in owners(connection, shop, request):
        result = erase(connection, context, shop, bucket=owner[0], shopper_id=owner[1], source="request")
        cancelled, found = cancelled + result.cancelled_count, found or result.found
    for place in places_of(shop, request):
        erase_place(connection, context, shop, place, source="request")
    return {"found": found, "cancelled": cancelled}


def _object(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, _taken: Taken
) -> Mapping[str, object]:
    cancelled, now = 0, context.clock.now()
    people = owners(connection, shop, request)
    for bucket, shopper_id in people:
        subject.note_objection(connection, bucket, shopper_id, now)
        cancelled += opt_out(
            connection, context, shop, bucket=bucket, shopper_id=shopper_id, channels=None, source="objection", at=now
        ).cancelled_count
    work = Work(connection, shop)
    for place in places_of(shop, request):
        opt_out_place(work, context, shop, place, source="objection", at=now)
    return {"found": bool(people), "cancelled": cancelled}


def _stop_sale(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, _taken: Taken
) -> Mapping[str, object]:
    people = owners(connection, shop, request)
    for bucket, shopper_id in people:
        subject.stop_sale(connection, bucket, shopper_id)
    for one in request.subjects:
        whose = Subject(shop.id, one.channel.value, one.hash)
        note_refusal(context, whose, "no_sale", context.clock.now())
    return {"found": bool(people)}


_Does = Callable[[Connection, Context, ShopSettings, PrivacyRequest, Taken], Mapping[str, object]]
_DOES: Final[Mapping[Step, _Does]] = {
    Step.EXPORT: _export,
    Step.ERASE: _erase,
    Step.CORRECT: _correct,
    Step.OBJECT: _object,
    Step.STOP_SALE: _stop_sale,
}
