"""Is every mail that the inbox accepts over SMTP there, readable, bounded, and harmless?"""

from __future__ import annotations

import http.client
import json
import smtplib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from rekindle.lib.clock import MovableClock
from rekindle.simulate.inbox.inbox import Inbox
from rekindle.simulate.inbox.mailbox import Mailbox
from rekindle.simulate.inbox.received import ReceivedMail, parse
from rekindle.simulate.serve_wsgi import Site

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def inbox(clock: MovableClock) -> Iterator[Inbox]:
    running = Inbox(clock=clock).start()
    yield running
    running.stop()


def letter(subject: str = "Your cart", *, to: str = "ada@example.com", html: str = "", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Fernweh <shop@example.com>", to, subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Hello Ada,\nyour mug waits.")
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def send(inbox: Inbox, *mails: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, timeout=60) as smtp:
        for mail in mails:
            smtp.send_message(mail)


def ask(inbox: Inbox, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", inbox.http_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.headers), body


def ask_json(inbox: Inbox, path: str) -> Any:
    return json.loads(ask(inbox, "GET", path)[2])


def test_an_accepted_mail_is_there_with_all_its_parts(inbox: Inbox, clock: MovableClock) -> None:
    html = '<p>Ümlaut</p><a href="https://shop.example/r/tok">back</a><a name="x">no link</a>'
    send(inbox, letter("Grüße „Ada“", html=html, List_Unsubscribe="<mailto:x@y.example>, <http://127.0.0.1:9/u>"))
    [mail] = inbox.messages
    assert mail.subject == "Grüße „Ada“"
    assert mail.recipients == ("ada@example.com",)
    assert mail.sender == "shop@example.com"
    assert mail.text == "Hello Ada,\nyour mug waits.\n"
    assert "<p>Ümlaut</p>" in mail.html
    assert mail.links == ("https://shop.example/r/tok",)
    assert mail.received_at == clock.now()
    assert mail.preview == "Hello Ada, your mug waits."
    assert mail.header("list-unsubscribe") == "<mailto:x@y.example>, <http://127.0.0.1:9/u>"
    assert mail.one_click_url == ""


def test_waiting_returns_the_moment_the_mail_is_there(inbox: Inbox) -> None:
    found: list[ReceivedMail] = []
    waiting = threading.Thread(
        target=lambda: found.extend(inbox.wait_for(lambda mail: mail.to == "bob@example.com", timeout_s=60))
    )
    waiting.start()
    send(inbox, letter(), letter("For Bob", to="bob@example.com"))
    waiting.join(60)
    assert [mail.subject for mail in found] == ["For Bob"]


def test_waiting_in_vain_says_what_did_arrive(inbox: Inbox) -> None:
    send(inbox, letter())
    with pytest.raises(TimeoutError, match=r"expected 2 mail within 0.01 s, got 1; arrived: 'Your cart' to ada@"):
        inbox.wait_for(count=2, timeout_s=0.01)


def test_stopping_lets_go_of_those_who_wait() -> None:
    mailbox = Mailbox()
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(TimeoutError):
            mailbox.wait_for(timeout_s=600)
        ended.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    mailbox.close()
    assert ended.wait(30)
    waiting.join(30)


def test_only_the_newest_mail_is_kept() -> None:
    mailbox = Mailbox(capacity=3)
    for _ in range(5):
        mailbox.add(lambda number: parse(b"Subject: x\n\n", number=number, received_at=NOON))
    assert [mail.number for mail in mailbox.messages] == [3, 4, 5]
    assert mailbox.find(1) is None
    mailbox.clear()
    assert mailbox.messages == ()


def test_mail_of_many_senders_at_once_is_complete(inbox: Inbox) -> None:
    senders = [threading.Thread(target=send, args=(inbox, *(letter(f"{s}-{n}") for n in range(10)))) for s in range(5)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
    assert {mail.subject for mail in inbox.messages} == {f"{s}-{n}" for s in range(5) for n in range(10)}
    assert [mail.number for mail in inbox.messages] == list(range(1, 51))


def test_a_recipient_can_be_refused(clock: MovableClock) -> None:
    running = Inbox(clock=clock, refuse=lambda address: "550 5.1.1 no such mailbox" if "bob" in address else None)
    running.start()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(running, letter(to="bob@example.com"))
    send(running, letter())
    assert [mail.to for mail in running.messages] == ["ada@example.com"]
    running.stop()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no headers at all",
        b"Subject: =?utf-8?b?broken\nContent-Type: text/html; charset=no-such-charset\n\n\xff<p>x",
        b"Content-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\n\xff\xfe",
        b"Subject: a\n b\n\n" + b"x" * 100_000,
    ],
)
def test_broken_mail_is_kept_as_it_came(raw: bytes) -> None:
    mail = parse(raw, number=1, received_at=NOON, recipients=("ada@example.com",))
    assert mail.raw == raw
    assert mail.to == "ada@example.com"
    assert isinstance(mail.html + mail.text + mail.subject, str)
    assert mail.links == ()


def test_the_json_lists_filters_and_waits(inbox: Inbox) -> None:
    send(inbox, letter("one"), letter("two", to="bob@example.com"))
    listed = ask_json(inbox, "/api/messages")["messages"]
    assert [(mail["id"], mail["subject"]) for mail in listed] == [(1, "one"), (2, "two")]
    assert [mail["id"] for mail in ask_json(inbox, "/api/messages?after=1")["messages"]] == [2]
    assert [mail["id"] for mail in ask_json(inbox, "/api/messages?to=BOB@example.com")["messages"]] == [2]
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(ask_json(inbox, "/api/messages?after=2&wait=60")))
    waiting.start()
    send(inbox, letter("three"))
    waiting.join(60)
    assert [mail["subject"] for mail in answers[0]["messages"]] == ["three"]
    whole = ask_json(inbox, "/api/messages/1")
    assert whole["text"].startswith("Hello Ada")
    assert ["Subject", "one"] in whole["headers"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/messages?after=x", 400),
        ("/api/messages?wait=-1", 400),
        ("/api/messages?after=²", 400),
        ("/api/messages/99", 404),
        ("/messages/²", 404),
        ("/static/../inbox.py", 404),
        ("/nowhere", 404),
    ],
)
def test_odd_addresses_are_refused(inbox: Inbox, path: str, status: int) -> None:
    assert ask(inbox, "GET", path.replace("²", "%C2%B2"))[0] == status


def test_the_mail_itself_is_served_under_a_policy_that_lets_it_do_nothing(inbox: Inbox) -> None:
    send(inbox, letter(html="<html><HEAD><title>t</title></HEAD><body><script>alert(1)</script></body></html>"))
    _, headers, body = ask(inbox, "GET", "/messages/1/body")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';")
    assert "script" not in policy
    assert '<HEAD><base target="_blank"><title>' in body
    page = ask(inbox, "GET", "/messages/1")[2]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "alert(1)" not in page


def test_text_from_a_mail_is_never_markup(inbox: Inbox) -> None:
    send(inbox, letter("<img src=x onerror=alert(1)>"))
    for path in ("/", "/messages/1?view=text", "/messages/1?view=headers"):
        page = ask(inbox, "GET", path)[2]
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_the_unsubscribe_button_posts_once_as_a_mail_program_does(inbox: Inbox) -> None:
    posted: list[tuple[str, bytes]] = []

    def sender(environ: dict[str, Any], start: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        posted.append((environ["REQUEST_METHOD"] + environ["PATH_INFO"] + "?" + environ["QUERY_STRING"], body))
        start("200 OK", [])
        return [b""]

    site = Site(sender).start()
    one_click = {"List_Unsubscribe_Post": "List-Unsubscribe=One-Click"}
    send(inbox, letter(List_Unsubscribe=f"<{site.url}/u/tok?x=1>", **one_click))
    status, headers, _ = ask(inbox, "POST", "/messages/1/unsubscribe")
    site.stop()
    assert (status, headers["Location"]) == (303, "/messages/1?left=yes")
    assert posted == [("POST/u/tok?x=1", b"List-Unsubscribe=One-Click")]
    assert ask(inbox, "POST", "/messages/1/unsubscribe")[1]["Location"] == "/messages/1?left=no"
    send(inbox, letter(List_Unsubscribe="<https://elsewhere.example/u>", **one_click))
    assert ask(inbox, "POST", "/messages/2/unsubscribe")[0] == 403
    assert ask(inbox, "POST", "/clear", Origin="https://evil.example")[0] == 403
    assert len(inbox.messages) == 2
    assert ask(inbox, "POST", "/clear")[0] == 303
    assert inbox.messages == ()


def test_ports_are_free_again_after_a_stop(clock: MovableClock) -> None:
    first = Inbox(clock=clock).start()
    ports = first.smtp_port, first.http_port
    first.stop()
    second = Inbox(*ports, clock=clock).start()
    send(second, letter())
    assert len(second.messages) == 1
    second.stop()
