"""What goes to push services, what their answers mean for a device, and where nothing may be sent."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from rekindle.lib.push_endpoint import is_push_endpoint
from rekindle.providers.base import (
    Accepted,
    Device,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    PushProvider,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import Answer, EgressRules
from rekindle.providers.push.combine import combined
from rekindle.providers.push.web_push import WebPush, WebPushProvider
from tests.providers.apis import CLOCK, local_client
from tests.providers.http_server import HANG, RESET, Got, Reply, serving
from tests.providers.letters import run
from tests.providers.push_kit import VAPID_KEY, Browser, push, rules_for, send, taken

ACCOUNT = WebPush(private_key=VAPID_KEY, subject="mailto:shop@example.com", clock=CLOCK)
DEVICE = Browser().device("https://web.push.apple.com/abc")


def provider(url: str, **changes: Any) -> WebPushProvider:
    return WebPushProvider(local_client(rules=rules_for(url), **changes), ACCOUNT)


def test_a_browser_can_read_what_arrives() -> None:
    async def work() -> None:
        async with serving(taken, taken) as server:
            one = provider(server.url)
            assert isinstance(one, PushProvider)
            await one.open()
            browser, other = Browser(), Browser(auth=b"f" * 16)
            message = push(browser.device(f"{server.url}/s/1"), other.device(f"{server.url}/s/2", "d2"))
            assert await send(one, message) == [Accepted("", "201 (2 of 2 devices)")]
            by_target = {got.target: got for got in server.got}
            shown = browser.read(by_target["/s/1"].body)
            assert shown == other.read(by_target["/s/2"].body)
            assert shown["title"] == message.title
            assert shown["body"] == message.body
            assert shown["url"] == message.url
            assert shown["actions"] == [{"title": "Zum Korb", "url": message.url}]
            headers = by_target["/s/1"].headers
            assert headers["ttl"] == "14400"
            assert headers["urgency"] == "normal"
            assert headers["topic"] == message.topic
            assert headers["content-encoding"] == "aes128gcm"
            assert headers["content-type"] == "application/octet-stream"
            assert headers["authorization"].startswith("vapid t=ey")
            await one.close()

    run(work())


def said(status: int, body: object = b"", **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ACCOUNT.outcome(Answer(status, {k.replace("_", "-"): v for k, v in headers.items()}, raw), DEVICE)


@pytest.mark.parametrize(
    ("answer", "kind", "fault_or_pause"),
    [
        (said(201), Accepted, None),
        (said(404), Rejected, Fault.RECIPIENT),
        (said(410, {"errno": 106}), Rejected, Fault.RECIPIENT),
        (said(400, {"errno": 105}), Rejected, Fault.RECIPIENT),
        (said(403, {"reason": "VapidPkHashMismatch"}), Rejected, Fault.RECIPIENT),
        (
            said(403, b"the VAPID credentials do not correspond to the credentials used to create the subscriptions."),
            Rejected,
            Fault.RECIPIENT,
        ),
        (said(403, {"reason": "BadJwtToken"}), NotStarted, Pause.OPERATOR),
        (said(401, {"errno": 109, "message": "Invalid Authorization Header"}), NotStarted, Pause.OPERATOR),
        (said(413), Rejected, Fault.LETTER),
        (said(400, {"errno": 110}), Rejected, Fault.LETTER),
        (said(429, retry_after="120"), NotStarted, Pause.NONE),
        (said(503), NotStarted, Pause.NONE),
        (said(500), Uncertain, None),
        (said(502), Uncertain, None),
        (said(200, b"<html>"), Accepted, None),
    ],
)
def test_answers_of_push_services(answer: Outcome, kind: type[Outcome], fault_or_pause: object) -> None:
    assert type(answer) is kind
    if isinstance(answer, Rejected):
        assert answer.permanent
        assert answer.fault is fault_or_pause
    if isinstance(answer, NotStarted):
        assert answer.pause is fault_or_pause


def test_a_wrong_signature_never_costs_a_subscription() -> None:
    """Only an answer that names the key does: else one wrong clock would empty a shop's list."""
    for status in (400, 401, 403):
        for body in (b"", b"<html>", b'{"reason":"ExpiredJwtToken"}', b"UnauthorizedRegistration"):
            outcome = said(status, body)
            assert not (isinstance(outcome, Rejected) and outcome.fault is Fault.RECIPIENT)


def test_one_service_that_asks_for_patience_holds_up_nobody_else() -> None:
    async def work() -> None:
        async with serving(Reply.of(429, Retry_After="120")) as slow, serving(taken, taken) as fine:
            rules = EgressRules(allow_loopback=True, push_hosts=(slow.url, fine.url))
            one = WebPushProvider(local_client(rules=rules), ACCOUNT)
            browser = Browser()
            there = push(browser.device(f"{fine.url}/s"), send_id="a")
            waits = push(browser.device(f"{slow.url}/s"), send_id="b")
            first = await send(one, there, waits)
            assert [type(outcome) for outcome in first] == [Accepted, NotStarted]
            again = await send(one, waits, there)
            assert [type(outcome) for outcome in again] == [NotStarted, Accepted]
            assert isinstance(again[0], NotStarted)
            assert again[0].retry_after_s is not None
            assert 100 < again[0].retry_after_s <= 120
            assert len(slow.got) == 1, "it was not asked a second time"
            await one.close()

    run(work())


def test_gone_devices_are_named_and_the_others_still_count() -> None:
    async def work() -> None:
        def answer(got: Got) -> Reply:
            return Reply.of(410) if got.target == "/gone" else taken(got)

        async with serving() as server:
            server.otherwise = answer
            one, browser = provider(server.url), Browser()
            there, gone = browser.device(f"{server.url}/there", "d1"), browser.device(f"{server.url}/gone", "d2")
            assert await send(one, push(there, gone)) == [Accepted("", "201 (1 of 2 devices)", ("d2",))]
            (outcome,) = await send(one, push(gone))
            assert isinstance(outcome, Rejected)
            assert (outcome.permanent, outcome.fault, outcome.gone) == (True, Fault.RECIPIENT, ("d2",))
            await one.close()

    run(work())


@pytest.mark.parametrize("reply", [RESET, HANG, Reply(b"rubbish\r\n\r\n", "close")])
def test_a_lost_answer_is_a_doubt(reply: Reply) -> None:
    async def work() -> None:
        async with serving(reply) as server:
            one = provider(server.url, answer_s=0.2 if reply is HANG else 30.0)
            (outcome,) = await send(one, push(Browser().device(f"{server.url}/s")))
            assert isinstance(outcome, Uncertain)
            await one.close()

    run(work())


def test_a_service_that_is_down_starts_nothing_and_costs_no_attempt() -> None:
    async def work() -> None:
        one = provider("http://127.0.0.1:1")
        (outcome,) = await send(one, push(Browser().device("http://127.0.0.1:1/s")))
        assert isinstance(outcome, NotStarted)
        assert outcome.pause is Pause.NONE
        await one.close()

    run(work())


def test_more_devices_than_connections_leave_the_rest_for_the_next_wave() -> None:
    async def work() -> None:
        async with serving() as server:
            server.otherwise = taken
            one, browser = provider(server.url, connections=3), Browser()
            two = [browser.device(f"{server.url}/{n}", str(n)) for n in range(2)]
            messages = [push(*two, send_id=str(n)) for n in range(3)]
            one.expect(messages)
            assert await one.prepare(3) == 1
            (outcome,) = [await future for future in one.start(messages[:1])]
            assert outcome == Accepted("", "201 (2 of 2 devices)")
            await one.close()

    run(work())


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://user@fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://localhost/x",
        "https://.notify.windows.com/x",
        "https://a.b.notify.windows.com/x",
        "https://notify.windows.com/x",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com/x\r\nHost: y",
        "https://fcm.googleapis.com\\@evil.example/",
        "gopher://fcm.googleapis.com/x",
        "",
        "https://fcm.googleapis.com/" + "x" * 2_000,
    ],
)
def test_nothing_is_sent_to_an_address_that_is_no_push_service(endpoint: str) -> None:
    assert not is_push_endpoint(endpoint)

    async def work() -> None:
        one = WebPushProvider(local_client(rules=EgressRules()), ACCOUNT)
        (outcome,) = await send(one, push(Browser().device(endpoint)))
        assert isinstance(outcome, Rejected)
        assert (outcome.permanent, outcome.fault, outcome.gone) == (True, Fault.LETTER, ())
        await one.close()

    run(work())


def test_a_known_name_that_leads_inside_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async def inside(*_: object, **__: object) -> list[tuple[object, ...]]:
            return [(None, None, None, None, ("10.0.0.7", 443))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside)
        one = WebPushProvider(local_client(rules=EgressRules()), ACCOUNT)
        (outcome,) = await send(one, push(Browser().device("https://wns2-x.notify.windows.com/w")))
        assert isinstance(outcome, NotStarted)
        assert "may not be called" in outcome.detail
        await one.close()

    run(work())


def test_names_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async def nobody(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
        client = local_client(rules=EgressRules(push_hosts=(".invalid",)))
        one, browser = WebPushProvider(client, ACCOUNT), Browser()
        for start in range(0, 240, 80):
            await send(
                one, *(push(browser.device(f"https://h{start + n}.invalid/s"), send_id=str(n)) for n in range(80))
            )
        assert len(client._pools) <= 144
        await one.close()
        assert client._pools == {}

    run(work())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"valid_for_s": 0}, "expired"),
        ({"topic": ""}, "topic"),
        ({"topic": "a" * 33}, "topic"),
        ({"topic": "a b"}, "topic"),
        ({"body": "x" * 4_000}, "413"),
        ({"title": "\ud800"}, "encoding"),
    ],
)
def test_what_cannot_be_sent_says_why(changes: dict[str, Any], code: str) -> None:
    async def work() -> None:
        one = provider("http://127.0.0.1:1")
        (outcome,) = await send(one, push(Browser().device("http://127.0.0.1:1/s"), **changes))
        assert isinstance(outcome, Rejected)
        assert (outcome.code, outcome.permanent, outcome.fault) == (code, True, Fault.LETTER)
        await one.close()

    run(work())


def test_a_device_whose_key_is_none_is_gone() -> None:
    async def work() -> None:
        one = provider("http://127.0.0.1:1")
        broken = Device(id="d1", address="http://127.0.0.1:1/s", public_key=b"\x04" + b"\1" * 64, auth=b"0" * 16)
        (outcome,) = await send(one, push(broken))
        assert isinstance(outcome, Rejected)
        assert outcome.gone == ("d1",)
        await one.close()

    run(work())


NO, LATER = Rejected(True, "410", "", Fault.RECIPIENT), NotStarted("429", "", Pause.NONE, 5.0)
PASSING, LONG = Rejected(False, "500", "", Fault.PROVIDER), Rejected(True, "413", "", Fault.LETTER)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], Rejected(True, "no_device", "the message is for no device", Fault.LETTER)),
        ([NO, Accepted("x", "201"), Uncertain("?")], Accepted("x", "201 (1 of 3 devices)", ("0",))),
        ([NO, LATER, Uncertain("?")], Uncertain("?")),
        ([NO, LATER, PASSING], LATER),
        ([NO, LONG, PASSING], Rejected(False, "500", "", Fault.PROVIDER, ("0",))),
        ([NO, LONG], Rejected(True, "413", "", Fault.LETTER, ("0",))),
        ([NO, NO], Rejected(True, "410", "", Fault.RECIPIENT, ("0", "1"))),
    ],
)
def test_several_answers_make_one_outcome(answers: list[Outcome], expected: Outcome) -> None:
    devices = [Device(id=str(place), address="x") for place in range(len(answers))]
    assert combined(list(zip(devices, answers, strict=True))) == expected


@pytest.mark.parametrize("subject", ["", "shop@example.com", "mailto:shop", "http://shop.example", "mailto:a@b.c d"])
def test_a_contact_has_to_be_one(subject: str) -> None:
    with pytest.raises(ValueError, match="contact"):
        WebPush(private_key=VAPID_KEY, subject=subject)
