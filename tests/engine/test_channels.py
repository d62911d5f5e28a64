"""Is a message planned on the right channel, with the reasons kept, and taken over by the next one when it fails?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from rekindle.engine.context import Context
from rekindle.engine.feedback import Source, apply_feedback
from rekindle.engine.flows import activate_flow, save_flow
from rekindle.engine.onboard import FLOW_KEY
from rekindle.engine.templates import save_sms_template
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import natural_id, timed_id
from rekindle.providers.base import Accepted, Fault, Outcome, Rejected, Sms
from rekindle.providers.fake import FakeProvider
from rekindle.providers.feedback import BounceClass, Feedback, FeedbackKind
from rekindle.render.defaults.sms import default_sms
from rekindle.store.database import Connection, connect
from rekindle.terms.flow import FlowError
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import SendReference
from tests.due_sends import add_account
from tests.web.sent import put_send

from .days import Days
from .scene import Placed, insert, one, put_cart, put_shopper, put_template, rows

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PHONE = "+436641234567"


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


@pytest.fixture
def days(link: Connection, fresh_dsn: str, context: Context, clock: MovableClock) -> Days:
    return set_out(link, fresh_dsn, context, clock)


def set_out(link: Connection, dsn: str, context: Context, clock: MovableClock, **settings: object) -> Days:
    days = Days(link, dsn, context, clock, **({"country": "AT"} | settings))
    add_account(link, days.shop, kind="fake", channel="sms")
    put_template(link, days.shop, "text", "sms")
    return days


def flow_of(days: Days, **message: object) -> None:
    """A flow that writes once, after an hour, on e-mail or SMS, and by e-mail again after thirty."""
    first = {"type": "message", "id": "m1", "template": "cart-reminder-1", "channels": ["email", "sms"], "templates": {"sms": "text"}}  # fmt: skip
    steps = [
        {"type": "wait", "id": "w1", "delay_s": 3_600},
        first | message,
        {"type": "wait", "id": "w2", "delay_s": 30 * 3_600},
        {"type": "message", "id": "m2", "template": "cart-reminder-2"},
    ]
    definition = json.dumps({"trigger": {"kinds": ["cart"]}, "steps": steps})
    save_flow(days.connection, days.context, days.shop, key=FLOW_KEY, name="Both", definition=definition)
    activate_flow(days.connection, days.context, days.shop, FLOW_KEY)


def ada(days: Days, *, phone: bool = True, **shopper: object) -> Placed:
    """A shopper with a cart that was left now, an address, and a telephone with express consent."""
    placed = put_shopper(days.connection, days.context, days.shop, **shopper)  # type: ignore[arg-type]
    if phone:
        address_hash = days.context.address_hash(days.shop.id, "sms", PHONE)
        now = days.clock.now()
        insert(
            days.connection,
            "contact_points",
            {
                "bucket": placed.bucket, "id": natural_id("contact", days.shop.id, f"sms:{address_hash.hex()}"), "shop_id": days.shop.id,
                "shopper_bucket": placed.bucket, "shopper_id": placed.id, "channel": "sms", "address": PHONE,
                "address_hash": address_hash, "consent": "express", "consent_at": now, "consent_wording": "sms v1", "created_at": now,
            },
        )  # fmt: skip
    put_cart(days.connection, days.context, days.shop, placed)
    return placed


def planned(days: Days) -> list[tuple[object, object]]:
    return [(r["step"], r["channel"]) for r in rows(days.connection, "SELECT step, channel FROM sends ORDER BY id")]


def evidence(days: Days) -> dict[str, object]:
    row = one(days.connection, "SELECT evidence FROM decisions WHERE reason = 'STEP_TAKEN' AND send_id IS NOT NULL AND step = 'm1'")  # fmt: skip
    assert isinstance(row["evidence"], dict)
    return row["evidence"]


def answered(days: Days, shopper: Placed, channel: str, count: int, clicks: int) -> None:
    """So many messages went out to the shopper over the last weeks, and so many were answered."""
    for number in range(count):
        at = days.clock.now() - timedelta(days=20 + number)
        sent = put_send(days.connection, days.shop, shopper=(shopper.bucket, shopper.id), cart=(0, UUID(int=number)), at=at, channel=channel)  # fmt: skip
        for kind in ("handed_over", "clicked") if number < clicks else ("handed_over",):
            when = at + MINUTE
            days.connection.execute(
                "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, '{}')",
                [sent.bucket, timed_id(when, f"{sent.id}{kind}".encode()), days.shop.id, sent.id, shopper.id, kind, when],
            )  # fmt: skip


# --- planning


def test_the_first_possible_channel_in_the_flows_order_and_where_to_turn_otherwise(
    link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int
) -> None:
    days = set_out(link, fresh_dsn, context, clock, spread=spread)
    flow_of(days)
    ada(days)
    days.pass_by(2 * HOUR)
    assert planned(days) == [("m1", "email")]
    assert evidence(days) | {"planned_at": ""} == {
        "channel": "email", "planned_at": "", "chosen_by": "order",
        "options": [{"channel": "email"}, {"channel": "sms"}],
    }  # fmt: skip
    made = one(link, "SELECT context FROM sends")["context"]
    assert isinstance(made, dict)
    contact = one(link, "SELECT id FROM contact_points WHERE channel = 'sms'")["id"]
    version = one(link, "SELECT published_version_id FROM templates WHERE key = 'text'")["published_version_id"]
    assert made["otherwise"] == [{"channel": "sms", "contact_point_id": str(contact), "template_version_id": version}]


@pytest.mark.parametrize("obstacle", ["suppressed", "withdrawn", "unproven", "no address"])
def test_a_channel_that_cannot_be_is_passed_over_and_the_reason_kept(days: Days, obstacle: str) -> None:
    flow_of(days)
    shopper = ada(days)
    if obstacle == "suppressed":
        days.connection.execute(
            "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
            " SELECT bucket, shop_id, channel, address_hash, 'hard_bounce', %s, '' FROM contact_points WHERE channel = 'email'",
            [days.clock.now()],
        )
    elif obstacle == "no address":
        days.connection.execute("DELETE FROM contact_points WHERE channel = 'email'")
    else:
        change = {"withdrawn": "consent = 'withdrawn'", "unproven": "consent_wording = ''"}[obstacle]
        days.connection.execute(f"UPDATE contact_points SET {change} WHERE channel = 'email'")  # type: ignore[arg-type]
    days.pass_by(2 * HOUR)
    assert planned(days) == [("m1", "sms")]
    reason = {
        "suppressed": "SUPPRESSED",
        "withdrawn": "OPTED_OUT",
        "unproven": "CONSENT_UNPROVABLE",
        "no address": "NO_ADDRESS",
    }
    assert evidence(days)["options"] == [{"channel": "email", "obstacle": reason[obstacle]}, {"channel": "sms"}]
    assert shopper.bucket == one(days.connection, "SELECT bucket FROM sends")["bucket"]


def test_what_a_shopper_answered_decides_where_the_flow_asks_for_it(days: Days) -> None:
    flow_of(days, choose="response")
    shopper = ada(days)
    answered(days, shopper, "email", 6, 0)
    answered(days, shopper, "sms", 3, 2)
    days.pass_by(2 * HOUR)
    assert ("m1", "sms") in planned(days)
    assert evidence(days)["chosen_by"] == "response"
    assert evidence(days)["options"] == [
        {"channel": "email", "sent": 6, "clicked": 0, "score": 0.038},
        {"channel": "sms", "sent": 3, "clicked": 2, "score": 0.13},
    ]


@pytest.mark.parametrize(("told", "channel"), [("sms", "sms"), (" SMS ", "sms"), ("fax", "email"), ("", "email")])
def test_what_a_shopper_asked_for_decides_before_that(days: Days, told: str, channel: str) -> None:
    flow_of(days, choose="response")
    ada(days, traits=Jsonb({"preferred_channel": told}))
    days.pass_by(2 * HOUR)
    assert planned(days) == [("m1", channel)]
    assert evidence(days)["chosen_by"] == ("wish" if channel == "sms" else "order")


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"templates": {"push": "text"}}, "names push, which is not among its channels"),
        ({"templates": {"sms": "No Key"}}, "template must be a template key"),
        ({"templates": {"sms": "nowhere"}}, "no published template nowhere"),
        ({"templates": {}}, "cart-reminder-1 is written for email, not for sms"),
        ({"channels": ["email", "email"]}, "each channel once"),
        ({"choose": "luck"}, "not a flow definition"),
    ],
)
def test_a_message_that_could_not_be_written_is_refused(days: Days, message: dict[str, object], complaint: str) -> None:
    with pytest.raises(FlowError, match=complaint):
        flow_of(days, **message)


# --- falling back


GONE = Rejected(True, "550", "no such user", Fault.RECIPIENT)


def fell_back(days: Days) -> list[dict[str, object]]:
    return rows(days.connection, "SELECT s.id, s.step, s.channel, s.planned_at, s.created_at, s.context, o.state, o.send_at FROM sends s LEFT JOIN outbox o ON o.id = s.id WHERE s.context ? 'instead_of'")  # fmt: skip


def test_a_mail_that_is_refused_for_good_is_taken_over_by_the_next_channel_after_the_gap(
    link: Connection, fresh_dsn: str, context: Context, clock: MovableClock, spread: int
) -> None:
    days = set_out(link, fresh_dsn, context, clock, spread=spread)
    flow_of(days)
    ada(days)
    days.provider.answer(GONE)
    due_at = days.clock.now() + timedelta(seconds=days.shop.cart_idle_s) + HOUR
    days.pass_by(due_at - days.clock.now())
    (made,) = fell_back(days)
    assert (made["step"], made["channel"], made["planned_at"]) == ("m1", "sms", due_at)
    assert made["context"]["instead_of"] == "email"  # type: ignore[index]
    assert "otherwise" not in made["context"]  # type: ignore[operator]
    found = one(link, "SELECT outcome, evidence, send_id FROM decisions WHERE reason = 'FELL_BACK'")
    assert found == {"outcome": "allow", "evidence": {"channel": "sms", "instead_of": "email"}, "send_id": made["id"]}
    # the attempt counts: the text message waits for the gap between channels, as any other would
    days.pass_by(MINUTE)
    assert ("m1", "defer", "CHANNEL_GAP", due_at + HOUR) in days.decided()
    assert one(link, "SELECT state, send_at FROM outbox") == {"state": "scheduled", "send_at": due_at + HOUR}


@pytest.mark.parametrize(
    "answer",
    [
        Rejected(True, "21610", "told to stop", Fault.OPTED_OUT),
        Rejected(False, "450", "greylisted", Fault.PROVIDER),
    ],
    ids=["told to stop", "not for good"],
)
def test_nothing_takes_over_from_a_message_that_may_still_go_or_must_not(days: Days, answer: Rejected) -> None:
    flow_of(days)
    ada(days)
    days.provider.answer(answer)
    days.pass_by(timedelta(seconds=days.shop.cart_idle_s) + HOUR)
    assert fell_back(days) == []


def test_a_message_with_one_channel_ends_with_it(days: Days) -> None:
    flow_of(days)
    ada(days, phone=False)
    days.provider.answer(GONE)
    days.pass_by(2 * HOUR)
    assert planned(days) == [("m1", "email")]
    assert fell_back(days) == []


def report(days: Days, kind: FeedbackKind, *more: FeedbackKind, bounce: BounceClass | None = None) -> None:
    """The provider reports about the first mail."""
    send = one(days.connection, "SELECT bucket, id FROM sends WHERE step = 'm1' AND channel = 'email'")
    reference = str(SendReference(int(str(send["bucket"])), UUID(str(send["id"]))))
    found = [
        Feedback(kind=one_kind, name=one_kind.value, event_id=f"e-{one_kind.value}", at=days.clock.now(), send_id=reference, bounce=bounce)
        for one_kind in (kind, *more)
    ]  # fmt: skip
    apply_feedback(days.connection, days.context, Source(shop=days.shop, channel=Channel.EMAIL, name="fake", account_id=1), found)  # fmt: skip


def test_a_bounce_that_is_reported_later_is_taken_over_once(days: Days) -> None:
    flow_of(days)
    ada(days)
    days.pass_by(2 * HOUR)
    assert [went.channel for went in days.went()] == ["email"]
    report(days, FeedbackKind.BOUNCED, bounce=BounceClass.PERMANENT)
    (made,) = fell_back(days)
    assert (made["channel"], made["state"], made["send_at"]) == ("sms", "scheduled", days.clock.now())
    days.clock.advance(MINUTE)
    report(days, FeedbackKind.BOUNCED, bounce=BounceClass.PERMANENT)
    report(days, FeedbackKind.FAILED)
    assert len(fell_back(days)) == 1
    assert len(rows(days.connection, "SELECT 1 FROM decisions WHERE reason = 'FELL_BACK'")) == 1


def test_a_bounce_that_comes_with_a_stop_or_after_the_next_message_is_not(days: Days) -> None:
    flow_of(days)
    ada(days)
    days.pass_by(2 * HOUR)
    report(days, FeedbackKind.FAILED, FeedbackKind.UNSUBSCRIBED)
    assert fell_back(days) == []


def test_a_bounce_after_the_flow_went_on_is_not(days: Days) -> None:
    flow_of(days)
    ada(days)
    days.pass_by(40 * HOUR)
    assert ("m2", "email") in planned(days)
    report(days, FeedbackKind.BOUNCED, bounce=BounceClass.TRANSIENT)
    assert fell_back(days) == []


class Gateway(FakeProvider):
    """Takes text messages."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[Sms] = []

    def start(self, letters: Sequence[Any]) -> list[asyncio.Future[Outcome]]:
        futures = []
        for text in letters:
            self.texts.append(text)
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            future.set_result(Accepted(provider_id=f"sms-{text.send_id}", detail=""))
            futures.append(future)
        return futures


def test_the_text_message_that_takes_over_goes_out_after_the_gap(days: Days) -> None:
    gateway = days.providers["gateway"] = Gateway()
    days.connection.execute("UPDATE provider_accounts SET kind = 'gateway' WHERE channel = 'sms'")
    save_sms_template(days.connection, days.context, days.shop, key="nudge", name="Nudge", text=default_sms("en"))
    flow_of(days, templates={"sms": "nudge"})
    ada(days)
    days.provider.answer(GONE)
    due_at = days.clock.now() + timedelta(seconds=days.shop.cart_idle_s) + HOUR
    days.pass_by(6 * HOUR)
    assert [(went.step, went.channel, went.at) for went in days.went()] == [("m1", "sms", due_at + HOUR)]
    (text,) = gateway.texts
    assert text.recipient == PHONE
    assert "https://rekindle.example/r/" in text.text


def test_an_order_withdraws_what_took_over(days: Days) -> None:
    flow_of(days)
    ada(days)
    days.provider.answer(GONE)
    days.pass_by(timedelta(seconds=days.shop.cart_idle_s) + HOUR)
    days.connection.execute("UPDATE carts SET order_key = 'o1'")
    days.pass_by(3 * HOUR)
    assert ("m1", "deny", "PURCHASED", None) in days.decided()
    assert days.went() == []
