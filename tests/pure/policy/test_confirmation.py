"""May the question go out? Without any consent, yes; never to who said no, never late, never twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rekindle.policy.confirmation import AT_ONCE, TOO_LATE, DoubleOptIn, must_ask
from rekindle.policy.may_send import may_send
from rekindle.policy.regions import rules_of
from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.decision import Outcome
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, MessageKind
from rekindle.terms.send_facts import RouteFacts, SendFacts

from .send_facts import EXPRESS, NOW, PACK, allowed

ASKED = ConsentState(kind=ConsentKind.EXPRESS, at=NOW - timedelta(minutes=1), wording="Yes.")
GERMANY = {channel: rules_of(PACK, ["DE"], channel) for channel in Channel}
HOUR = timedelta(hours=1)


def question(**changes: Any) -> SendFacts:
    channel = changes.get("channel", Channel.EMAIL)
    plain: dict[str, Any] = {
        "kind": MessageKind.CONFIRMATION,
        "rules": GERMANY[channel],
        "cart": None,
        "enrolment": None,
    }
    return allowed(**{**plain, "contact__consent": ASKED, **changes})


def consent(kind: ConsentKind, **changes: Any) -> ConsentState:
    return ConsentState(kind=kind, at=changes.pop("at", NOW), wording="Yes.", **changes)


REFUSED: list[tuple[str, dict[str, Any], Reason]] = [
    ("erased", {"shopper__erased_at": NOW}, Reason.ERASED),
    ("suppressed", {"suppressed": True}, Reason.SUPPRESSED),
    ("not known whether suppressed", {"suppressed": None}, Reason.SUPPRESSED),
    ("opted out everywhere", {"shopper__opted_out_at": NOW}, Reason.OPTED_OUT),
    ("said no", {"contact__consent": consent(ConsentKind.WITHDRAWN)}, Reason.OPTED_OUT),
    ("never agreed", {"contact__consent": None}, Reason.NOTHING_TO_CONFIRM),
    ("only a customer", {"contact__consent": consent(ConsentKind.SOFT_OPT_IN)}, Reason.NOTHING_TO_CONFIRM),
    ("confirmed since", {"contact__consent": consent(ConsentKind.EXPRESS, marks=ConsentMarks(True))}, Reason.NOTHING_TO_CONFIRM),
    ("no address", {"contact__has_address": False}, Reason.NO_ADDRESS),
    ("no sender", {"missing": ("postal_address",)}, Reason.CONTENT_MISSING),
    ("content not known", {"missing": None}, Reason.CONTENT_MISSING),
    ("a day late", {"planned_at": NOW - TOO_LATE}, Reason.STALE),
    ("from the future", {"planned_at": NOW + HOUR}, Reason.STALE),
    ("no shopper", {"shopper": None}, Reason.EVALUATION_FAILED),
    ("no contact", {"contact": None}, Reason.EVALUATION_FAILED),
    ("no pack", {"rules": None}, Reason.EVALUATION_FAILED),
    ("garbage", {"route": "x"}, Reason.EVALUATION_FAILED),
]  # fmt: skip


def test_it_needs_no_consent_that_could_carry_a_reminder() -> None:
    assert may_send(question()).allowed
    assert may_send(allowed(rules=GERMANY[Channel.EMAIL])).reason is Reason.DOUBLE_OPT_IN_MISSING
    older = consent(ConsentKind.EXPRESS, marks=ConsentMarks(True), at=NOW - 9 * HOUR)
    assert may_send(question(contact__consent=older)).allowed, (
        "what was confirmed before does not answer a new question"
    )


@pytest.mark.parametrize(("why", "changes", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_stops_it(why: str, changes: dict[str, Any], reason: Reason) -> None:
    assert may_send(question(**changes)).reason is reason, why


def test_it_waits_for_a_way_out_and_at_night_only_when_it_comes_late() -> None:
    paused = may_send(question(route=RouteFacts(exists=True, paused_until=NOW + HOUR)))
    assert (paused.outcome, paused.retry_at) == (Outcome.DEFER, NOW + HOUR)
    night = NOW.replace(hour=22)
    at_once = question(channel=Channel.SMS, now=night, planned_at=night - AT_ONCE + timedelta(seconds=1))
    assert may_send(at_once).allowed, "it answers somebody who is there"
    late = may_send(question(channel=Channel.SMS, now=night, planned_at=night - AT_ONCE))
    assert late.reason is Reason.QUIET_HOURS
    assert late.retry_at is not None
    assert late.retry_at.hour == 8, "nine o'clock in Berlin"


@pytest.mark.parametrize(
    ("asks", "country", "channel", "expected"),
    [
        (DoubleOptIn.LAW, "DE", Channel.EMAIL, True),
        (DoubleOptIn.LAW, "EU", Channel.EMAIL, False),
        (DoubleOptIn.ALWAYS, "EU", Channel.EMAIL, True),
        (DoubleOptIn.NEVER, "DE", Channel.EMAIL, False),
        (DoubleOptIn.LAW, "US", Channel.SMS, True),
        (DoubleOptIn.LAW, "US", Channel.EMAIL, False),
        (DoubleOptIn.ALWAYS, "DE", Channel.PUSH, False),
    ],
)
def test_who_must_be_asked(asks: DoubleOptIn, country: str, channel: Channel, expected: bool) -> None:
    assert must_ask(asks, rules_of(PACK, [country], channel), channel) is expected


def test_the_reminder_of_an_ordinary_consent_is_as_it_was() -> None:
    assert may_send(allowed(contact__consent=EXPRESS)).allowed
