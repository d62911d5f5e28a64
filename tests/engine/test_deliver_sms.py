"""Text messages through the whole delivery: what a gateway is told, when nothing may go, how a doubt is cleared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rekindle.engine.batch import PACE, Tally
from rekindle.engine.clicks import open_cart_link
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.settle import Settled, Settler
from rekindle.engine.templates import TemplateRefusedError, save_sms_template
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.terms.send_reference import read_reference
from tests.due_sends import Person, publish_template
from tests.providers.http_server import RESET, Got, Reply, form, serving

from .api_delivery import point_to
from .delivery import World, make_world

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ACCOUNT = {"account_sid": "AC" + "0" * 32, "secret": "hidden", "sender": "+4930901820"}


@dataclass
class Gateway:
    """Twilio's side: takes messages, lists them, answers as told."""

    clock: MovableClock
    taken: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0
    fault: Reply | None = None
    takes: bool = True

    def answer(self, got: Got) -> Reply:
        if got.method == "GET":
            to = parse_qs(urlsplit(got.target).query)["To"][0]
            made = format_datetime(self.clock.now())
            listed = [{"body": one["Body"], "date_created": made} for one in self.taken if one["To"] == to]
            return Reply.of(200, {"messages": listed, "next_page_uri": None})
        self.calls += 1
        if self.takes:
            self.taken.append(dict(form(got.body)))
        if self.fault is not None:
            fault, self.fault = self.fault, None
            return fault
        return Reply.of(201, {"sid": "SM" + f"{self.calls:032x}", "status": "queued"})


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock, spread: int) -> World:
    clock.advance(2 * HOUR)  # 11:00 UTC, noon in Berlin
    made = make_world(link, shared_dsn, context, clock, spread)
    link.execute("DELETE FROM provider_accounts")
    made.template_version_id = publish_template(link, made.shop, clock.now(), channel="sms")
    return made


def text_to(world: World, name: str = "ada", number: str = "+436641234567", **changes: Any) -> Person:
    return world.person(name, channel="sms", address=number, **changes)


def through(
    world: World, gateway: Gateway, kind: str = "twilio", **values: str
) -> Callable[..., tuple[Tally, Settled]]:
    accounts: list[int] = []

    def run(*people: Person, settle: bool = False) -> tuple[Tally, Settled]:
        buckets = sorted({person.bucket for person in people})

        async def work(worker: Deliverer) -> tuple[Tally, Settled]:
            async with serving(otherwise=gateway.answer) as server:
                if not accounts:
                    accounts.append(world.add_api_account(kind, server.url, **(values or ACCOUNT)))
                point_to(world, accounts[0], server)
                worker.books.refresh(world.connection)
                tally, settled = Tally(), Settled()
                if settle:
                    settler = Settler(world.context, worker.routes)
                    settled = await settler.settle(await worker.line.get(), buckets)
                for bucket in buckets:
                    tally.add(await worker.deliver_batch(bucket))
                await worker.hand_over.close()
                return tally, settled

        return world.with_worker(work)

    return run


def test_a_gateway_is_told_whom_what_until_when_and_where_to_report(world: World) -> None:
    gateway = Gateway(world.clock)
    ada = text_to(world)
    assert through(world, gateway)(ada)[0].handed_over == 1
    (sent,) = gateway.taken
    assert (sent["To"], sent["From"]) == ("+436641234567", "+4930901820")
    assert sent["Body"].startswith("Fernweh: your cart is still here: https://rekindle.example/r/")
    assert sent["Body"].endswith("Reply STOP to opt out")
    assert int(sent["ValidityPeriod"]) == 8 * 3600, "until 20:00 in Berlin, the earliest end of a day"
    report = urlsplit(sent["StatusCallback"])
    assert report.path.startswith("/hooks/twilio/")
    assert read_reference(parse_qs(report.query)["send_id"][0]) is not None
    assert world.events(ada.send_id) == [("handed_over", None)]
    key = world.connection.execute("SELECT provider_key FROM send_events WHERE send_id = %s", [ada.send_id]).fetchone()
    assert key is not None
    assert key[0].startswith("SM")


def test_the_short_link_leads_to_the_cart_and_no_other_does(world: World) -> None:
    gateway = Gateway(world.clock)
    ada = text_to(world)
    through(world, gateway)(ada)
    token = gateway.taken[0]["Body"].partition("/r/")[2].partition(" ")[0]
    assert len(token) == 24
    opened = open_cart_link(world.connection, token, now=world.clock.now())
    assert opened is not None
    assert (opened.send.id, opened.send.cart_id, opened.send.channel) == (ada.send_id, ada.cart_id, "sms")
    for wrong in (
        token[:-1],
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token.swapcase(),
        "A" * 24,
        token + "==",
    ):
        assert open_cart_link(world.connection, wrong, now=world.clock.now()) is None
    assert open_cart_link(world.connection, token, now=world.clock.now() + timedelta(days=61)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"consent": "soft_opt_in"}, "NO_BASIS"),
        ({"consent": "express", "wording": ""}, "CONSENT_UNPROVABLE"),
        ({"suppressed": True}, "SUPPRESSED"),
        ({"consent": "withdrawn"}, "OPTED_OUT"),
        ({"abandoned": timedelta(hours=48, minutes=1), "touched": timedelta(hours=49)}, "STALE"),
        ({"order_key": "o1"}, "PURCHASED"),
    ],
)
def test_what_a_text_message_needs(world: World, changes: dict[str, Any], reason: str) -> None:
    gateway = Gateway(world.clock)
    ada = text_to(world, **changes)
    through(world, gateway)(ada)
    assert gateway.calls == 0
    assert world.decisions(ada) == [("deny", reason)]


def test_at_night_it_waits_and_goes_in_the_morning_within_48_hours(world: World) -> None:
    gateway = Gateway(world.clock)
    world.clock.advance(9 * HOUR)  # 21:00 in Berlin
    ada = text_to(world)
    run = through(world, gateway)
    run(ada)
    assert world.decisions(ada) == [("defer", "QUIET_HOURS")]
    world.clock.advance(14 * HOUR)  # 11:00, and 10:00 UTC: the shop's own zone is plausible too
    run(ada)
    assert gateway.calls == 1


def test_on_a_public_holiday_it_waits_for_the_next_day(world: World) -> None:
    gateway = Gateway(world.clock)
    world.clock.advance(timedelta(days=35))
    assert world.clock.now().date().isoformat() == "2026-04-06"  # Easter Monday
    ada = text_to(world)
    run = through(world, gateway)
    run(ada)
    assert world.decisions(ada) == [("defer", "QUIET_HOURS")]
    world.clock.advance(21 * HOUR)  # Tuesday, 8:00 UTC
    run(ada)
    assert gateway.calls == 0
    world.clock.advance(2 * HOUR)
    run(ada)
    assert gateway.calls == 1


def test_seconds_before_the_window_closes_nothing_is_handed_over(world: World) -> None:
    gateway = Gateway(world.clock)
    world.clock.advance(8 * HOUR - timedelta(seconds=30))
    ada = text_to(world)
    through(world, gateway)(ada)
    assert gateway.calls == 0
    assert world.decisions(ada) == [("defer", "QUIET_HOURS")]


def test_after_72_hours_without_a_worker_no_old_text_goes_out(world: World) -> None:
    """R-15, the part of text messages."""
    gateway = Gateway(world.clock)
    people = [
        text_to(world, f"p{n}", f"+43664123456{n:02}", abandoned=n * HOUR + 31 * MINUTE, touched=n * HOUR + 40 * MINUTE)
        for n in range(30)
    ]
    world.clock.advance(72 * HOUR)
    through(world, gateway)(*people)
    assert gateway.calls == 0
    assert {world.decisions(person)[-1] for person in people} == {("deny", "STALE")}


# --- answers


def refusal(code: int, status: int = 400) -> Reply:
    return Reply.of(status, {"code": code, "message": "no", "status": status})


def test_a_stop_that_only_the_gateway_knows_is_an_opt_out(world: World) -> None:
    gateway = Gateway(world.clock, fault=refusal(21610), takes=False)
    ada = text_to(world)
    assert through(world, gateway)(ada)[0].failed == 1
    found = world.connection.execute("SELECT consent FROM contact_points WHERE id = %s", [ada.contact_id]).fetchone()
    assert found == ("withdrawn",)
    reason = world.connection.execute(
        "SELECT reason, channel FROM suppressions WHERE address_hash = %s", [ada.address_hash]
    ).fetchone()
    assert reason == ("unsubscribed", "sms")


def test_a_number_that_does_not_exist_is_suppressed(world: World) -> None:
    gateway = Gateway(world.clock, fault=refusal(21211), takes=False)
    ada = text_to(world)
    through(world, gateway)(ada)
    reason = world.connection.execute(
        "SELECT reason FROM suppressions WHERE address_hash = %s", [ada.address_hash]
    ).fetchone()
    assert reason == ("hard_bounce",)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_is_looked_up_in_the_gateways_list(world: World, arrived: bool) -> None:
    gateway = Gateway(world.clock, fault=RESET, takes=arrived)
    ada = text_to(world)
    run = through(world, gateway)
    assert run(ada)[0].uncertain == 1
    gateway.takes = True
    world.clock.advance(PACE.settle_time + MINUTE)
    tally, settled = run(ada, settle=True)
    assert settled == (Settled(sent=1) if arrived else Settled(to_send=1))
    assert tally.handed_over == (0 if arrived else 1)
    assert Counter(one["To"] for one in gateway.taken) == {"+436641234567": 1}
    assert world.events(ada.send_id)[0][0] in ("handed_over", "uncertain")


def test_the_list_of_a_shopper_who_was_texted_before_proves_nothing_about_this_message(world: World) -> None:
    gateway = Gateway(world.clock)
    gateway.taken.append({"To": "+436641234567", "Body": "another message"})
    gateway.fault, gateway.takes = RESET, False
    ada = text_to(world)
    run = through(world, gateway)
    run(ada)
    gateway.takes = True
    world.clock.advance(PACE.settle_time + MINUTE)
    assert run(ada, settle=True)[1] == Settled(to_send=1)
    assert len(gateway.taken) == 2


# --- templates


def test_a_text_is_tried_out_when_it_is_saved(world: World) -> None:
    good = "{{ shop.name }}: {{ links.recover }} STOP"
    saved = save_sms_template(world.connection, world.context, world.shop, key="nudge", name="Nudge", text=good)
    assert saved.number == 1
    for text, why in [
        ("{{ links.recover }} STOP", "name"),
        ("{{ shop.name }} {{ links.recover }}", "STOP"),
        ("{{ shop.nam }} {{ links.recover }} STOP", "nam"),
        ("{{ shop.name }} {{ links.recover }} STOP " + "word " * 80, "segments"),
    ]:
        with pytest.raises(TemplateRefusedError, match=why):
            save_sms_template(world.connection, world.context, world.shop, key="nudge", name="Nudge", text=text)
    row = world.connection.execute("SELECT count(*) FROM template_versions WHERE template_id = %s", [saved.template_id])
    assert row.fetchone() == (1,)


def test_a_letters_template_is_no_text_message(world: World) -> None:
    version = publish_template(world.connection, world.shop, world.clock.now())
    gateway = Gateway(world.clock)
    ada = text_to(world, template_version_id=version)
    through(world, gateway)(ada)
    assert gateway.calls == 0
    assert world.decisions(ada) == [("deny", "CONTENT_MISSING")]
