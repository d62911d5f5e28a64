"""Is a request about personal data written down with its dates, worked on step by step, and never left lying?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.engine.privacy.escalate import escalate_shop
from rekindle.engine.privacy.record import Asked, RequestError, record_request
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.lib.clock import MovableClock
from rekindle.store.alerts import count_open_alerts
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.privacy_requests import attention, history, list_requests
from rekindle.terms.event import ConsentGiven
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind, RequestState, Step

from ...event_factory import added, identified, item, tell
from ...factories import make_shop
from ..journey import HOURS, Journey

ADA, PHONE = "ada@example.com", "+4915112345678"
DAY = timedelta(days=1)


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def asks(journey: Journey, kind: RequestKind, **more: object) -> PrivacyRequest:
    asked = Asked(kind=kind, source="dashboard", **{"email": ADA, "by": "owner"} | more)  # type: ignore[arg-type]
    return record_request(journey.connection, journey.context, journey.shop, asked)


def takes(journey: Journey, request: PrivacyRequest, step: Step, text: str = "") -> PrivacyRequest:
    taken = Taken(step=step, by="owner", text=text)
    return take_step(journey.connection, journey.context, journey.shop, request.id, taken)


def ada_leaves(journey: Journey, **traits: object) -> None:
    now = journey.clock.now()
    yes = ConsentGiven(channel="email", granted=True, wording="Write to me.")
    tell(
        journey.connection, journey.context, journey.shop,
        identified(ADA, at=now, visitor_key="a:ada", customer_key="acc", consents=(yes,), traits=traits,
                   facts={"country": "FR", "timezone": "Europe/Paris"}),
        added(item("mug", 2), at=now, visitor_key="a:ada"),
    )  # fmt: skip
    journey.pass_time(HOURS)


def test_the_dates_follow_from_all_plausible_regions(journey: Journey) -> None:
    now = journey.clock.now()
    request = asks(journey, RequestKind.ACCESS, country="US")
    assert request.regions == "EU US-UNKNOWN"  # the shop's own country, and the one that was told
    assert request.due_at == now + 30 * DAY
    assert request.acknowledge_by == now + 14 * DAY  # ten business days from a Monday
    assert request.escalate_at == now + 20 * DAY
    assert request.shopper_id is None
    ada_leaves(journey)
    known = asks(journey, RequestKind.ERASURE)
    assert (known.regions, known.shopper_id is not None) == ("EU FR", True)


def test_a_repeat_is_the_same_request_and_bad_ones_are_refused(journey: Journey) -> None:
    first = asks(journey, RequestKind.ACCESS, key="9999")
    assert asks(journey, RequestKind.ACCESS, key="9999").id == first.id
    assert asks(journey, RequestKind.ERASURE, key="9999").id != first.id
    for wrong in ({"email": ""}, {"email": "not an address"}):
        with pytest.raises(RequestError):
            asks(journey, RequestKind.ACCESS, **wrong)
    tomorrow = journey.clock.now() + DAY
    with pytest.raises(RequestError, match="future"):
        record_request(
            journey.connection, journey.context, journey.shop,
            Asked(kind=RequestKind.ACCESS, source="command", email=ADA), received_at=tomorrow,
        )  # fmt: skip
    assert len(list_requests(journey.connection, base_bucket(journey.shop), journey.shop.id)) == 2


def test_steps_are_taken_in_order_and_kept_in_the_history(journey: Journey) -> None:
    request = asks(journey, RequestKind.ERASURE)
    with pytest.raises(RequestError, match="erase"):
        takes(journey, request, Step.ERASE)  # nobody knows yet who asks
    with pytest.raises(RequestError, match="why"):
        takes(journey, request, Step.EXTEND)
    journey.clock.advance(HOURS)
    assert takes(journey, request, Step.ACKNOWLEDGE).acknowledged_at == journey.clock.now()
    longer = takes(journey, request, Step.EXTEND, "many carts to look at")
    assert longer.due_at == request.due_at + 60 * DAY
    with pytest.raises(RequestError):
        takes(journey, request, Step.EXTEND, "again")
    takes(journey, request, Step.VERIFY)
    done = takes(journey, request, Step.ERASE)
    assert (done.state, done.closed_at) == (RequestState.ANSWERED, journey.clock.now())
    with pytest.raises(RequestError):
        takes(journey, request, Step.REFUSE, "too late")
    lines = history(journey.connection, request)
    assert [line.what for line in lines] == ["received", *sorted(("acknowledge", "extend", "verify", "erase"), key=[
        line.what for line in lines].index)]  # fmt: skip
    assert {line.by for line in lines} == {"owner"}


def test_an_erasure_erases_and_the_request_names_nobody_any_more(journey: Journey) -> None:
    ada_leaves(journey)
    request = asks(journey, RequestKind.ERASURE, note=f"Please delete {ADA}.", phone=PHONE)
    takes(journey, request, Step.NOTE, f"She called about {ADA}.")
    takes(journey, request, Step.VERIFY)
    takes(journey, request, Step.ERASE)
    assert journey.read("shoppers", "erased_at IS NOT NULL") == [(True,)]
    assert journey.read("suppressions", "DISTINCT channel, reason") == [("email", "erased"), ("sms", "erased")]
    assert journey.read("privacy_requests", "note, subjects::text ~ 'ada@'") == [("", False)]
    assert journey.read("privacy_events", "count(*)", "detail::text ~ 'ada@'") == [(0,)]


def test_an_objection_stops_messages_and_profiling_and_cannot_be_refused(journey: Journey) -> None:
    ada_leaves(journey, club="gold")
    journey.pass_time(4 * HOURS)
    assert journey.read("outbox", "count(*)") == [(1,)]
    request = asks(journey, RequestKind.OBJECTION)
    with pytest.raises(RequestError):
        takes(journey, request, Step.REFUSE, "we would rather not")
    done = takes(journey, request, Step.OBJECT)
    assert done.state is RequestState.ANSWERED
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("shoppers", "traits ? 'club', timezones, objected_at IS NOT NULL") == [(False, [], True)]
    tell(
        journey.connection, journey.context, journey.shop,
        identified(ADA, at=journey.clock.now(), visitor_key="a:ada", customer_key="acc", traits={"club": "gold"}),
        added(item("tent"), at=journey.clock.now(), visitor_key="a:ada", cart_key="next"),
    )  # fmt: skip
    journey.pass_time(HOURS)
    assert journey.read("shoppers", "traits ? 'club'") == [(False,)]
    assert journey.read("decisions", "DISTINCT reason", "reason = 'OBJECTED'") == [("OBJECTED",)]
    assert journey.read("exposures", "count(*)") == [(1,)]  # the one before the objection


def test_the_opt_out_of_a_sale_is_kept_as_the_browsers_signal_is(journey: Journey) -> None:
    ada_leaves(journey)
    request = asks(journey, RequestKind.SALE_OPT_OUT, country="US")
    assert request.due_at == journey.clock.now() + (21 * DAY - HOURS * 0)  # fifteen business days from a Monday
    takes(journey, request, Step.STOP_SALE)
    assert journey.read("shoppers", "gpc") == [(True,)]


def test_a_complaint_is_acknowledged_within_thirty_days(journey: Journey) -> None:
    request = asks(journey, RequestKind.COMPLAINT, country="GB")
    assert request.acknowledge_by == journey.clock.now() + 30 * DAY
    assert takes(journey, request, Step.ANSWER).state is RequestState.ANSWERED


def test_what_lies_too_long_is_escalated_once_until_it_is_answered(journey: Journey) -> None:
    connection, shop = journey.connection, journey.shop

    def look() -> tuple[int, int, int]:
        return attention(connection, base_bucket(shop), shop.id, journey.clock.now())[:3]

    request = asks(journey, RequestKind.ACCESS)
    journey.clock.advance(20 * DAY - timedelta(seconds=1))
    assert (escalate_shop(connection, journey.context, shop), look()) == (0, (1, 0, 0))
    assert count_open_alerts(connection).get("privacy_request") is None
    journey.clock.advance(timedelta(seconds=1))
    assert (escalate_shop(connection, journey.context, shop), look()) == (1, (1, 1, 0))
    assert (escalate_shop(connection, journey.context, shop), look()) == (0, (1, 1, 0))
    assert count_open_alerts(connection)["privacy_request"] == 1
    assert [line.what for line in history(connection, request)] == ["received", "escalated"]
    due: datetime = request.due_at
    journey.clock.set(due + timedelta(seconds=1))
    assert look() == (1, 1, 1)
    takes(journey, request, Step.REFUSE, "could not be verified")
    escalate_shop(connection, journey.context, shop)
    assert look() == (0, 0, 0)
    assert count_open_alerts(connection).get("privacy_request") is None
