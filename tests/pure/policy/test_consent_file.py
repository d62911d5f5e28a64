"""Is each line of a consent file taken or named with what is wrong with it?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rekindle.policy.consent_file import ConsentFileError, ImportedConsent, Mistake, read_consent_file

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def read(text: str) -> list[ImportedConsent | Mistake]:
    return list(read_consent_file(text.splitlines(keepends=True), country="AT", now=NOW))


def test_lines_are_read_with_what_they_say() -> None:
    text = (
        "\ufeffAddress,channel,given_at,wording,version,language,confirmed,mentions_cart,granted\r\n"
        'Ada@Example.com,EMAIL,2025-03-02T10:00:00+01:00,"Yes, please.\nDo.",,,yes,1,\r\n'
        "\r\n"
        "0664 123 4567,sms,2025-03-02,,v3,de,,,no\r\n"
    )
    ada, bob = read(text)
    assert isinstance(ada, ImportedConsent)
    assert isinstance(bob, ImportedConsent)
    assert (ada.line, ada.channel, ada.address, ada.texts["wording"]) == (
        3,
        "email",
        "ada@example.com",
        "Yes, please.\nDo.",
    )
    assert ada.given_at == datetime(2025, 3, 2, 9, 0, tzinfo=UTC)
    assert (ada.confirmed, ada.written, ada.mentions_cart, ada.granted) == (True, False, True, True)
    assert (bob.line, bob.address, bob.texts["version"], bob.texts["language"]) == (5, "+436641234567", "v3", "de")
    assert not bob.granted


WRONG = [
    ("fax,a@b.example,2025-01-01", "channel"),
    ("email,nobody,2025-01-01", "address"),
    ("sms,12,2025-01-01", "address"),
    ("email,a@b.example,yesterday", "given_at"),
    ("email,a@b.example,2027-01-01", "future"),
    ("email,a@b.example,1999-01-01", "2000"),
    ("email,a@b.example", "cells"),
    ("email,a@b.example,2025-01-01,x", "cells"),
]


@pytest.mark.parametrize(("line", "why"), WRONG)
def test_what_is_wrong_with_a_line_is_said_with_its_number_and_without_the_address(line: str, why: str) -> None:
    good, wrong = read(f"channel,address,given_at\nemail,c@d.example,2025-01-01\n{line}\n")
    assert isinstance(good, ImportedConsent)
    assert isinstance(wrong, Mistake)
    assert wrong.line == 3
    assert why in wrong.text
    assert "a@b.example" not in wrong.text


def test_a_flag_is_a_plain_yes_or_no() -> None:
    (wrong,) = read("channel,address,given_at,confirmed\nemail,a@b.example,2025-01-01,maybe\n")
    assert wrong == Mistake(2, "confirmed: must be yes or no")


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("", "missing: channel, address, given_at"),
        ("channel,address\n", "missing: given_at"),
        ("channel,address,given_at,colour\n", "unknown columns: colour"),
        ("channel,address,given_at,channel\n", "twice"),
        ('channel,address,given_at\n"email', "line 2"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(head: str, why: str) -> None:
    with pytest.raises(ConsentFileError, match=why):
        read(head)
