"""The hand-built bytes say the same as the letter: read back with the stdlib's parser, the reference render."""

from __future__ import annotations

import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.parser import BytesParser
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekindle.render.defaults import default_email
from rekindle.render.email import RenderedEmail, compile_email, render_email
from rekindle.render.mime import HeaderError, MailHeaders, address, build_message, mailbox, text_value
from rekindle.render.sample import sample_facts

HEADERS = MailHeaders(
    from_address="hello@shop.example",
    from_name="Nordlicht Outdoor",
    to_address="ada@example.com",
    to_name="Ada Lovelace",
    reply_to="help@shop.example",
    subject="Your cart",
    date=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    message_id="0190-abc.1@shop.example",
    send_id="0190f3a2-7c11-7d3e-8000-0000000000aa",
    unsubscribe_url="https://go.shop.example/u/1-abc",
    unsubscribe_mailto="stop+1-abc@shop.example",
    list_id="carts.shop.example",
    feedback_id="cart-1:shop7:rekindle",
)
LETTER = RenderedEmail("Your cart", "<p>Größe €</p>\n", "Größe €\n.\nend\n")

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=120)
BODY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def parsed(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, BytesParser(policy=email.policy.default).parsebytes(raw))


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return cast(str, part.get_content()).replace("\r\n", "\n")


def test_the_golden_letter() -> None:
    raw = build_message(HEADERS, LETTER)
    assert raw.decode() == (
        "From: Nordlicht Outdoor <hello@shop.example>\r\n"
        "To: Ada Lovelace <ada@example.com>\r\n"
        "Reply-To: help@shop.example\r\n"
        "Subject: Your cart\r\n"
        "Date: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
        "Message-ID: <0190-abc.1@shop.example>\r\n"
        "List-Unsubscribe: <https://go.shop.example/u/1-abc>, <mailto:stop+1-abc@shop.example>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "List-Id: <carts.shop.example>\r\n"
        "Feedback-ID: cart-1:shop7:rekindle\r\n"
        "X-Rekindle-Send: 0190f3a2-7c11-7d3e-8000-0000000000aa\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="=_rk_0190f3a2-7c11-7d3e-8000-0000000000aa"\r\n'
        "\r\n"
        "--=_rk_0190f3a2-7c11-7d3e-8000-0000000000aa\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        "\r\n"
        "R3LDtsOfZSDigqwNCi4NCmVuZA0K\r\n"
        "--=_rk_0190f3a2-7c11-7d3e-8000-0000000000aa\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        "\r\n"
        "PHA+R3LDtsOfZSDigqw8L3A+DQo=\r\n"
        "--=_rk_0190f3a2-7c11-7d3e-8000-0000000000aa--\r\n"
    )


def test_the_stdlib_reads_the_default_letter_back() -> None:
    letter = render_email(compile_email(default_email(1, "pl")), sample_facts(locale="pl"))
    message = parsed(build_message(replace(HEADERS, subject=letter.subject), letter))
    assert message.defects == []
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert (message["Subject"], body(message, "plain"), body(message, "html")) == (
        letter.subject,
        letter.text,
        letter.html,
    )


@settings(max_examples=150, deadline=None)
@given(subject=TEXT, name=TEXT, html=BODY, text=BODY)
def test_whatever_is_written_is_read_back(subject: str, name: str, html: str, text: str) -> None:
    subject = " ".join(subject.split()) or "x"
    raw = build_message(replace(HEADERS, subject=subject, from_name=name), RenderedEmail(subject, html, text))
    for line in raw.split(b"\r\n"):
        assert len(line) <= 998
        assert b"\n" not in line
        assert b"\r" not in line
        assert not line.startswith(b".")
    head = raw.split(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        assert b"=?" not in line or len(line) <= 76 or line.startswith(b"From:") or b"<hello@" in line
    message = parsed(raw)
    assert message["Subject"] == subject
    sender = cast(AddressHeader, message["From"]).addresses
    assert [one.addr_spec for one in sender] == ["hello@shop.example"]
    normal = [re.sub(r"\r\n|\r", "\n", part) for part in (text, html)]
    assert [body(message, "plain"), body(message, "html")] == normal
    assert len(list(message.iter_parts())) == 2


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_no_header_value_can_start_another_header(value: str) -> None:
    for field in ("subject", "from_name", "to_name", "from_address", "to_address", "reply_to", "message_id", "send_id",
                  "unsubscribe_url", "unsubscribe_mailto", "list_id", "feedback_id"):  # fmt: skip
        try:
            raw = build_message(replace(HEADERS, **{field: value}), LETTER)  # type: ignore[arg-type]
        except HeaderError:
            continue
        names = [line.split(b":")[0] for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b" ")]
        assert len(names) == len(set(names))
        assert set(names) <= {
            b"From", b"To", b"Reply-To", b"Subject", b"Date", b"Message-ID", b"List-Unsubscribe",
            b"List-Unsubscribe-Post", b"List-Id", b"Feedback-ID", b"X-Rekindle-Send", b"MIME-Version", b"Content-Type",
        }  # fmt: skip


@pytest.mark.parametrize("bad", ["\r\nBcc: x@y.example", "\n", "\r", "\x00", "a\x1bb", "a\x7f"])
@pytest.mark.parametrize("field", ["subject", "from_name", "to_name", "from_address", "to_address", "unsubscribe_url"])
def test_line_breaks_and_control_characters_are_refused(field: str, bad: str) -> None:
    value = cast(str, getattr(HEADERS, field)) + bad
    with pytest.raises(HeaderError):
        build_message(replace(HEADERS, **{field: value}), LETTER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    ["", "ada", "@x.example", "ada@", "a@b.example, c@d.example", "a@b.example c@d.example", "<a@b.example>", "a b@c.example",
     "a..b@c.example", ".a@c.example", "a@-b.example", "a@b..example", "a@b.example>", '"a b"@c.example', "a@b_c.example",
     "a@" + "b" * 64 + ".example", "a@[127.0.0.1]"],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(value: str) -> None:
    with pytest.raises(HeaderError):
        address(value, "To")


def test_domains_become_ascii_and_local_parts_need_smtputf8() -> None:
    assert address("ada@bücher.example") == "ada@xn--bcher-kva.example"
    with pytest.raises(HeaderError, match="SMTPUTF8"):
        address("zoë@example.com")
    assert address("zoë@example.com", smtputf8=True) == "zoë@example.com"
    raw = build_message(replace(HEADERS, to_address="zoë@example.com"), LETTER, smtputf8=True)
    assert "To: Ada Lovelace <zoë@example.com>\r\n".encode() in raw


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", "a@b.example"),
        ("Shop", "Shop <a@b.example>"),
        ("Smith, Jr.", '"Smith, Jr." <a@b.example>'),
        ('The "Best" \\ Shop', '"The \\"Best\\" \\\\ Shop" <a@b.example>'),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <a@b.example>"),
    ],
)
def test_display_names_are_quoted_or_encoded(name: str, wanted: str) -> None:
    assert mailbox("a@b.example", name, "From") == wanted


def test_long_subjects_fold_between_whole_characters() -> None:
    text = "Ä€𝄞" * 40
    value = text_value(text, "Subject")
    assert all(len("Subject: " + line) <= 76 + 9 for line in value.split("\r\n "))
    assert parsed(f"Subject: {value}\r\n\r\n".encode())["Subject"] == text


def test_one_click_is_offered_for_https_only() -> None:
    raw = build_message(replace(HEADERS, unsubscribe_url="http://127.0.0.1:8000/u/1", unsubscribe_mailto=""), LETTER)
    assert b"List-Unsubscribe: <http://127.0.0.1:8000/u/1>\r\n" in raw
    assert b"List-Unsubscribe-Post" not in raw


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "https://x.example/ü",
        "https://x.example/a b",
        "https://x.example/<>",
        "https://x.example/" + "a" * 1000,
    ],
)
def test_an_unsubscribe_address_that_breaks_a_header_is_refused(url: str) -> None:
    with pytest.raises(HeaderError, match="List-Unsubscribe"):
        build_message(replace(HEADERS, unsubscribe_url=url), LETTER)


def test_the_date_is_the_given_instant_and_needs_a_zone() -> None:
    raw = build_message(replace(HEADERS, date=datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=2)))), LETTER)
    assert b"Date: Mon, 02 Mar 2026 09:00:00 +0200\r\n" in raw
    with pytest.raises(HeaderError, match="Date"):
        build_message(replace(HEADERS, date=datetime(2026, 3, 2, 9, 0)), LETTER)  # noqa: DTZ001


def test_marketing_mail_is_not_called_automatic() -> None:
    raw = build_message(HEADERS, LETTER)
    assert b"Auto-Submitted" not in raw
    assert b"Precedence" not in raw
