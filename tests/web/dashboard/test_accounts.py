"""Can an owner enter, order, stop and try provider accounts, with secrets that never come back out?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rekindle.engine.hooks import load_hook
from rekindle.engine.route import secret_owner
from rekindle.engine.try_account import try_account
from rekindle.lib.vault import open_sealed
from rekindle.providers.catalogue import KINDS
from rekindle.providers.http_client import HttpSettings
from rekindle.providers.http_client.egress import EgressRules
from rekindle.simulate.inbox.inbox import Inbox
from rekindle.store.provider_accounts import account_of_shop, accounts_of_shop
from rekindle.terms.route_limits import parse_route_limits
from tests.web.seed import Seeded
from tests.web.world import World

OWNER, VIEWER = "owner@fernweh.example", "viewer@fernweh.example"
SMTP = {
    "account-name": "",
    "account-host": "smtp.example.com",
    "account-port": "587",
    "account-tls": "starttls",
    "account-username": "u",
    "account-connections": "3",
    "account-password": "geheim",
}
HERE = {"account-host": "127.0.0.1", "account-tls": "none", "account-username": "", "account-password": ""}
SENDGRID = {"account-name": "SendGrid EU", "account-api_key": "SG.geheim", "account-base_url": ""}


def add(world: World, kind: str, typed: dict[str, str]) -> int:
    answer = world.as_(OWNER).post(world.path(f"accounts/new/{kind}"), typed)
    assert answer.status_code == 302, answer.text
    return int(answer.headers["Location"].rstrip("/").rpartition("/")[2])


def one(world: World, account_id: int) -> Any:
    return account_of_shop(world.connection, world.shop.id, account_id)


def secret_of(world: World, account_id: int) -> bytes:
    row = world.connection.execute("SELECT secret FROM provider_accounts WHERE id = %s", [account_id]).fetchone()
    assert row is not None
    return open_sealed(world.context.vault_key, bytes(row[0]), secret_owner(world.shop.id))


def order(world: World) -> list[tuple[str, int]]:
    return [(line.name, line.position) for line in accounts_of_shop(world.connection, world.shop.id, "email")]


def test_a_password_is_sealed_kept_and_never_shown(world: World) -> None:
    client = world.as_(OWNER)
    assert "no e-mail can go out" in client.get(world.path("accounts/")).text
    account_id = add(world, "smtp", SMTP)
    page = client.get(world.path(f"accounts/{account_id}/")).text
    assert "geheim" not in page
    assert "smtp.example.com" in page
    changed = {**SMTP, "account-host": "mail2.example.com", "account-password": ""}
    client.post(world.path(f"accounts/{account_id}/"), changed)
    assert one(world, account_id).options == {
        "host": "mail2.example.com", "port": 587, "tls": "starttls", "username": "u", "connections": 3
    }  # fmt: skip
    assert secret_of(world, account_id) == b"geheim"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", ""),
        ("host", "https://smtp.example.com"),
        ("host", "a b"),
        ("port", "0"),
        ("port", "99999"),
        ("tls", "maybe"),
        ("connections", "0"),
        ("connections", "65"),
        ("tls", "none"),  # with a user name: the password would go in clear text
    ],
)
def test_an_smtp_account_that_cannot_work_is_refused(world: World, field: str, value: str) -> None:
    answer = world.as_(OWNER).post(world.path("accounts/new/smtp"), {**SMTP, f"account-{field}": value})
    assert answer.status_code == 422
    assert "geheim" not in answer.text
    assert world.connection.execute("SELECT count(*) FROM provider_accounts").fetchone() == (0,)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_form_of_its_fields(world: World, kind: str) -> None:
    client = world.as_(OWNER)
    page = client.get(world.path(f"accounts/new/{kind}")).text
    for field in KINDS[kind].fields:
        assert f'name="account-{field.name}"' in page
    required = [field for field in KINDS[kind].fields if field.default is None and field.make is None]
    answer = client.post(world.path(f"accounts/new/{kind}"), {})
    assert answer.status_code == (422 if required else 302)
    assert client.get(world.path("accounts/new/pigeon")).status_code == 404


def test_an_api_key_is_sealed_apart_from_the_rest(world: World) -> None:
    account_id = add(world, "sendgrid", SENDGRID)
    assert (one(world, account_id).name, one(world, account_id).options) == ("SendGrid EU", {})
    assert json.loads(secret_of(world, account_id)) == {"api_key": "SG.geheim"}
    client = world.as_(OWNER)
    assert "SG.geheim" not in client.get(world.path(f"accounts/{account_id}/")).text
    kept = {**SENDGRID, "account-api_key": "", "account-base_url": "https://api.eu.sendgrid.com"}
    assert client.post(world.path(f"accounts/{account_id}/"), kept).status_code == 302
    assert one(world, account_id).options == {"base_url": "https://api.eu.sendgrid.com"}
    assert json.loads(secret_of(world, account_id)) == {"api_key": "SG.geheim"}
    refused = client.post(world.path(f"accounts/{account_id}/"), {**kept, "account-base_url": "ftp://somewhere"})
    assert refused.status_code == 422
    assert one(world, account_id).options == {"base_url": "https://api.eu.sendgrid.com"}


def test_accounts_change_places_and_share_a_turn(world: World) -> None:
    first, second = add(world, "smtp", {**SMTP, "account-name": "A"}), add(world, "smtp", {**SMTP, "account-name": "B"})
    client = world.as_(OWNER)
    assert order(world) == [("A", 0), ("B", 1)]
    client.post(world.path(f"accounts/{second}/move"), {"direction": "up"})
    assert order(world) == [("B", 0), ("A", 1)]
    route = {"route-turn": "1", "route-weight": "25", "route-per_second": "2.5", "route-per_day": ""}
    assert client.post(world.path(f"accounts/{first}/route"), route).status_code == 302
    assert {place for _, place in order(world)} == {0}
    assert (one(world, first).weight, one(world, first).limits) == (25, {"per_second": 2.5})
    assert "shares: 20%" in client.get(world.path("accounts/")).text
    client.post(world.path(f"accounts/{first}/move"), {"direction": "up"})
    assert order(world) == [("A", 0), ("B", 1)]
    for wrong in ({"route-turn": "0"}, {"route-weight": "5000"}, {"route-per_second": "-1"}):
        assert client.post(world.path(f"accounts/{first}/route"), {**route, **wrong}).status_code == 422
    assert client.post(world.path(f"accounts/{first}/move"), {"direction": "sideways"}).status_code == 400


ROUTE = {"route-turn": "1", "route-weight": "100", "route-per_second": "", "route-per_day": "9"}


def test_limits_towards_mailboxes_and_a_warm_up_are_kept_and_shown(world: World) -> None:
    account_id, client = add(world, "smtp", SMTP), world.as_(OWNER)
    path = world.path(f"accounts/{account_id}/route")
    typed = {"route-mailboxes": "gmail 5/s 2000/day\r\n\r\nGMX.de 100/day", "route-started_on": "2026-03-02"}
    assert client.post(path, {**ROUTE, **typed, "route-warm_up": "50, 100 200"}).status_code == 302
    limits = {
        "per_day": 9,
        "mailboxes": {"gmail": {"per_second": 5.0, "per_day": 2000}, "gmx.de": {"per_day": 100}},
        "warm_up": {"started_on": "2026-03-02", "per_day": [50, 100, 200]},
    }
    assert one(world, account_id).limits == limits
    assert parse_route_limits(limits).warm_up is not None
    page = client.get(world.path(f"accounts/{account_id}/")).text
    assert "gmail 5/s 2000/day" in page
    assert "50, 100, 200" in page
    client.post(path, ROUTE)
    assert one(world, account_id).limits == {"per_day": 9}


@pytest.mark.parametrize(
    "typed",
    [
        {"route-mailboxes": "gmail"},
        {"route-mailboxes": "gmail fast"},
        {"route-mailboxes": "not_a_domain! 5/s"},
        {"route-mailboxes": "gmail 0/day"},
        {"route-started_on": "2026-03-02"},
        {"route-warm_up": "50, 100"},
        {"route-started_on": "2026-03-02", "route-warm_up": "50, many"},
        {"route-started_on": "tomorrow", "route-warm_up": "50"},
    ],
)
def test_limits_that_mean_nothing_are_refused(world: World, typed: dict[str, str]) -> None:
    account_id = add(world, "smtp", SMTP)
    answer = world.as_(OWNER).post(world.path(f"accounts/{account_id}/route"), {**ROUTE, **typed})
    assert answer.status_code == 422
    assert one(world, account_id).limits is None


def test_a_sandbox_says_that_it_reaches_nobody(world: World) -> None:
    world.connection.execute(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, 'email', 'sandbox', 'Sandbox', '{}', '', 0, true, '')",
        [world.shop.id],
    )
    assert "sends to nobody" in world.as_(OWNER).get(world.path("accounts/")).text
    (line,) = accounts_of_shop(world.connection, world.shop.id, "email")
    page = world.as_(OWNER).get(world.path(f"accounts/{line.id}/")).text
    assert "reaches anybody" in page
    assert "does not know such accounts" not in page


def test_a_server_without_a_password_has_no_secret(world: World) -> None:
    account_id = add(world, "smtp", {**SMTP, **HERE})
    assert not one(world, account_id).has_secret
    assert "stored; leave empty" not in world.as_(OWNER).get(world.path(f"accounts/{account_id}/")).text


def test_an_account_is_stopped_started_and_switched_off(world: World) -> None:
    account_id, client = add(world, "smtp", SMTP), world.as_(OWNER)
    page = world.path(f"accounts/{account_id}/")
    for switch, label in (("stop", "Stopped"), ("start", "Ready"), ("off", "Switched off"), ("on", "Ready")):
        client.post(world.path(f"accounts/{account_id}/switch"), {"to": switch})
        assert label in client.get(page).text
    client.post(world.path(f"accounts/{account_id}/switch"), {"to": "off"})
    client.post(page, {**SMTP, "account-password": ""})
    assert not one(world, account_id).enabled  # a new password switches nothing on
    assert client.post(world.path(f"accounts/{account_id}/switch"), {"to": "up"}).status_code == 404


@pytest.mark.parametrize(
    ("kind", "minutes", "label"),
    [
        ("back_off", 5, "Pausing"),
        ("operator", 60, "Refused"),
        ("breaker", 5, "Breaker open"),
        ("breaker", -5, "On trial"),
    ],
)
def test_why_an_account_pauses_is_said(world: World, kind: str, minutes: int, label: str) -> None:
    account_id = add(world, "smtp", SMTP)
    world.connection.execute(
        "UPDATE provider_accounts SET paused_until = %s, pause_kind = %s, paused_reason = '401 key revoked' WHERE id = %s",
        [world.clock.now() + timedelta(minutes=minutes), kind, account_id],
    )
    text = world.as_(VIEWER).get(world.path("accounts/")).text
    assert label in text
    assert "401 key revoked" in text


def test_a_viewer_reads_and_nobody_reaches_another_shop(world: World) -> None:
    account_id = add(world, "sendgrid", SENDGRID)
    viewer = world.as_(VIEWER)
    assert viewer.get(world.path(f"accounts/{account_id}/")).status_code == 200
    assert "Add an account" not in viewer.get(world.path("accounts/")).text
    assert viewer.post(world.path(f"accounts/{account_id}/"), SENDGRID).status_code == 403
    stranger = world.as_("owner@kaffee.example")
    for path in ("", "move", "route", "switch", "test"):
        answer = stranger.post(
            world.path(f"accounts/{account_id}/{path}", world.other), {"direction": "up", "to": "off"}
        )
        assert answer.status_code == 404, path
    assert one(world, account_id).enabled


def test_the_hook_is_shown_to_owners_and_its_key_to_nobody(world: World) -> None:
    account_id, client = add(world, "resend", {"account-api_key": "re_geheim"}), world.as_(OWNER)
    page, hook = world.path(f"accounts/{account_id}/"), world.path(f"accounts/{account_id}/hook")
    address = client.get(page).context["hook"].addresses.now
    assert address.startswith("https://rekindle.example/hooks/resend/")
    assert address not in world.as_(VIEWER).get(page).text
    assert "No report is believed" in client.get(page).text
    key = "whsec_" + "QUJD" * 8
    client.post(hook, {"do": "keys", "keys": key})
    text = client.get(page).text
    assert "No report is believed" not in text
    assert key not in text
    loaded = load_hook(world.connection, world.context, account_id, {})
    assert loaded is not None
    assert loaded.receiver is not None
    assert "too many keys" in client.post(hook, {"do": "keys", "keys": "a b c d e"}, follow=True).text
    client.post(hook, {"do": "renew"})
    addresses = client.get(page).context["hook"].addresses
    assert (addresses.before, addresses.now == address) == (address, False)
    client.post(hook, {"do": "drop"})
    assert client.get(page).context["hook"].addresses.before == ""
    assert client.post(hook, {"do": "anything"}).status_code == 404
    assert world.as_("owner@kaffee.example").post(
        world.path(f"accounts/{account_id}/hook", world.other), {"do": "renew"}
    ).status_code == 404  # fmt: skip


def test_the_test_letter_reaches_a_real_server_and_is_counted_nowhere(world: World, seeded: Seeded) -> None:
    client = world.as_(OWNER)
    before = world.connection.execute("SELECT count(*) FROM send_events").fetchone()
    inbox = Inbox().start()
    try:
        account_id = add(world, "smtp", {**SMTP, **HERE, "account-port": str(inbox.smtp_port)})
        path = world.path(f"accounts/{account_id}/test")
        answer = client.post(path, {"to": "Me@Fernweh.example"})
        client.post(path, {"to": "me@fernweh.example"})
        letter, again = inbox.wait_for(count=2)
    finally:
        inbox.stop()
    assert "The provider took the message" in answer.text
    assert (letter.sender, letter.recipients) == ("shop@fernweh.example", ("me@fernweh.example",))
    assert letter.subject == "Your cart at Fernweh Outdoor"
    assert letter.header("Message-ID") != again.header("Message-ID")  # or a mailbox shows only the first
    assert world.connection.execute("SELECT count(*) FROM send_events").fetchone() == before


def test_a_server_that_is_not_there_is_said_in_words(world: World) -> None:
    client = world.as_(OWNER)
    account_id = add(world, "smtp", {**SMTP, **HERE, "account-port": "9"})
    answer = client.post(world.path(f"accounts/{account_id}/test"), {"to": "me@fernweh.example"})
    assert answer.status_code == 200
    assert "could not be used" in answer.text
    assert client.post(world.path(f"accounts/{account_id}/test"), {"to": "nobody"}).status_code == 422


class _Api(BaseHTTPRequestHandler):
    """Takes one request after another and answers as its server was told."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.status)
        self.send_header("X-Message-Id", "abc.123")
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), _Api)
    server.got, server.status, server.body = [], 202, b""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "worked", "said"),
    [
        (202, b"", True, "abc.123"),
        (
            401,
            b'{"errors": [{"message": "The provided authorization grant is invalid"}]}',
            False,
            "authorization grant",
        ),
        (400, b'{"errors": [{"message": "The from address does not match"}]}', False, "does not match"),
    ],
)
def test_the_answer_of_an_api_is_shown(
    world: World, seeded: Seeded, api: Any, status: int, body: bytes, worked: bool, said: str
) -> None:
    url = f"http://127.0.0.1:{api.server_port}"
    account_id = add(world, "sendgrid", SENDGRID)
    world.connection.execute(
        "UPDATE provider_accounts SET options = %s WHERE id = %s", [json.dumps({"base_url": url}), account_id]
    )
    api.status, api.body = status, body
    (version,) = world.connection.execute("SELECT min(published_version_id) FROM templates").fetchone() or (None,)
    trial = try_account(
        world.connection,
        world.context,
        world.shop,
        account_id=account_id,
        to="me@fernweh.example",
        version_id=version,
        http=HttpSettings(rules=EgressRules(allow_loopback=True)),
    )
    assert (trial.worked, said in f"{trial.text} {trial.answer}") == (worked, True), trial
    ((path, sent),) = api.got
    assert path == "/v3/mail/send"
    assert b"me@fernweh.example" in sent
