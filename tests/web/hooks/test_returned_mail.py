"""Letters that came back, by the command that reads them: from a Maildir, an mbox file and a pipe."""

from __future__ import annotations

import io
import mailbox
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rekindle.commands.bounces import letters_of
from rekindle.engine.returned_mail import LettersRead, read_letters
from rekindle.lib.operator_error import OperatorError
from rekindle.store.buckets import buckets_of
from rekindle.store.replies import replies_waiting
from rekindle.terms.send_reference import SendReference
from tests.factories import make_shop
from tests.web.test_serve import url_of

from .scene import World, put_waiting


def bounce(
    world: World, *, code: str = "5.1.1", text: str = "550 5.1.1 no such user", returned: str | None = None
) -> bytes:
    sent = world.sent["email"]
    returned = f"X-Rekindle-Send: {SendReference(sent.bucket, sent.id)}" if returned is None else returned
    return f"""From: MAILER-DAEMON@mx.example
To: shop@fernweh.example
Subject: Undelivered Mail
Message-ID: <bounce-1@mx.example>
Date: Mon, 02 Mar 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not arrive.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ada@example.com
Action: failed
Status: {code}
Diagnostic-Code: smtp; {text}

--b
Content-Type: text/rfc822-headers

To: ada@example.com
{returned}

--b--
""".encode()


def complaint(world: World) -> bytes:
    sent = world.sent["email"]
    return f"""From: fbl@isp.example
Subject: complaint
Message-ID: <fbl-1@isp.example>
Date: Mon, 02 Mar 2026 09:00:00 +0000
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: isp/1

--b
Content-Type: message/rfc822

To: ada@example.com
Message-ID: <{sent.id}@rekindle.example>
Subject: your cart

--b--
""".encode()


def reply(text: str) -> bytes:
    return f"""From: Ada <ada@example.com>
To: shop@fernweh.example
Subject: Re: your cart
Message-ID: <r-{len(text)}@example.com>
Date: Mon, 02 Mar 2026 09:00:00 +0000

{text}

On Monday, Fernweh wrote:
> unsubscribe here
""".encode()


def read(world: World, *letters: bytes) -> LettersRead:
    return read_letters(world.connection, world.context, letters, shop=world.shop)


def test_a_dead_address_is_suppressed_and_a_repetition_changes_nothing(world: World) -> None:
    assert read(world, bounce(world)).new == 1
    state = world.state
    again = read(world, bounce(world), bounce(world))
    assert (again.new, again.letters) == (0, 2)
    assert world.state == state
    assert world.suppressed == [("email", "hard_bounce")]
    assert world.events() == ["bounced"]


def test_a_full_mailbox_is_noted_only(world: World) -> None:
    assert read(world, bounce(world, code="5.2.2", text="552 5.2.2 mailbox full")).new == 1
    assert world.suppressed == []
    assert world.events() == ["bounced"]


def test_a_complaint_that_names_the_message_id_only_closes_the_channel(world: World) -> None:
    put_waiting(world)
    result = read(world, complaint(world))
    assert (result.new, result.ended) == (1, 1)
    assert world.consents == {"email": "withdrawn", "sms": "express"}
    assert world.suppressed == [("email", "complaint")]


@pytest.mark.parametrize(
    "returned", ["", "X-Rekindle-Send: 7-00000000-0000-7000-8000-000000000001", "Message-ID: <a@b>"]
)
def test_a_letter_that_names_no_message_of_ours_changes_nothing(world: World, returned: str) -> None:
    state = world.state
    result = read(world, bounce(world, returned=returned))
    assert (result.unmatched, result.new, result.ended) == (1, 0, 0)
    assert world.state == state


def test_the_mailbox_of_one_shop_says_nothing_about_another(world: World) -> None:
    other = make_shop(world.connection)
    state = world.state
    assert read_letters(world.connection, world.context, [bounce(world)], shop=other).unmatched == 1
    assert world.state == state
    found = read_letters(world.connection, world.context, [bounce(world)])
    assert found.new == 1, "the message says whose it is"


def test_a_reply_that_wants_out_waits_for_a_person_since_anybody_may_have_written_it(world: World) -> None:
    read(world, reply("Please unsubscribe me"), reply("Do you ship to Austria?"))
    waiting = replies_waiting(world.connection, buckets_of(world.shop), world.shop.id, 10)
    assert [(one.text, one.channel) for one in waiting] == [("Please unsubscribe me", "email")]
    assert world.suppressed == [("email", "review")]
    assert world.consents["email"] == "express"


def test_garbage_is_counted_and_harms_nothing(world: World) -> None:
    state = world.state
    result = read(world, b"", b"\xff\xfe\0", b"From: x\n\n" + b"A" * 3_000_000, bounce(world))
    assert result.letters == 4
    assert result.new == 1
    assert world.state != state


def test_a_maildirs_new_letters_are_read_once(world: World, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    box.add(bounce(world))
    box.add(reply("stop"))
    assert read(world, *letters_of(str(tmp_path / "box"))).letters == 2
    assert list(letters_of(str(tmp_path / "box"))) == []
    assert len(list((tmp_path / "box" / "cur").iterdir())) == 2


def test_an_mbox_file_a_single_letter_and_a_pipe_are_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = mailbox.mbox(tmp_path / "mbox")
    box.add(bounce(world))
    box.add(complaint(world))
    box.flush()
    assert len(list(letters_of(str(tmp_path / "mbox")))) == 2
    (tmp_path / "one.eml").write_bytes(bounce(world))
    assert list(letters_of(str(tmp_path / "one.eml"))) == [bounce(world)]
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO(bounce(world))}))
    assert list(letters_of("-")) == [bounce(world)]
    with pytest.raises(OperatorError):
        list(letters_of(str(tmp_path / "nothing")))


def test_the_command_reads_from_a_pipe_and_asks_for_another_try_when_the_database_is_away(fresh_dsn: str) -> None:
    def run(url: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "rekindle.commands.cli", "bounces"],
            input=b"From: MAILER-DAEMON@mx.example\n\n550 5.1.1 no such user\n",
            env={**os.environ, "DATABASE_URL": url, "REKINDLE_DEBUG": "1"},
            capture_output=True,
            check=False,
        )

    done = run(url_of(fresh_dsn))
    assert done.returncode == 0, done.stderr
    assert b"1 letters (1 bounced); 0 new facts, 0 closed, 1 about nothing of ours" in done.stdout
    assert run("postgresql://nobody@127.0.0.1:1/nothing").returncode == 75
