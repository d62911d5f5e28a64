"""What shoppers write back by short message: a no counts before the answer, once, and a doubt waits for a person (C-08)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.engine.forget import erase_address
from rekindle.engine.places import AddressPlace, address_place
from rekindle.engine.replies import Decided, ReplyDecision, settle_reply
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.replies import count_replies_waiting, replies_waiting
from rekindle.terms.consent import ConsentKind, ConsentMarks
from rekindle.terms.event import ConsentGiven
from rekindle.terms.send import Channel
from tests.engine.scene import put_shopper, rows
from tests.event_factory import identified, tell
from tests.factories import make_shop
from tests.providers.signed_reports import Account, sign_twilio, sign_vonage
from tests.web.sent import use

from .hooked import ask, forget_hooks, put_account
from .scene import PHONE, World, put_phone, put_waiting

EMPTY = b"<Response/>"


@pytest.fixture
def twilio(world: World) -> Account:
    world.clock.advance(timedelta(days=1))
    return world.account("twilio")


def write(account: Account, text: str, number: int = 1, *, sender: str = PHONE, **more: str) -> bytes:
    """The answer to a message from this phone."""
    fields = {"MessageSid": f"SM{number}", "SmsStatus": "received", "From": sender, "To": "+15005550006", "Body": text}
    answer = ask(account.path, sign_twilio(account, {**fields, **more}))
    assert answer.status == 200
    assert answer.content_type == "text/xml"
    return answer.body


def place_of(world: World, phone: str = PHONE) -> AddressPlace:
    return address_place(world.context, world.shop, Channel.SMS, phone)


def verdicts(world: World) -> list[Any]:
    return [
        row["verdict"]
        for row in rows(
            world.connection, "SELECT verdict FROM replies WHERE shop_id = %s ORDER BY at, id", world.shop.id
        )
    ]


def waiting(world: World) -> list[Any]:
    return replies_waiting(world.connection, buckets_of(world.shop), world.shop.id, 10)


def test_a_no_ends_the_channel_withdraws_what_waits_and_is_confirmed_once(world: World, twilio: Account) -> None:
    put_waiting(world, "sms")
    first = write(twilio, "please stop texting me")
    assert b"Fernweh: You are unsubscribed" in first
    assert world.consents == {"email": "express", "sms": "withdrawn"}
    assert world.suppressed == [("sms", "unsubscribed")]
    assert rows(world.connection, "SELECT id FROM outbox WHERE shop_id = %s", world.shop.id) == []
    assert EMPTY in write(twilio, "please stop texting me"), "the provider asks again"
    assert EMPTY in write(twilio, "arrêtez svp", 2), "and the shopper says it again"
    assert verdicts(world) == ["stop", "stop"]
    (row,) = rows(
        world.connection,
        "SELECT wording, source FROM consents WHERE shop_id = %s AND kind = 'withdrawn' AND seq = 1",
        world.shop.id,
    )
    assert row == {"wording": "please stop texting me", "source": "reply"}


def test_what_the_provider_answers_itself_is_not_answered_again(world: World, twilio: Account) -> None:
    assert EMPTY in write(twilio, "STOP"), "the provider's own word"
    assert world.consents["sms"] == "withdrawn"
    other = "+4915112345679"
    assert EMPTY in write(twilio, "no more please, thanks", 2, sender=other, OptOutType="STOP")
    assert EMPTY in write(twilio, "hilfe", 3, sender=other, OptOutType="HELP")


def test_a_no_from_a_number_that_nobody_gave_is_kept(world: World, twilio: Account) -> None:
    stranger = "+447700900123"
    assert b"unsubscribed" in write(twilio, "stop it now", sender=stranger)
    place = place_of(world, stranger)
    found = rows(
        world.connection,
        "SELECT reason FROM suppressions WHERE bucket = %s AND address_hash = %s",
        place.bucket,
        place.hash,
    )
    assert [row["reason"] for row in found] == ["unsubscribed"]


def test_the_confirmation_is_written_in_the_shops_language_without_any_offer(
    connection: Connection, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    forget_hooks(monkeypatch)
    shop = make_shop(connection, locale="fr-CA", name="Chez <Ada> & Fils")
    account = put_account(connection, context, shop, "twilio")
    body = write(account, "Arrêtez de m'écrire").decode()
    assert "Chez &lt;Ada&gt; &amp; Fils : vous êtes désabonné" in body
    assert "http" not in body.partition("<Message>")[2]


def test_a_doubt_stops_the_messages_until_a_person_has_read_it(world: World, twilio: Account) -> None:
    assert EMPTY in write(twilio, "when will this ever stop?")
    assert world.suppressed == [("sms", "review")]
    assert world.consents["sms"] == "express"
    (reply,) = waiting(world)
    assert (reply.text, reply.channel) == ("when will this ever stop?", "sms")
    decision = ReplyDecision(reply.bucket, reply.id, Decided.NOTHING, "mia@fernweh.example")
    assert settle_reply(world.connection, world.context, world.shop, decision)
    assert world.suppressed == []
    assert waiting(world) == []
    assert not settle_reply(world.connection, world.context, world.shop, decision), "once"


def test_a_person_can_take_a_doubt_for_a_no(world: World, twilio: Account) -> None:
    write(twilio, "this is spam", 1)
    write(twilio, "my lawyer will call", 2)
    assert count_replies_waiting(world.connection, buckets_of(world.shop), world.shop.id) == 2
    reply = waiting(world)[0]
    decision = ReplyDecision(reply.bucket, reply.id, Decided.STOP, "mia@fernweh.example")
    assert settle_reply(world.connection, world.context, world.shop, decision)
    assert world.suppressed == [("sms", "unsubscribed")]
    assert world.consents["sms"] == "withdrawn"
    assert waiting(world) == [], "all of that number"
    other = make_shop(world.connection)
    assert not settle_reply(world.connection, world.context, other, decision), "not another shop's"


def test_a_doubt_from_an_unknown_number_can_be_taken_for_a_no(world: World, twilio: Account) -> None:
    write(twilio, "is this spam?", sender="+447700900123")
    (reply,) = waiting(world)
    decision = ReplyDecision(reply.bucket, reply.id, Decided.STOP, "mia")
    assert settle_reply(world.connection, world.context, world.shop, decision)
    assert world.suppressed == [("sms", "unsubscribed")]


def test_a_clear_no_after_a_doubt_is_a_no_and_confirmed(world: World, twilio: Account) -> None:
    write(twilio, "is this spam?")
    assert b"unsubscribed" in write(twilio, "dont text me again", 2)
    assert world.suppressed == [("sms", "unsubscribed")]


def test_start_brings_back_what_was_agreed_to_before_and_nothing_else(world: World, twilio: Account) -> None:
    place = place_of(world)
    record_consent(
        world.connection, world.context, world.shop, bucket=world.shopper.bucket, channel=Channel.SMS,
        address_hash=place.hash, kind=ConsentKind.EXPRESS, wording="cart reminders by SMS", source="form", evidence={},
        at=world.now - timedelta(hours=2),
    )  # fmt: skip
    write(twilio, "stop please", 1)
    world.clock.advance(timedelta(minutes=1))
    write(twilio, "START", 2)
    assert world.consents["sms"] == "express"
    assert world.suppressed == []
    rule = "SELECT kind, wording, evidence FROM consents WHERE shop_id = %s AND channel = 'sms' ORDER BY seq"
    last = rows(world.connection, rule, world.shop.id)[-1]
    assert (last["kind"], last["wording"]) == ("express", "cart reminders by SMS")
    world.clock.advance(timedelta(minutes=1))
    assert b"unsubscribed" in write(twilio, "stop please", 3), "a new no is confirmed anew"


def test_start_from_somebody_who_never_agreed_agrees_to_nothing(world: World, twilio: Account) -> None:
    stranger = "+447700900123"
    write(twilio, "stop please", 1, sender=stranger)
    world.clock.advance(timedelta(minutes=1))
    write(twilio, "START", 2, sender=stranger)
    assert world.suppressed == [("sms", "unsubscribed")]


def test_start_does_not_undo_a_complaint(world: World, twilio: Account) -> None:
    place = place_of(world)
    for bucket in {place.bucket, world.shopper.bucket}:
        world.connection.execute(
            "INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)"
            " VALUES (%s, %s, 'sms', %s, 'complaint', %s, '')",
            [bucket, world.shop.id, place.hash, world.now],
        )
    world.clock.advance(timedelta(minutes=1))
    write(twilio, "START")
    assert world.suppressed == [("sms", "complaint")]


@pytest.mark.parametrize(("text", "expected"), [("YES", "express"), ("maybe", "pending"), ("no more", "withdrawn")])
def test_yes_confirms_only_while_an_agreement_is_waited_for(
    world: World, twilio: Account, text: str, expected: str
) -> None:
    write(twilio, "YES", 1)
    assert verdicts(world) == ["other"]
    record_consent(
        world.connection, world.context, world.shop, bucket=world.shopper.bucket, channel=Channel.SMS,
        address_hash=place_of(world).hash, kind=ConsentKind.PENDING, wording="carts, by SMS", source="form", evidence={},
        at=world.now,
    )  # fmt: skip
    world.clock.advance(timedelta(minutes=1))
    write(twilio, text, 2)
    assert world.consents["sms"] == expected


def test_yes_to_our_question_confirms_what_it_asked(world: World, twilio: Account) -> None:
    world.connection.execute("UPDATE shops SET double_opt_in = 'always' WHERE id = %s", [world.shop.id])
    shop = replace(world.shop, double_opt_in="always")
    said = ConsentGiven(channel="sms", granted=True, wording="Yes.", claimed=ConsentMarks(is_written=True))
    told = identified(at=world.clock.now(), phone=PHONE, email=None, consents=(said,), visitor_key="a:77")
    tell(world.connection, world.context, shop, told)
    query = (
        "SELECT consent, consent_confirmed, consent_written FROM contact_points WHERE shop_id = %s AND channel = 'sms'"
    )
    world.clock.advance(timedelta(minutes=1))
    write(twilio, "Yes!", 1)
    assert {tuple(row.values()) for row in rows(world.connection, query, world.shop.id)} == {("express", True, True)}
    rule = "SELECT wording, source, evidence FROM consents WHERE shop_id = %s AND channel = 'sms' ORDER BY seq"
    last = rows(world.connection, rule, world.shop.id)[-1]
    assert last["wording"] == f"Yes, {shop.name} may remind me by text message of what I left in my cart."
    assert last["source"] == "double opt-in"
    assert last["evidence"]["method"] == "keyword"
    world.clock.advance(timedelta(minutes=1))  # two replies of one instant would have no order
    write(twilio, "yes", 2)
    assert verdicts(world) == ["confirm", "other"], "asked once, answered once"


def test_help_is_given_once_an_hour_so_that_machines_do_not_talk_for_ever(world: World, twilio: Account) -> None:
    assert b"help@fernweh.example" in write(twilio, "Hilfe", 1)
    for number in range(2, 6):
        world.clock.advance(timedelta(minutes=10))
        assert EMPTY in write(twilio, "Hilfe", number)
    world.clock.advance(timedelta(hours=2))
    assert b"help@fernweh.example" in write(twilio, "Ayuda", 9)
    assert world.consents["sms"] == "express"


def test_other_words_are_kept_and_change_nothing(world: World, twilio: Account) -> None:
    state = world.state
    assert EMPTY in write(twilio, "Is the tent still available?")
    assert world.state == state
    assert verdicts(world) == ["other"]


def test_vonage_brings_replies_too_and_is_answered_with_nothing(world: World) -> None:
    world.clock.advance(timedelta(days=1))
    account = world.account("vonage")
    event = {
        "message_uuid": "v1", "message_type": "text", "text": "pls stop", "from": PHONE.lstrip("+"), "to": "1",
        "timestamp": world.now.isoformat(),
    }  # fmt: skip
    answer = ask(account.path, sign_vonage(account.key, event, world.now))
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert world.consents["sms"] == "withdrawn"


def test_a_forged_reply_is_no_reply(world: World, twilio: Account) -> None:
    state = world.state
    forged = sign_twilio(replace(twilio, key="guess"), {"MessageSid": "SM1", "From": PHONE, "Body": "STOP"})
    assert ask(twilio.path, forged).status == 401
    assert world.state == state


def test_what_an_erased_shopper_wrote_is_gone(world: World, twilio: Account) -> None:
    write(twilio, "Is this spam? - Ada, canary-77")
    erase_address(world.connection, world.context, world.shop, channel=Channel.SMS, address=PHONE, source="test")
    (row,) = rows(world.connection, "SELECT text, shopper_id FROM replies WHERE shop_id = %s", world.shop.id)
    assert row == {"text": "", "shopper_id": None}


def test_one_shops_no_is_not_anothers(world: World, twilio: Account) -> None:
    other = make_shop(world.connection)
    shopper = put_shopper(world.connection, world.context, other)
    put_phone(world.connection, world.context, other, shopper)
    write(twilio, "stop please")
    assert world.consents["sms"] == "withdrawn"
    query = "SELECT consent FROM contact_points WHERE shop_id = %s AND channel = 'sms'"
    assert {row["consent"] for row in rows(world.connection, query, other.id)} == {"express"}
