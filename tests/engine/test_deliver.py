"""Deliver due sends over the shipped fake: what goes out, what is refused and why, and what happens when things go wrong."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime, timedelta

import psycopg
import pytest

from rekindle.engine.account_health import TRIAL
from rekindle.engine.outcome import BACK_OFF
from rekindle.lib.tokens import read_token
from rekindle.policy.breaker import FIRST_PAUSE, OPERATOR_PAUSE
from rekindle.providers.base import Fault, NotStarted, Pause, Rejected, Uncertain
from rekindle.providers.fake import FakeProvider
from rekindle.render.email import EmailTemplate
from rekindle.terms.send_reference import read_reference
from tests.due_sends import Person, add_account, publish_template

from .delivery import World

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# --- what goes out


def test_a_due_send_is_handed_over_once_and_leaves_the_outbox(world: World) -> None:
    ada = world.person("ada")
    assert world.deliver(ada).handed_over == 1
    assert world.deliver(ada).claimed == 0
    assert [letter.recipient for letter in world.provider.started] == ["ada@shopper.example"]
    assert world.outbox(ada, "1") is None
    assert world.events(ada.send_id) == [("handed_over", None)]
    assert world.decisions(ada) == [("allow", "ALLOWED")]


def test_the_letter_names_its_send_and_carries_links_that_lead_back_to_it(world: World) -> None:
    ada = world.person("ada", items=[*Person("x", world.shop).items])
    world.deliver(ada)
    letter = email.message_from_bytes(world.provider.started[0].content, policy=email.policy.default)
    assert letter["To"] == "ada@shopper.example"
    assert letter["From"] == "Fernweh <shop@fernweh.example>"
    assert letter["Message-ID"] == f"<{ada.send_id}@rekindle.example>"
    assert letter["X-Rekindle-Send"].partition("-")[2] == str(ada.send_id)
    assert read_reference(letter["X-Rekindle-Send"]) is not None
    body = letter.get_body(("html",))
    assert body is not None
    html = body.get_content()
    optout = letter["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    restore = html.partition("https://rekindle.example/r/")[2][:46]
    row = world.connection.execute("SELECT link_hash, optout_hash FROM sends WHERE id = %s", [ada.send_id]).fetchone()
    assert row is not None
    for token, stored in ((restore, row[0]), (optout, row[1])):
        parts = read_token(token)
        assert parts is not None
        assert (parts.bucket, parts.send_id, parts.secret_hash) == (ada.bucket, ada.send_id, bytes(stored))
    assert f"https://rekindle.example/c/{restore}/0" in html
    assert f"https://rekindle.example/c/{restore}/1" in html
    assert "Rain jacket" in html


def test_a_send_that_is_not_due_yet_stays(world: World) -> None:
    ada = world.person("ada", due=timedelta(seconds=-30))
    assert world.deliver(ada).claimed == 0
    world.clock.advance(MINUTE)
    assert world.deliver(ada).handed_over == 1


def test_a_batch_of_many_goes_out_in_waves_and_nobody_twice(world: World) -> None:
    people = [world.person(f"p{n}") for n in range(40)]
    assert world.deliver(*people).handed_over == 40
    assert sorted(letter.recipient for letter in world.provider.started) == sorted(p.to for p in people)


# --- refusals: each reason is stored, and nothing is sent


REFUSED = [
    ("PURCHASED", {"last_order": HOUR}),
    ("PURCHASED", {"cart_state": "converted"}),
    ("PURCHASED", {"order_key": "o-1"}),
    ("CART_CLOSED", {"cart_state": "open"}),
    ("CART_CLOSED", {"enrolment_state": "exited", "exit_reason": "RETURNED"}),
    ("CART_CLOSED", {"touched": timedelta(minutes=10)}),
    ("ERASED", {"erased": HOUR}),
    ("SUPPRESSED", {"suppressed": True}),
    ("OPTED_OUT", {"opted_out": HOUR}),
    ("OPTED_OUT", {"consent": "withdrawn"}),
    ("NO_BASIS", {"consent": None}),
    ("DOUBLE_OPT_IN_MISSING", {"consent": "pending"}),
    ("CONSENT_UNPROVABLE", {"wording": ""}),
    ("NO_ADDRESS", {"address": ""}),
    ("HELD_OUT", {"arm": "holdout"}),
    ("CONTENT_MISSING", {"template_version_id": 10**9}),
    ("PURCHASE_COOL_OFF", {"last_order": 3 * DAY}),
    ("STALE", {"abandoned": 20 * DAY, "touched": 21 * DAY}),
    ("RENDER_FAILED", {"address": "two addresses@shopper.example"}),
]


@pytest.mark.parametrize(("reason", "changes"), REFUSED, ids=[f"{n}-{r}" for n, (r, _) in enumerate(REFUSED)])
def test_a_refusal_is_stored_and_nothing_is_sent(world: World, reason: str, changes: dict[str, object]) -> None:
    ada = world.person("ada", **changes)
    assert world.deliver(ada).skipped == 1
    assert world.provider.started == []
    assert world.outbox(ada, "1") is None
    assert world.events(ada.send_id) == [("skipped", reason)]
    assert world.decisions(ada) == [("deny", reason)]


def test_a_holdout_gets_a_ghost_send_at_the_time_of_the_real_one(world: World) -> None:
    held, treated = world.person("held", arm="holdout"), world.person("treated")
    world.deliver(held, treated)
    at = dict(world.connection.execute("SELECT send_id, at FROM send_events WHERE send_id = ANY(%s)", [[held.send_id, treated.send_id]]).fetchall())  # fmt: skip
    assert at[held.send_id] == at[treated.send_id] == world.clock.now()
    assert [letter.recipient for letter in world.provider.started] == [treated.to]


def test_the_second_mail_within_a_day_is_capped_and_the_next_day_it_is_not(world: World) -> None:
    first = world.person("ada")
    world.deliver(first)
    world.clock.advance(2 * HOUR)
    second = world.person("ada", step="second", abandoned=3 * HOUR, touched=4 * HOUR)
    opens_at = world.clock.now() + 22 * HOUR
    assert world.deliver(second).again == 1
    assert world.decisions(second) == [("defer", "CAP_24H")]
    assert world.outbox(second, "state", "send_at") == ("scheduled", opens_at)
    world.clock.advance(22 * HOUR - SECOND)
    assert world.deliver(second).claimed == 0
    world.clock.advance(SECOND)
    assert world.deliver(second).handed_over == 1


def test_two_sends_to_one_shopper_are_decided_one_after_the_other(world: World) -> None:
    early = world.person("ada", due=5 * MINUTE)
    late = world.person("ada", step="second", due=MINUTE)
    tally = world.deliver(early, late)
    assert (tally.claimed, tally.handed_over, tally.again) == (2, 1, 1)
    assert world.outbox(late, "state", "lease_until") == ("scheduled", None)
    went_at = world.clock.now()
    world.clock.advance(MINUTE)
    world.deliver(late)
    assert world.decisions(late) == [("defer", "OUTRANKED"), ("defer", "CAP_24H")]
    assert world.outbox(late, "send_at") == (went_at + DAY,)


def test_an_uncertain_message_counts_as_sent_for_the_caps(world: World) -> None:
    first = world.person("ada")
    world.provider.answer(Uncertain("connection lost"))
    world.deliver(first)
    second = world.person("ada", step="second")
    world.deliver(second)
    assert world.decisions(second) == [("defer", "CAP_24H")]


def test_limits_that_mean_nothing_stop_the_shop_and_nothing_else(world: World) -> None:
    ada = world.person("ada")
    world.connection.execute("""UPDATE shops SET limits = '{"per_24h": {"email": "lots"}}' WHERE id = %s""", [world.shop.id])  # fmt: skip
    world.deliver(ada)
    assert world.events(ada.send_id) == [("skipped", "EVALUATION_FAILED")]
    assert world.provider.started == []


def test_a_shop_with_relaxed_limits_writes_again_within_the_day(world: World) -> None:
    world.connection.execute("""UPDATE shops SET limits = '{"per_24h": {"email": 5, "all": 5}}' WHERE id = %s""", [world.shop.id])  # fmt: skip
    first, second = world.person("ada"), world.person("ada", step="second")
    world.deliver(first, second)
    world.clock.advance(MINUTE)
    assert world.deliver(second).handed_over == 1


# --- content


def broken_template(world: World, html: str) -> int:
    template = EmailTemplate(
        "Your cart", "", html, "{{ links.recover }} {{ links.unsubscribe }} {{ shop.name }} {{ shop.postal_address }}"
    )
    return publish_template(world.connection, world.shop, world.clock.now(), template)


LINKS = '<a href="{{ links.recover }}">cart</a> {{ shop.name }} {{ shop.postal_address }} '
STOP_LINK = '<a href="{{ links.unsubscribe }}">stop</a>'


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (LINKS, "CONTENT_MISSING"),
        (STOP_LINK + "{{ shop.name }} {{ shop.postal_address }}", "CONTENT_MISSING"),
        (LINKS.replace("{{ shop.postal_address }}", "") + STOP_LINK, "CONTENT_MISSING"),
        (LINKS + STOP_LINK + "{{ cart.nothing }}", "RENDER_FAILED"),
    ],
    ids=["no unsubscribe link", "no way back to the cart", "no postal address", "a value that does not exist"],
)
def test_a_letter_that_lacks_something_does_not_leave(world: World, html: str, reason: str) -> None:
    ada = world.person("ada", template_version_id=broken_template(world, html))
    bob = world.person("bob")
    world.deliver(ada, bob)
    assert world.events(ada.send_id) == [("skipped", reason)]
    assert [letter.recipient for letter in world.provider.started] == [bob.to]


def test_a_shop_without_a_postal_address_sends_nothing(world: World) -> None:
    world.connection.execute("UPDATE shops SET postal_address = '' WHERE id = %s", [world.shop.id])
    ada = world.person("ada")
    world.deliver(ada)
    evidence = world.connection.execute("SELECT evidence FROM decisions WHERE send_id = %s", [ada.send_id]).fetchone()
    assert evidence is not None
    assert evidence[0]["missing"] == ["postal_address"]
    assert evidence[0]["regions"] == ["EU"]
    assert evidence[0]["pack"].startswith("rekindle-default 1 ")
    assert world.provider.started == []


def test_rows_without_a_price_are_left_out_and_links_keep_their_place(world: World) -> None:
    items = [dict(item) for item in Person("x", world.shop).items]
    items[0]["unit_cents"] = None
    ada = world.person("ada", items=[items[1]])
    world.connection.execute(
        "UPDATE carts SET items = %s WHERE id = %s", [psycopg.types.json.Jsonb(items), ada.cart_id]
    )
    world.connection.execute("""UPDATE sends SET context = '{"links": ["https://a.example", "https://b.example"]}' WHERE id = %s""", [ada.send_id])  # fmt: skip
    assert world.deliver(ada).handed_over == 1
    body = email.message_from_bytes(world.provider.started[0].content, policy=email.policy.default).get_body(("html",))
    assert body is not None
    assert "Rain jacket" not in body.get_content()
    assert body.get_content().count('/0"') == 0
    assert '/1"' in body.get_content()


# --- not now


def test_a_cart_that_is_too_young_waits_for_its_age(world: World) -> None:
    ada = world.person("ada", abandoned=10 * MINUTE, touched=40 * MINUTE)
    assert world.deliver(ada).again == 1
    assert world.outbox(ada, "state", "send_at", "lease_until", "attempts") == ("scheduled", world.clock.now() + 20 * MINUTE, None, 0)  # fmt: skip
    assert world.decisions(ada) == [("defer", "TOO_SOON")]
    world.clock.advance(20 * MINUTE)
    assert world.deliver(ada).handed_over == 1


def test_a_paused_shop_keeps_its_sends(world: World) -> None:
    ada = world.person("ada")
    world.connection.execute("UPDATE shops SET sending_paused = true WHERE id = %s", [world.shop.id])
    assert world.deliver(ada).again == 1
    assert world.decisions(ada) == [("defer", "PAUSED")]
    assert world.state(ada) == "scheduled"


def test_a_shop_without_an_account_keeps_its_sends(world: World) -> None:
    ada = world.person("ada")
    world.connection.execute("UPDATE provider_accounts SET enabled = false WHERE id = %s", [world.account_id])
    assert world.deliver(ada).again == 1
    assert world.decisions(ada) == [("defer", "PAUSED")]


def test_the_second_account_is_used_while_the_first_one_pauses(world: World) -> None:
    other = FakeProvider()
    world.providers["other"] = other
    add_account(world.connection, world.shop, kind="other", position=1)
    world.connection.execute("UPDATE provider_accounts SET paused_until = %s WHERE id = %s", [world.clock.now() + HOUR, world.account_id])  # fmt: skip
    ada = world.person("ada")
    assert world.deliver(ada).handed_over == 1
    assert len(other.started) == 1


# --- what providers say


def refuse(permanent: bool, fault: Fault = Fault.LETTER) -> Rejected:
    return Rejected(permanent, "550" if permanent else "451", "no such mailbox ada@shopper.example", fault)


def test_a_refusal_that_may_pass_is_tried_again_later_and_later_until_it_failed(world: World) -> None:
    ada = world.person("ada")
    for attempt, wait in enumerate(BACK_OFF):
        world.provider.answer(refuse(False))
        assert world.deliver(ada).again == 1
        assert world.outbox(ada, "state", "attempts", "send_at") == ("scheduled", attempt + 1, world.clock.now() + wait)
        world.clock.advance(wait)
    world.provider.answer(refuse(False))
    assert world.deliver(ada).failed == 1
    assert world.events(ada.send_id)[-1] == ("failed", "ATTEMPTS_USED_UP")
    assert len(world.provider.started) == len(BACK_OFF) + 1


def test_an_address_that_does_not_exist_bounces_and_is_suppressed_where_it_is_looked_up(world: World) -> None:
    ada = world.person("ada")
    world.provider.answer(refuse(True, Fault.RECIPIENT))
    assert world.deliver(ada).failed == 1
    assert world.events(ada.send_id) == [("bounced", "PROVIDER_REFUSED")]
    rows = world.connection.execute(
        "SELECT bucket, address_hash, reason FROM suppressions WHERE shop_id = %s", [world.shop.id]
    )
    assert [(row[0], bytes(row[1]), row[2]) for row in rows.fetchall()] == [
        (ada.bucket, ada.address_hash, "hard_bounce")
    ]
    detail = world.connection.execute("SELECT detail FROM send_events WHERE send_id = %s", [ada.send_id]).fetchone()
    assert "shopper.example" not in str(detail)


def test_a_refused_letter_fails_and_leaves_the_address_alone(world: World) -> None:
    ada = world.person("ada")
    world.provider.answer(refuse(True))
    world.deliver(ada)
    assert world.events(ada.send_id) == [("failed", "PROVIDER_REFUSED")]
    assert world.connection.execute(
        "SELECT count(*) FROM suppressions WHERE shop_id = %s", [world.shop.id]
    ).fetchone() == (0,)


@pytest.mark.parametrize(
    ("pause", "retry_after_s", "wait"),
    [(Pause.BACK_OFF, None, FIRST_PAUSE), (Pause.BACK_OFF, 90.0, timedelta(seconds=90)), (Pause.OPERATOR, None, OPERATOR_PAUSE)],
)  # fmt: skip
def test_a_throttled_or_locked_account_pauses_and_no_attempt_is_used(
    world: World, pause: Pause, retry_after_s: float | None, wait: timedelta
) -> None:
    ada = world.person("ada")
    world.provider.answer(NotStarted("421", "too fast", pause, retry_after_s))
    assert world.deliver(ada).again == 1
    until = world.clock.now() + wait
    assert world.outbox(ada, "state", "attempts") == ("scheduled", 0)
    assert resumes_at(world, ada) == until
    row = world.connection.execute(
        "SELECT paused_until, paused_reason FROM provider_accounts WHERE id = %s", [world.account_id]
    )
    assert row.fetchone() == (until, "421: too fast")
    bob = world.person("bob")
    world.deliver(bob)
    assert (world.decisions(bob), len(world.provider.started)) == ([("defer", "PAUSED")], 1)
    world.clock.advance(wait + timedelta(seconds=1))
    tried = world.deliver(ada, bob).handed_over  # one message is the trial, in a batch of two the other waits for it
    world.clock.advance(TRIAL)
    assert (tried, world.deliver(ada, bob).handed_over) in ((1, 1), (2, 0))


def resumes_at(world: World, person: Person) -> datetime:
    """When it is looked at again, without the part of a second that keeps the order of those that wait."""
    found = world.outbox(person, "send_at")
    assert found is not None
    at = found[0] - timedelta(microseconds=1)
    assert isinstance(at, datetime)
    return at.replace(microsecond=0)


def test_a_provider_that_is_down_pauses_before_anything_is_marked_as_sending(world: World) -> None:
    people = [world.person(name) for name in ("ada", "bob")]
    world.provider.down = NotStarted("connect", "connection refused", Pause.BACK_OFF)
    assert world.deliver(*people).again == 2
    assert world.provider.started == []
    assert [world.outbox(p, "state", "attempts", "account_id") for p in people] == [("scheduled", 0, None)] * 2


def test_an_account_whose_secret_does_not_open_pauses_for_its_operator(world: World) -> None:
    world.connection.execute("UPDATE provider_accounts SET secret = 'rubbish' WHERE id = %s", [world.account_id])
    ada = world.person("ada")
    assert world.deliver(ada).again == 1
    assert resumes_at(world, ada) == world.clock.now() + OPERATOR_PAUSE


def test_a_lost_answer_leaves_the_send_uncertain_and_it_is_not_sent_again(world: World) -> None:
    ada = world.person("ada")
    world.provider.answer(Uncertain("the connection broke"), arrived=True)
    assert world.deliver(ada).uncertain == 1
    assert world.outbox(ada, "state", "uncertain_at", "account_id") == (
        "uncertain",
        world.clock.now(),
        world.account_id,
    )
    assert world.events(ada.send_id) == [("uncertain", "CONNECTION_LOST")]
    world.clock.advance(30 * DAY)
    assert world.deliver(ada).claimed == 0
    assert len(world.provider.started) == 1
