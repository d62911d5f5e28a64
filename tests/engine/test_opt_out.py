"""Does a no stop everything at once, and can every yes and no be proven?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from rekindle.engine.consents import fault_of_chain, record_consent
from rekindle.engine.context import Context
from rekindle.engine.opt_out import opt_out, opt_out_address
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import address_bucket
from rekindle.store.database import Connection
from rekindle.terms.consent import ConsentKind, ConsentMarks
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.send import Channel

from ..event_factory import event, identified, tell
from ..factories import make_shop
from .journey import HOURS, Journey
from .test_purchase import leave

YES = ConsentGiven(
    channel="email", granted=True, wording="Write to me.", method="checkbox", page="https://shop.example"
)
NO = ConsentGiven(channel="email", granted=False)


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def told(journey: Journey, *events: ShopEvent) -> None:
    tell(journey.connection, journey.context, journey.shop, *events)


def ada(journey: Journey) -> tuple[int, UUID]:
    row = journey.one("SELECT bucket, id FROM shoppers WHERE shop_id = %s", journey.shop.id)
    return int(str(row["bucket"])), UUID(str(row["id"]))


def refuse(journey: Journey, channels: list[Channel] | None = None, at: datetime | None = None) -> int:
    bucket, shopper_id = ada(journey)
    return opt_out(
        journey.connection, journey.context, journey.shop, bucket=bucket, shopper_id=shopper_id, channels=channels,
        source="page", wording="Unsubscribe", at=at or journey.clock.now(),
    ).cancelled_count  # fmt: skip


def test_a_no_withdraws_what_waits_and_ends_the_run(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    assert refuse(journey) == 1
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("enrolments", "state, exit_reason") == [("exited", "OPTED_OUT")]
    assert journey.read("send_events", "kind, reason") == [("skipped", "OPTED_OUT")]
    assert journey.read("shoppers", "opted_out_at") == [(journey.clock.now(),)]
    assert journey.read("contact_points", "DISTINCT consent") == [("withdrawn",)]
    assert journey.read("suppressions", "DISTINCT channel, reason, source") == [("email", "unsubscribed", "page")]
    assert journey.read("consents", "kind, wording, source, seq") == [("withdrawn", "Unsubscribe", "page", 1)]
    assert journey.read("carts", "state") == [("abandoned",)]
    journey.pass_time(200 * HOURS)
    assert journey.read("outbox", "count(*)") == [(0,)]


def test_saying_it_twice_changes_nothing(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    refuse(journey)
    before = [journey.read(table, "*") for table in ("consents", "suppressions", "contact_points", "send_events")]
    assert refuse(journey) == 0
    assert [
        journey.read(table, "*") for table in ("consents", "suppressions", "contact_points", "send_events")
    ] == before


def test_a_no_to_one_channel_leaves_the_other(journey: Journey) -> None:
    leave(journey, cart_key="c-1", phone="+4915112345678")
    assert refuse(journey, [Channel.SMS]) == 0
    assert journey.read("outbox", "state") == [("scheduled",)]
    assert journey.read("enrolments", "state") == [("waiting",)]
    assert journey.read("shoppers", "opted_out_at") == [(None,)]
    assert journey.read("contact_points", "DISTINCT channel, consent") == [("email", None), ("sms", "withdrawn")]
    assert refuse(journey, [Channel.EMAIL]) == 1
    assert journey.read("enrolments", "state") == [("exited",)]


def test_an_address_says_no_for_its_shopper_and_also_before_anybody_has_it(journey: Journey) -> None:
    leave(journey, cart_key="c-1")
    for address, cancelled in (("ada@example.com", 1), ("bob@example.com", 0)):
        result = opt_out_address(
            journey.connection, journey.context, journey.shop, channel=Channel.EMAIL, address=address, source="reply",
            at=journey.clock.now(),
        )  # fmt: skip
        assert result.cancelled_count == cancelled
    hashes = {bytes(digest) for (digest,) in journey.read("suppressions", "address_hash")}
    assert hashes == {
        journey.context.address_hash(journey.shop.id, "email", a) for a in ("ada@example.com", "bob@example.com")
    }
    assert journey.read("shoppers", "count(*)") == [(1,)]


def test_the_suppression_of_an_address_reaches_the_shopper_who_gets_it_later(journey: Journey) -> None:
    phone = "+4915112345678"
    opt_out_address(
        journey.connection,
        journey.context,
        journey.shop,
        channel=Channel.SMS,
        address=phone,
        source="stop",
        at=journey.clock.now(),
    )
    told(journey, identified(minute=1, phone=phone))
    where = "channel = 'sms'"
    assert set(journey.read("contact_points", "bucket", where)) == set(journey.read("suppressions", "bucket", where))


@pytest.mark.parametrize("way", ["event", "trait"])
def test_an_event_that_says_no_is_applied_with_it(journey: Journey, way: str) -> None:
    leave(journey, cart_key="c-1")
    now = journey.clock.now()
    if way == "event":
        told(journey, event(EventKind.OPTED_OUT, at=now, consents=(NO,)))
    else:
        told(journey, identified(at=now, consents=(NO,)))
    assert journey.read("outbox", "count(*)") == [(0,)]
    assert journey.read("enrolments", "exit_reason") == [("OPTED_OUT",)]
    assert len(journey.read("suppressions", "reason")) == (
        0 if way == "trait" else len(journey.read("contact_points", "id"))
    )


def test_who_only_says_goodbye_is_not_made_known_by_it(journey: Journey) -> None:
    told(journey, event(EventKind.OPTED_OUT, email="bob@example.com", consents=(NO,)))
    assert journey.read("shoppers", "count(*)") == [(0,)]
    assert journey.read("contact_points", "count(*)") == [(0,)]
    assert journey.read("suppressions", "reason") == [("unsubscribed",)]


def test_a_consent_is_written_down_with_its_wording_once(journey: Journey) -> None:
    told(journey, identified(minute=1, consents=(YES,)))
    told(journey, identified(minute=2, consents=(YES,)))
    assert journey.read("consents", "kind, wording, source, evidence->>'method'") == [
        ("express", "Write to me.", "event", "checkbox")
    ]
    assert journey.read("contact_points", "DISTINCT consent, consent_wording") == [("express", "Write to me.")]
    assert b"ada@" not in str(journey.read("consents", "*")).encode()


def test_no_consent_is_ever_inferred(journey: Journey) -> None:
    leave(journey, cart_key="c-1", traits={"marketing": True}, facts={"country": "US"})
    assert journey.read("consents", "count(*)") == [(0,)]
    assert journey.read("contact_points", "DISTINCT consent") == [(None,)]


def test_facts_that_arrive_late_do_not_undo_newer_ones(journey: Journey) -> None:
    told(journey, identified(minute=5, consents=(NO,)))
    told(journey, identified(minute=1, consents=(YES,)))
    assert journey.read("contact_points", "DISTINCT consent") == [("withdrawn",)]
    assert journey.read("consents", "seq, kind") == [(1, "withdrawn"), (2, "express")]
    told(journey, identified(minute=9, consents=(YES,)))
    assert journey.read("contact_points", "DISTINCT consent") == [("express",)]
    refuse(journey, at=journey.clock.now() - timedelta(hours=1))
    assert journey.read("contact_points", "DISTINCT consent") == [("express",)]
    assert journey.read("suppressions", "count(*)") == [(0,)]


def test_a_new_provable_consent_ends_an_unsubscription_and_nothing_else(journey: Journey) -> None:
    told(journey, identified(minute=1))
    refuse(journey)
    later = journey.clock.now() + HOURS
    told(journey, identified(at=later, consents=(ConsentGiven(channel="email", granted=True),)))
    assert len(journey.read("suppressions", "reason")) > 0
    told(journey, identified(at=later + HOURS, consents=(YES,)))
    assert journey.read("suppressions", "count(*)") == [(0,)]
    assert journey.read("shoppers", "opted_out_at") == [(None,)]
    journey.connection.execute(
        "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
        " SELECT bucket, shop_id, channel, address_hash, 'complaint', now() - interval '20 years', '' FROM contact_points WHERE shop_id = %s",
        [journey.shop.id],
    )
    told(
        journey,
        identified(at=later + 2 * HOURS, consents=(ConsentGiven(channel="email", granted=True, wording="Again."),)),
    )
    assert {reason for (reason,) in journey.read("suppressions", "reason")} == {"complaint"}


def test_every_change_of_the_ledger_is_found(journey: Journey) -> None:
    context, shop = journey.context, journey.shop
    digest = context.address_hash(shop.id, "email", "ada@example.com")
    for hour in range(4):
        assert record_consent(
            journey.connection, context, shop, bucket=address_bucket(shop, digest), channel=Channel.EMAIL,
            address_hash=digest, kind=ConsentKind.EXPRESS, wording=f"v{hour}", source="import", evidence={"row": hour},
            at=journey.clock.now() + hour * HOURS,
        )  # fmt: skip

    def fault() -> str | None:
        return fault_of_chain(journey.connection, context, shop, Channel.EMAIL, digest)

    assert fault() is None
    changes: dict[str, Any] = {
        "UPDATE consents SET wording = 'x' WHERE seq = 2": "row 2 was changed",
        "UPDATE consents SET evidence = '{}' WHERE seq = 3": "row 3 was changed",
        "UPDATE consents SET at = at + interval '1 microsecond' WHERE seq = 4": "row 4 was changed",
        "DELETE FROM consents WHERE seq = 2": "row 2 is missing",
    }
    for change, expected in changes.items():
        with journey.connection.transaction(force_rollback=True):
            journey.connection.execute(change)  # type: ignore[arg-type]
            assert fault() == expected


def test_what_makes_a_consent_stronger_is_kept_and_told_once(journey: Journey) -> None:
    plain = ConsentGiven(channel="email", granted=True, wording="v1")
    confirmed = replace(plain, marks=ConsentMarks(is_confirmed=True))
    told(journey, identified(consents=(plain,)))
    told(journey, identified(at=journey.clock.now() + HOURS, consents=(confirmed,)))
    told(journey, identified(at=journey.clock.now() + 2 * HOURS, consents=(plain,)))
    assert journey.read("contact_points", "DISTINCT consent, consent_confirmed, consent_written") == [
        ("express", True, False)
    ]
    assert [evidence.get("is_confirmed") for _, evidence in journey.read("consents", "seq, evidence")] == [None, True]
    told(
        journey,
        identified(
            at=journey.clock.now() + 3 * HOURS, consents=(ConsentGiven(channel="email", granted=True, wording="v2"),)
        ),
    )
    assert journey.read("contact_points", "DISTINCT consent_wording, consent_confirmed") == [("v1", True)], (
        "what is not confirmed may be anybody's, and does not stand in the place of what is"
    )
    v3 = ConsentGiven(channel="email", granted=True, wording="v3", marks=ConsentMarks(is_confirmed=True))
    told(journey, identified(at=journey.clock.now() + 4 * HOURS, consents=(v3,)))
    assert journey.read("contact_points", "DISTINCT consent_wording, consent_confirmed") == [("v3", True)]
