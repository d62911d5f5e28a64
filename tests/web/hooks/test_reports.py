"""Providers' reports at our door: genuine ones count once and before the answer, all others change nothing (S-12, R-14)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from rekindle.engine.hooks import (
    HookError,
    drop_old_hook,
    forget_old_tokens,
    hook_addresses,
    renew_hook,
    save_hook_keys,
)
from rekindle.lib.hook_tokens import make_hook_token
from rekindle.terms.send_reference import SendReference
from rekindle.web import hooks, metrics
from rekindle.web.hooks import MAX_BODY
from tests.engine.scene import rows
from tests.factories import make_shop
from tests.providers.signed_reports import (
    KINDS,
    TOPIC,
    Sealed,
    fresh_key,
    report,
    says,
    shown,
    sign_mailgun,
    sign_sendgrid,
    sign_sns,
    sign_svix,
)
from tests.web.sent import SEED, put_send

from .hooked import ask, put_account
from .scene import World, put_waiting


def channel_of(kind: str) -> str:
    return "sms" if kind in {"twilio", "vonage"} else "email"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_provider_says_about_a_send_becomes_its_events(world: World, kind: str) -> None:
    account, channel = world.account(kind), channel_of(kind)
    expected = []
    opened = (
        "opened" if channel == "email" else None
    )  # no pack lets it be noted without consent who read a text message
    for what, event in (
        ("queued", None), ("delivered", "delivered"), ("deferred", "deferred"), ("opened", opened), ("failed", "dropped"),
    ):  # fmt: skip
        if says(kind, what):
            sealed = report(account, [world.told(account, what)], world.now, nonce=what)
            assert ask(account.path, sealed).status == 200, what
            expected += [event] if event else []
    assert world.events(channel) == sorted(expected)
    assert world.suppressed == []
    assert set(world.consents.values()) == {"express"}


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_dead_address_is_suppressed_and_a_full_mailbox_is_not(world: World, kind: str) -> None:
    account, channel = world.account(kind), channel_of(kind)
    if says(kind, "full"):
        assert ask(account.path, report(account, [world.told(account, "full")], world.now, nonce="full")).status == 200
        assert world.suppressed == []
    assert ask(account.path, report(account, [world.told(account, "bounced")], world.now, nonce="dead")).status == 200
    assert world.suppressed == [(channel, "hard_bounce")]
    assert {"bounced", "dropped"} & set(world.events(channel))
    assert set(world.consents.values()) == {"express"}, "a bounce is no wish"


@pytest.mark.parametrize(
    ("kind", "what"), [(kind, what) for kind in KINDS for what in ("complained", "unsubscribed") if says(kind, what)]
)
def test_a_no_at_the_provider_ends_the_channel_and_withdraws_what_waits(world: World, kind: str, what: str) -> None:
    account, channel = world.account(kind), channel_of(kind)
    world.clock.advance(timedelta(minutes=5))
    later = put_send(
        world.connection, world.shop, shopper=(world.shopper.bucket, world.shopper.id), cart=(0, world.shopper.id),
        at=world.now, channel=channel, seed=b"n" * 16,
    )  # fmt: skip
    world.connection.execute(
        "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'scheduled', %s, 0, %s)",
        [later.bucket, later.id, world.shop.id, world.shopper.id, later.id, channel, world.now, SEED],
    )
    assert ask(account.path, report(account, [world.told(account, what)], world.now)).status == 200
    other = "email" if channel == "sms" else "sms"
    assert world.consents == {channel: "withdrawn", other: "express"}
    assert world.suppressed == [(channel, "complaint" if what == "complained" else "unsubscribed")]
    assert rows(world.connection, "SELECT id FROM outbox WHERE shop_id = %s", world.shop.id) == []
    assert what in world.events(channel)


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_request_changes_nothing_and_is_answered_alike(world: World, kind: str) -> None:
    account = world.account(kind)
    what = "complained" if says(kind, "complained") else "bounced"
    sealed = report(account, [world.told(account, what)], world.now)
    first = ask(account.path, sealed)
    state = world.state
    for _ in range(3):
        assert ask(account.path, sealed) == first
    world.clock.advance(timedelta(seconds=90))
    assert ask(account.path, sealed).status == 200, "as a provider repeats it"
    assert world.state == state


def test_a_provider_that_gives_a_repetition_a_new_id_does_not_count_twice(world: World) -> None:
    account = world.account("sendgrid")
    told = [world.told(account, what) for what in ("delivered", "opened", "opened")]
    told[2] = replace(told[2], at=told[2].at + timedelta(minutes=1))
    for nonce in ("a", "b", "c"):
        ask(account.path, report(account, told, world.now, nonce=nonce))
    assert world.events() == ["delivered", "opened", "opened"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_request_is_refused_and_changes_nothing(world: World, kind: str) -> None:
    account = world.account(kind)
    what = "complained" if says(kind, "complained") else "bounced"
    good = report(account, [world.told(account, what)], world.now)
    state = world.state
    stranger = replace(account, key="not-the-key-of-this-account" if kind != "ses" else f"{TOPIC}-of-somebody-else")
    forged = [
        report(stranger, [world.told(account, what)], world.now),
        Sealed(good.body.replace(b'ignature": "', b'ignature": "0'), {}, good.query),
    ]
    if kind not in {"postmark", "brevo", "mailgun"}:  # nothing of theirs covers the body
        rewritten = json.dumps(json.loads(good.body)).encode() + b" " if good.body[:1] in b"[{" else good.body + b"&x=1"
        if kind != "ses":  # signs its fields
            forged.append(Sealed(rewritten, good.headers, good.query))
        forged.append(Sealed(good.body.replace(b"example.com", b"example.org").replace(b"151", b"152"), good.headers))
    for one in forged:
        answer = ask(account.path, one)
        assert (answer.status, answer.body) == (401, b"not accepted\n")
    assert world.state == state
    assert ask(account.path, good).status == 200


@pytest.mark.parametrize(
    ("kind", "age"), [("sendgrid", 26), ("ses", 3), ("resend", 0.1), ("mailgun", 9), ("vonage", 26)]
)
def test_an_old_request_and_one_from_the_future_are_refused(world: World, kind: str, age: float) -> None:
    account = world.account(kind)
    sealed = report(account, [world.told(account, "delivered")], world.now)
    early = report(account, [world.told(account, "delivered")], world.now + timedelta(seconds=330))
    world.clock.advance(timedelta(hours=age))
    assert ask(account.path, sealed).status == 401
    world.clock.set(world.now - timedelta(hours=age))
    assert ask(account.path, early).status == 401
    assert world.events(channel_of(kind)) == []
    assert ask(account.path, sealed).status == 200


def test_a_mailgun_token_cannot_carry_another_body(world: World) -> None:
    account = world.account("mailgun")
    sent = world.sent["email"]
    good = {"event": "delivered", "recipient": "ada@example.com", "timestamp": world.now.timestamp()}
    good |= {"user-variables": {"send_id": str(SendReference(sent.bucket, sent.id))}}  # type: ignore[dict-item]
    evil = {**good, "event": "complained"}
    first = sign_mailgun(account.key, good, "seen-on-the-wire", world.now)
    stolen = sign_mailgun(account.key, evil, "seen-on-the-wire", world.now)
    assert ask(account.path, first).status == 200
    assert ask(account.path, stolen).status == 401
    assert ask(account.path, first).status == 200, "an honest repetition"
    assert world.events() == ["delivered"]
    assert world.suppressed == []


def test_tokens_are_forgotten_when_their_age_refuses_them(world: World) -> None:
    account = world.account("mailgun")
    ask(account.path, report(account, [world.told(account, "delivered")], world.now, nonce="old"))
    world.clock.advance(timedelta(hours=23))
    young = report(account, [world.told(account, "opened")], world.now, nonce="young")
    ask(account.path, young)
    world.clock.advance(timedelta(hours=2))
    assert forget_old_tokens(world.connection, world.context) == 1
    assert forget_old_tokens(world.connection, world.context) == 0
    assert ask(account.path, young).status == 200
    world.clock.advance(timedelta(hours=23))
    assert forget_old_tokens(world.connection, world.context) == 1
    assert ask(account.path, young).status == 401, "too old"


def test_all_orders_of_the_reports_lead_to_the_same(world: World) -> None:
    account = world.account("sendgrid")
    told = [
        replace(world.told(account, what), at=world.now + timedelta(seconds=n))
        for n, what in enumerate(("queued", "delivered", "clicked", "complained"))
    ]
    told[2] = replace(told[2], url="https://fernweh.example/sale")
    seen = []
    for number, order in enumerate(permutations(told)):
        world.connection.execute(f"SAVEPOINT order_{number}")
        put_waiting(world, state="uncertain")
        for one in order:
            assert ask(account.path, report(account, [one], world.now)).status == 200
        seen.append((world.events(), world.suppressed, world.consents, len(world.state[3])))
        world.connection.execute(f"ROLLBACK TO SAVEPOINT order_{number}")
    assert len(seen) == 24
    assert all(one == seen[0] for one in seen)
    assert seen[0][0] == ["clicked", "complained", "delivered", "handed_over"]
    assert seen[0][3] == 0, "the doubt is over"


@pytest.mark.parametrize("kind", KINDS)
def test_a_send_of_which_nobody_knew_is_settled_by_the_first_report(world: World, kind: str) -> None:
    account, channel = world.account(kind), channel_of(kind)
    put_waiting(world, channel, "uncertain")
    what = "queued" if says(kind, "queued") else "delivered"
    assert ask(account.path, report(account, [world.told(account, what)], world.now)).status == 200
    assert rows(world.connection, "SELECT id FROM outbox WHERE shop_id = %s", world.shop.id) == []
    assert world.events(channel) == sorted(["handed_over"] + (["delivered"] if what == "delivered" else []))


def test_a_send_that_is_being_sent_is_left_to_its_worker(world: World) -> None:
    account = world.account("sendgrid")
    put_waiting(world, state="sending")
    ask(account.path, report(account, [world.told(account, "delivered")], world.now))
    assert len(rows(world.connection, "SELECT id FROM outbox WHERE shop_id = %s", world.shop.id)) == 1


def test_a_shop_cannot_report_about_the_sends_of_another(world: World) -> None:
    other = make_shop(world.connection)
    account = put_account(world.connection, world.context, other, "sendgrid")
    state = world.state[:5]
    told = [replace(world.told(account, what), address="") for what in ("delivered", "bounced", "complained")]
    assert ask(account.path, report(account, told, world.now)).status == 200
    assert world.state[:5] == state


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_has_heard_of_is_kept_and_counted_and_never_an_error(world: World, kind: str) -> None:
    account = world.account(kind)
    for nonce in ("a", "b"):
        sealed = report(account, [world.told(account, "unheard")], world.now, nonce=nonce)
        assert ask(account.path, sealed).status == 200
    (kept,) = rows(world.connection, "SELECT name, times FROM strange_reports WHERE account_id = %s", account.id)
    assert kept["times"] == 2
    assert "eleport" in str(kept["name"])
    assert f'rekindle_reports_total{{kind="other",provider="{kind}"}}'.encode() in metrics.counted()


def test_a_batch_counts_each_event_and_one_about_nothing_of_ours_harms_no_other(world: World) -> None:
    account = world.account("sendgrid")
    told = [
        world.told(account, "delivered"),
        replace(world.told(account, "delivered"), send="7-00000000-0000-7000-8000-000000000001"),
        replace(world.told(account, "delivered"), send=""),
        replace(world.told(account, "delivered"), send="not ours\0at all"),
        world.told(account, "unheard"),
        world.told(account, "opened"),
    ]
    assert ask(account.path, report(account, told, world.now)).status == 200
    assert world.events() == ["delivered", "opened"]


def test_a_complaint_about_another_letter_of_the_shop_counts_for_the_address(world: World) -> None:
    account = world.account("mandrill")
    assert (
        ask(account.path, report(account, [replace(world.told(account, "complained"), send="")], world.now)).status
        == 200
    )
    assert world.consents["email"] == "withdrawn"
    assert world.suppressed == [("email", "complaint")]
    stranger = replace(world.told(account, "bounced"), send="", address="Nobody@Example.com")
    assert ask(account.path, report(account, [stranger], world.now, nonce="2")).status == 200
    assert ("email", "hard_bounce") in world.suppressed


def test_a_late_no_does_not_undo_a_newer_yes(world: World) -> None:
    account = world.account("sendgrid")
    late = replace(world.told(account, "complained"), at=world.now - timedelta(days=2))
    assert ask(account.path, report(account, [late], world.now)).status == 200
    assert world.consents["email"] == "express"
    assert world.suppressed == []


@pytest.mark.parametrize(
    "path",
    ["/hooks/", "/hooks/sendgrid", "/hooks/sendgrid/", "/hooks/sendgrid/x", "/hooks//x", "/hooks/sendgrid/" + "A" * 32],
)
def test_a_made_up_address_is_refused_without_asking_the_database(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks.runtime, "database", lambda: pytest.fail("the database was asked"))
    assert ask(path).status == 404
    token = make_hook_token(b"x" * 32, 1, 1)
    assert ask(f"/hooks/sendgrid/{token}").status == 404


def test_who_guesses_addresses_has_to_wait(world: World) -> None:
    statuses = [ask("/hooks/sendgrid/guess", remote="203.0.113.9").status for _ in range(100)]
    assert 429 in statuses
    account = world.account("sendgrid")
    good = report(account, [world.told(account, "delivered")], world.now)
    assert ask(account.path, good, remote="192.0.2.7").status == 200


def test_an_address_belongs_to_one_provider_and_may_be_looked_at(world: World) -> None:
    account = world.account("mandrill")
    assert ask(account.path.replace("mandrill", "sendgrid"), method="GET").status == 404
    assert ask(account.path, method="HEAD").status == 200
    assert ask(account.path, method="GET").status == 200
    assert ask(account.path, method="PUT").status == 405


def test_an_address_is_replaced_without_losing_a_report(world: World) -> None:
    account = world.account("sendgrid")

    def status(url: str, nonce: str) -> int:
        moved = replace(account, url=url)
        return ask(moved.path, report(moved, [world.told(account, "delivered")], world.now, nonce=nonce)).status

    connection, context, shop = world.connection, world.context, world.shop
    both = renew_hook(connection, context, shop, account.id)
    assert both.before == account.url
    assert (status(both.now, "a"), status(both.before, "b")) == (200, 200)
    with pytest.raises(HookError):
        renew_hook(connection, context, shop, account.id)
    only = drop_old_hook(connection, context, shop, account.id)
    hooks._hooks.cache_clear()  # as after ten seconds
    assert (only.now, only.before) == (both.now, "")
    assert (status(only.now, "c"), status(account.url, "d")) == (200, 404)
    assert hook_addresses(connection, context, shop, account.id) == only


def test_a_key_is_replaced_without_losing_a_report(world: World) -> None:
    account = world.account("resend")
    newer = replace(account, key=fresh_key("resend"))

    def statuses() -> list[int]:
        hooks._hooks.cache_clear()
        told = [world.told(account, "delivered")]
        return [ask(one.path, report(one, told, world.now, nonce=one.key)).status for one in (account, newer)]

    keys = [shown("resend", one.key) for one in (account, newer)]
    for given, expected in ((keys[:1], [200, 401]), (keys, [200, 200]), (keys[1:], [401, 200]), ([], [401, 401])):
        save_hook_keys(world.connection, world.context, world.shop, account.id, " ".join(given))
        assert statuses() == expected
    assert world.events() == ["delivered"]


def test_keys_are_sealed_at_rest(world: World) -> None:
    account = world.account("mailgun", key="canary-5c1e")
    (row,) = rows(world.connection, "SELECT hook_secret FROM provider_accounts WHERE id = %s", account.id)
    assert b"canary" not in bytes(row["hook_secret"])  # type: ignore[arg-type]


def test_a_key_of_a_wrong_form_is_refused_when_it_is_typed_in(world: World) -> None:
    account = world.account("sendgrid")
    with pytest.raises(HookError, match="verification key"):
        save_hook_keys(world.connection, world.context, world.shop, account.id, "not a key")
    good = report(account, [world.told(account, "delivered")], world.now)
    assert ask(account.path, good).status == 200


def test_too_much_and_what_cannot_be_read_are_told_so(world: World) -> None:
    account = world.account("sendgrid")
    assert ask(account.path, Sealed(b"x" * (MAX_BODY + 1), {})).status == 413
    for body in (b"", b"{}", b"[" * 200_000, b"\xff\xfe", b"null"):
        assert ask(account.path, sign_sendgrid(account.key, body, world.now)).status == 400
    for body in (b"[]", b"[null, 3, [[]], {}]"):
        assert ask(account.path, sign_sendgrid(account.key, body, world.now)).status == 200
    assert world.events() == []


def test_what_the_database_cannot_hold_is_written_without_it(world: World) -> None:
    account = world.account("resend")
    sent = world.sent["email"]
    nasty = "a\0b\ud800c"
    event = {
        "type": "email.bounced", "created_at": world.now.isoformat(),
        "data": {"to": [nasty], "email_id": nasty, "tags": {"send_id": str(SendReference(sent.bucket, sent.id))},
                 "bounce": {"message": nasty, "type": "Transient", "subType": nasty}},
    }  # fmt: skip
    body = json.dumps(event).encode()
    assert ask(account.path, sign_svix(account.key, "m", body, world.now)).status in {200, 400}
    plain = body.replace(b"\\ud800", b"")
    assert ask(account.path, sign_svix(account.key, "n", plain, world.now)).status == 200
    assert world.events() == ["bounced"]


def test_a_subscription_is_confirmed_only_for_a_topic_of_ours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = world.account("ses")
    asked: list[str] = []
    known = hooks._ear()._get

    def get(url: str) -> bytes | None:
        asked.append(url)
        return known(url) or (b"<ok/>" if "ConfirmSubscription" in url else None)

    monkeypatch.setattr(hooks._ear(), "_get", get)
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"

    def confirmation(topic: str, url: str) -> Sealed:
        stamp = world.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return sign_sns(
            {
                "Type": "SubscriptionConfirmation", "MessageId": "s", "TopicArn": topic, "Token": "t",
                "Message": "confirm", "SubscribeURL": url, "Timestamp": stamp,
            }
        )  # fmt: skip

    assert ask(account.path, confirmation(TOPIC, url)).status == 200
    assert url in asked
    asked.clear()
    assert ask(account.path, confirmation(f"{TOPIC}-other", url)).status == 401
    assert ask(account.path, confirmation(TOPIC, "https://169.254.169.254/latest/meta-data")).status == 401
    assert asked == []


def test_without_the_certificate_the_provider_is_asked_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account("ses")
    monkeypatch.setattr(hooks._ear(), "_get", lambda url: None)
    answer = ask(account.path, report(account, [world.told(account, "delivered")], world.now))
    assert (answer.status, answer.headers.get("Retry-After")) == (503, "10")
    assert world.events() == []


def test_a_click_on_our_own_link_is_counted_by_the_link_itself(world: World) -> None:
    account = world.account("sendgrid")
    ours = replace(world.told(account, "clicked"), url=f"{world.context.public_url}/u/token")
    theirs = replace(world.told(account, "clicked"), url="https://fernweh.example/about")
    ask(account.path, report(account, [ours, theirs], world.now))
    assert world.events() == ["clicked"]


@pytest.mark.parametrize(
    ("country", "preferences", "noted"),
    [
        ("AT", None, []),
        ("AT", '{"clicks": false}', []),
        ("AT", '{"clicks": true}', ["clicked"]),  # nobody can agree to opens
        ("US", '{"clicks": false}', ["opened"]),
        ("US", None, ["clicked", "opened"]),
    ],
)
def test_who_opened_or_clicked_is_noted_only_where_it_may_be(
    world: World, country: str, preferences: str | None, noted: list[str]
) -> None:
    world.connection.execute("UPDATE shoppers SET country = %s, preferences = %s::jsonb", [country, preferences])
    put_waiting(world, state="uncertain")
    account = world.account("sendgrid")
    told = [replace(world.told(account, "clicked"), url="https://fernweh.example/about"), world.told(account, "opened")]
    assert ask(account.path, report(account, told, world.now)).status == 200
    assert [kind for kind in world.events() if kind in {"clicked", "opened"}] == noted
    assert rows(world.connection, "SELECT id FROM outbox") == [], "whoever opens it has it: the doubt ends all the same"
