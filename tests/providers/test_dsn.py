"""What does a message in the return-path or reply mailbox tell?"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest

from rekindle.providers.email.dsn import read_mail
from rekindle.providers.feedback import BounceClass, Feedback, FeedbackKind

K, B = FeedbackKind, BounceClass
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SEND = "7-0190c3a2-5e3b-7a11-8000-0123456789ab"
RETURNED = f"""From: Shop <shop@shop.example>
To: ada@example.com
Subject: Your cart
Message-ID: <{SEND}@shop.example>
X-Rekindle-Send: {SEND}
"""


def mail(text: str) -> bytes:
    return text.lstrip("\n").replace("\n", "\r\n").encode()


def report(
    action: str, status: str, diagnostic: str, *, original: str = "message/rfc822", returned: str = RETURNED
) -> bytes:
    return mail(f"""
From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: bounce@shop.example
Subject: Undelivered Mail Returned to Sender
Date: Mon, 2 Mar 2026 08:00:00 +0000
Message-ID: <r1@mx.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system. I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 2 Mar 2026 07:59:00 +0000

Final-Recipient: rfc822; ada@example.com
Original-Recipient: rfc822;Ada@Example.com
Action: {action}
Status: {status}
Remote-MTA: dns; gmail-smtp-in.l.google.com
Diagnostic-Code: smtp; {diagnostic}

--b
Content-Type: {original}

{returned}
--b--
""")


def one(raw: bytes) -> Feedback:
    (found,) = read_mail(raw, NOW)
    return found


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
@pytest.mark.parametrize(
    ("action", "status", "diagnostic", "kind", "bounce"),
    [
        (
            "failed",
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist.",
            K.BOUNCED,
            B.PERMANENT,
        ),
        ("failed", "5.2.2", "552 5.2.2 The recipient's inbox is over quota", K.BOUNCED, B.TRANSIENT),
        ("failed", "5.7.1", "550 5.7.1 blocked by policy", K.BOUNCED, B.TRANSIENT),
        ("failed", "5.0.0", "550 no", K.BOUNCED, B.UNDETERMINED),
        ("failed", "4.4.7", "message expired", K.BOUNCED, B.TRANSIENT),
        ("delayed", "4.4.1", "connection timed out", K.DEFERRED, None),
        ("delivered", "2.0.0", "250 ok", K.DELIVERED, None),
        ("relayed", "2.0.0", "250 ok", K.SENT, None),
        ("expanded", "2.0.0", "250 ok", K.OTHER, None),
    ],
)
def test_a_standard_report(action: str, status: str, diagnostic: str, kind: K, bounce: B | None, original: str) -> None:
    found = one(report(action, status, diagnostic, original=original))
    assert (found.kind, found.bounce, found.code) == (kind, bounce, status)
    assert (found.send_id, found.address) == (SEND, "Ada@Example.com")
    assert (found.at, found.is_timed) == (datetime(2026, 3, 2, 8, 0, tzinfo=UTC), True)
    assert found.name == f"dsn:{action}"


def test_a_report_about_several_recipients_is_several_events() -> None:
    raw = report("failed", "5.1.1", "550 no such user").replace(
        b"--b\r\nContent-Type: message/rfc822",
        b"Final-Recipient: rfc822; bob@example.com\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\n--b\r\nContent-Type: message/rfc822",
    )
    found = read_mail(raw, NOW)
    assert [(x.address, x.bounce) for x in found] == [
        ("Ada@Example.com", B.PERMANENT),
        ("bob@example.com", B.TRANSIENT),
    ]
    assert len({x.event_id for x in found}) == 2


def test_a_report_that_comes_twice_is_one_event() -> None:
    raw = report("failed", "5.1.1", "550 no such user")
    assert one(raw).event_id == one(raw + b"\r\n").event_id


def test_the_send_is_found_by_its_message_id_too() -> None:
    returned = f"From: shop@shop.example\nMessage-ID: <{SEND}@shop.example>\n"
    assert one(report("failed", "5.1.1", "550 no such user", returned=returned)).send_id == SEND
    other = "From: shop@shop.example\nMessage-ID: <somebody@else.example>\n"
    assert one(report("failed", "5.1.1", "550 no such user", returned=other)).send_id == ""


PLAIN = f"""
From: {{sender}}
To: bounce@shop.example
Subject: {{subject}}
Date: Mon, 2 Mar 2026 08:00:00 +0000
Message-ID: <p1@mx.example>

{{text}}

--- Below this line is a copy of the message.

{RETURNED}
Hello Ada
"""


@pytest.mark.parametrize(
    ("sender", "subject", "text", "kind", "bounce"),
    [
        (
            "MAILER-DAEMON@mx.example",
            "failure notice",
            "Hi. This is the qmail-send program at mx.example.\n<ada@example.com>:\n"
            "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no such user\nGiving up.",
            K.BOUNCED,
            B.PERMANENT,
        ),
        (
            "Mail Delivery Subsystem <mailer-daemon@mx.example>",
            "Returned mail: see transcript for details",
            "----- The following addresses had permanent fatal errors -----\n<ada@example.com>\n(reason: 552 mailbox full)",
            K.BOUNCED,
            B.TRANSIENT,
        ),
        (
            "postmaster@mx.example",
            "Undeliverable: Your cart",
            "ada@example.com could not be reached.",
            K.BOUNCED,
            B.UNDETERMINED,
        ),
        (
            "mailer-daemon@mx.example",
            "Delivery Status Notification (Delay)",
            "Your message to ada@example.com has been delayed. We will retry for 46 more hours.",
            K.DEFERRED,
            None,
        ),
    ],
)
def test_a_server_that_writes_text_is_understood(
    sender: str, subject: str, text: str, kind: K, bounce: B | None
) -> None:
    found = one(mail(PLAIN.format(sender=sender, subject=subject, text=text)))
    assert (found.kind, found.bounce) == (kind, bounce)
    assert (found.address, found.send_id) == ("ada@example.com", SEND)


def test_html_from_a_server_is_read_without_its_tags() -> None:
    raw = mail("""
From: postmaster@mx.example
Subject: Undeliverable
Content-Type: text/html; charset=utf-8

<html><body><p>Your message to <b>ada@example.com</b> couldn&#39;t be delivered: 550 5.1.1 User&nbsp;unknown</p></body>
""")
    found = one(raw)
    assert (found.kind, found.bounce, found.address) == (K.BOUNCED, B.PERMANENT, "ada@example.com")


def complaint(kind: str, recipient: str = "Original-Rcpt-To: <ada@example.com>\n") -> bytes:
    return mail(f"""
From: <abuse@isp.example>
To: <fbl@shop.example>
Subject: complaint
Date: Mon, 2 Mar 2026 08:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

This is an abuse report.
--b
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{recipient}
--b
Content-Type: message/rfc822

{RETURNED}
--b--
""")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("abuse", K.COMPLAINED),
        ("fraud", K.COMPLAINED),
        ("virus", K.COMPLAINED),
        ("other", K.COMPLAINED),
        ("not-spam", K.OTHER),
        ("opt-out", K.UNSUBSCRIBED),
        ("auth-failure", K.OTHER),
    ],
)
def test_complaints(kind: str, expected: K) -> None:
    found = one(complaint(kind))
    assert (found.kind, found.address, found.send_id, found.name) == (expected, "ada@example.com", SEND, f"arf:{kind}")


def test_a_complaint_that_hides_its_recipient_is_found_by_the_returned_message() -> None:
    found = one(complaint("abuse", ""))
    assert (found.address, found.send_id) == ("ada@example.com", SEND)


REPLY = """
From: Ada <ada@example.com>
To: help@shop.example
Subject: Re: Your cart
{headers}Content-Type: text/plain; charset=utf-8

Bitte keine Mails mehr.

Am Mo., 2. März 2026 um 08:00 schrieb Shop <shop@shop.example>:
> Your cart is waiting
> STOP to end
"""


def test_a_persons_reply_is_its_own_words_only() -> None:
    found = one(mail(REPLY.format(headers="")))
    assert (found.kind, found.address, found.text) == (K.REPLIED, "ada@example.com", "Bitte keine Mails mehr.")
    assert "Bitte" not in repr(found)


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\n",
        "Auto-Submitted: auto-generated\n",
        "X-Autoreply: yes\n",
        "Precedence: auto_reply\n",
    ],
)
def test_an_automatic_reply_is_neither_bounce_nor_reply(headers: str) -> None:
    found = one(mail(REPLY.format(headers=headers)))
    assert (found.kind, found.name, found.text) == (K.OTHER, "auto-reply", "")


def test_a_message_that_says_it_is_not_automatic_is_a_reply() -> None:
    assert one(mail(REPLY.format(headers="Auto-Submitted: no\n"))).kind is K.REPLIED


HOSTILE = [
    b"",
    b"\x00\xff\xfe" * 1_000,
    b"Subject: =?utf-8?b?////?=\r\nFrom: =?x?q?=?=\r\n\r\n",
    b"Content-Type: text/plain; charset=nonsense\r\n\r\nhello",
    b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\nno boundary",
    b"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: x",
    b"Content-Type: message/delivery-status\r\n\r\n\r\n\r\n",
    b"From: mailer-daemon@x.example\r\n\r\n" + b"a@" * 50_000,
    b"Subject: x\r\n" * 20_000,
    b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\n\r\n" + b"!" * 10_000,
    b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3_000)),
    b"From: " + b"(" * 5_000 + b"\r\nTo: " + b'"' * 5_000 + b"\r\n\r\n",
    b"Date: 99 Foo 99999 99:99:99 +9999\r\nFrom: a@b.example\r\n\r\nhi",
    b"<" * 200_000,
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_no_message_is_an_error_or_takes_long(raw: bytes) -> None:
    started = time.thread_time()  # CPU time: what others do on the machine does not count
    found = read_mail(raw, NOW)
    assert found
    assert all(x.bounce is not B.PERMANENT for x in found)
    assert time.thread_time() - started < 4


def test_a_forged_report_must_know_the_random_id() -> None:
    """Anybody can write to the mailbox: what they report concerns a send only by its id, which nobody can guess."""
    raw = report("failed", "5.1.1", "550 no such user", returned="To: ada@example.com\nX-Rekindle-Send: \n")
    assert one(raw).send_id == ""
    assert re.fullmatch(r"7-[0-9a-f-]{36}", SEND)
