"""Is an uncertain send settled by what its provider says, and by a person once, and is a failed one repeated once?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rekindle.engine.accounts import CatalogueAccount, save_account
from rekindle.engine.batch import PACE
from rekindle.engine.doubt import Choice, Decision, NotUncertainError, decide
from rekindle.engine.look_up import Finding, LookedUp, look_up
from rekindle.providers.http_client import HttpSettings
from rekindle.providers.http_client.egress import EgressRules
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.world import World

MARKETER, VIEWER = "marketer@fernweh.example", "viewer@fernweh.example"
LOOPBACK = HttpSettings(rules=EgressRules(allow_loopback=True))


class _Log(BaseHTTPRequestHandler):
    """A provider's log of messages, which knows what it was told to know."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        body = json.dumps(server.says).encode()
        self.send_response(server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def provider() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), _Log)
    server.asked, server.status, server.says = [], 200, {"items": []}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def by_account(world: World, send: dict[str, Any], kind: str, port: int, **values: str) -> int:
    """The send left by an account of this kind, whose API is on this machine."""
    account = CatalogueAccount(kind=kind, name=f"The {kind}", values=values)
    account_id = save_account(world.connection, world.context, world.shop, account, account_id=None, by=1)
    world.connection.execute(
        "UPDATE provider_accounts SET options = options || %s WHERE id = %s",
        [json.dumps({"base_url": f"http://127.0.0.1:{port}"}), account_id],
    )
    world.connection.execute("UPDATE outbox SET account_id = %s WHERE id = %s", [account_id, send["id"]])
    return account_id


def asked(world: World, send: dict[str, Any]) -> LookedUp:
    where = (world.connection, world.context, world.shop)
    return look_up(*where, bucket=send["bucket"], send_id=send["id"], by=MARKETER, http=LOOPBACK)


def told_of(world: World, send: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return [row for row in rows_of(world, table) if row["send_id"] == send["id"]]


def test_a_provider_that_has_the_message_settles_it(world: World, seeded: Seeded, provider: Any) -> None:
    send = seeded.uncertain[0]
    by_account(world, send, "mailgun", provider.server_port, api_key="key", domain="mg.fernweh.example")
    key = f"{send['id']}@rekindle.example"
    provider.says = {"items": [{"event": "accepted", "message": {"headers": {"message-id": key}}}]}
    assert asked(world, send) == LookedUp(Finding.TAKEN)
    (event,) = [row for row in told_of(world, send, "send_events") if row["kind"] == "handed_over"]
    assert (event["detail"]["found_by"], event["detail"]["by"]) == ("look-up", MARKETER)
    assert send["id"] not in {row["id"] for row in rows_of(world, "outbox")}
    (decision,) = [row for row in told_of(world, send, "decisions") if row["reason"] == "OPERATOR"]
    assert (decision["evidence"]["answer"], decision["evidence"]["by"]) == ("taken", MARKETER)
    assert asked(world, send) == LookedUp(Finding.SETTLED)


def test_an_answer_that_settles_nothing_leaves_it_uncertain(world: World, seeded: Seeded, provider: Any) -> None:
    send = seeded.uncertain[0]
    by_account(world, send, "postmark", provider.server_port, server_token="token")
    provider.says = {"Messages": []}
    assert asked(world, send).finding is Finding.UNKNOWN
    (row,) = [row for row in rows_of(world, "outbox") if row["id"] == send["id"]]
    assert row["state"] == "uncertain"
    (decision,) = [row for row in told_of(world, send, "decisions") if row["reason"] == "OPERATOR"]
    assert decision["evidence"]["answer"] == "unknown"


def test_nobody_is_asked_before_a_no_would_be_certain(world: World, seeded: Seeded, provider: Any) -> None:
    send = seeded.uncertain[0]
    by_account(world, send, "mailgun", provider.server_port, api_key="key", domain="mg.fernweh.example")
    at = world.clock.now() - timedelta(minutes=1)
    world.connection.execute("UPDATE outbox SET uncertain_at = %s WHERE id = %s", [at, send["id"]])
    assert asked(world, send) == LookedUp(Finding.TOO_EARLY, at + PACE.settle_time)
    assert provider.asked == []
    path = world.path(f"sends/{send['bucket']}/{send['id']}/settle")
    assert "too early" in world.as_(MARKETER).post(path, {"choice": "look_up"}, follow=True).text


def test_a_provider_that_cannot_be_asked_is_said(world: World, seeded: Seeded, provider: Any) -> None:
    send = seeded.uncertain[0]
    path = world.path(f"sends/{send['bucket']}/{send['id']}/settle")
    assert "cannot be asked" in world.as_(MARKETER).post(path, {"choice": "look_up"}, follow=True).text
    by_account(world, send, "sendgrid", provider.server_port, api_key="key")
    assert asked(world, send).finding is Finding.CANNOT_ASK
    assert "The sendgrid" in world.as_(MARKETER).get(world.path("sends/open/")).text


def failed_of(world: World, seeded: Seeded) -> dict[str, Any]:
    (found, *_) = [row for row in rows_of(world, "send_events") if row["kind"] == "failed"]
    (send,) = [row for row in rows_of(world, "sends") if row["id"] == found["send_id"]]
    return send


def test_a_failed_send_is_repeated_once_and_decided_anew(world: World, seeded: Seeded) -> None:
    send, client = failed_of(world, seeded), world.as_(MARKETER)
    path = world.path(f"sends/{send['bucket']}/{send['id']}/settle")
    assert world.as_(VIEWER).post(path, {"choice": "repeat_failed"}).status_code == 403
    before = len(rows_of(world, "outbox"))
    assert "A new message takes its place" in client.post(path, {"choice": "repeat_failed"}, follow=True).text
    assert len(rows_of(world, "outbox")) == before + 1
    told = [row for row in told_of(world, send, "send_events") if row["kind"] == "resent"]
    assert [row["detail"]["by"] for row in told] == [MARKETER]
    assert "not open any more" in client.post(path, {"choice": "repeat_failed"}, follow=True).text
    assert len(rows_of(world, "outbox")) == before + 1


@pytest.mark.parametrize("what", ["sent", "uncertain", "given up", "of another shop"])
def test_only_what_certainly_failed_is_repeated(world: World, seeded: Seeded, what: str) -> None:
    """A send that was given up may have arrived: repeating it is nobody's safe choice."""
    shop, send = world.shop, failed_of(world, seeded)
    if what == "sent":
        done = next(row for row in rows_of(world, "send_events") if row["kind"] == "handed_over")
        send = next(row for row in rows_of(world, "sends") if row["id"] == done["send_id"])
    elif what == "of another shop":
        shop = world.other
    else:
        send = seeded.uncertain[0]
    where = {"shop": shop, "bucket": send["bucket"], "send_id": send["id"], "by": MARKETER}
    if what == "given up":
        decide(world.connection, world.context, Decision(**where, choice=Choice.GIVE_UP))
    before = rows_of(world, "outbox")
    with pytest.raises(NotUncertainError):
        decide(world.connection, world.context, Decision(**where, choice=Choice.REPEAT_FAILED))
    assert rows_of(world, "outbox") == before
