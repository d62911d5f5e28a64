"""Are the records of a sending domain judged as mailbox providers do?"""

from __future__ import annotations

import pytest

from rekindle.policy.sender_domain import Level, Records, judge, judge_headers

GOOD = Records(
    spf=["google-site-verification=x", "v=spf1 include:_spf.example.net ~all"],
    dmarc=["v=DMARC1; p=none; rua=mailto:d@shop.example"],
    dmarc_at="shop.example",
    dkim={"s1": ["v=DKIM1; k=rsa; p=MIIB"]},
    takes_mail=True,
)
TWELVE = "v=spf1 " + " ".join(f"include:{n}.example" for n in range(12)) + " -all"


def levels(**changes: object) -> dict[str, Level]:
    return {one.check: one.level for one in judge("shop.example", GOOD._replace(**changes))}  # type: ignore[arg-type]


def test_a_good_domain() -> None:
    assert set(levels().values()) == {Level.GOOD}


@pytest.mark.parametrize(
    ("check", "changes", "level"),
    [
        ("SPF", {"spf": []}, Level.BAD),
        ("SPF", {"spf": ["v=spf1 -all", "v=spf1 ~all"]}, Level.BAD),
        ("SPF", {"spf": [TWELVE]}, Level.BAD),
        ("SPF", {"spf": ["v=spf1 +all"]}, Level.BAD),
        ("SPF", {"spf": ["v=spf10 ~all"]}, Level.BAD),
        ("SPF", {"spf": None}, Level.WARN),
        ("DKIM", {"dkim": {}}, Level.WARN),
        ("DKIM", {"dkim": {"s1": [], "s2": ["v=DKIM1; p=AA"]}}, Level.GOOD),
        ("DKIM", {"dkim": {"s1": ["k=rsa; p=AA"]}}, Level.GOOD),
        ("DKIM", {"dkim": {"s1": ["v=DKIM1; p="]}}, Level.BAD),
        ("DKIM", {"dkim": {"s1": ["hello"], "s2": []}}, Level.BAD),
        ("DKIM", {"dkim": {"s1": None}}, Level.WARN),
        ("DMARC", {"dmarc": []}, Level.BAD),
        ("DMARC", {"dmarc": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, Level.BAD),
        ("DMARC", {"dmarc": ["v=DMARC1; p=maybe"]}, Level.BAD),
        ("DMARC", {"dmarc": ["v=DMARC1; p=reject; sp=none"], "dmarc_at": "example"}, Level.GOOD),
        ("DMARC", {"dmarc": ["v=DMARC1; p=reject; aspf=s; adkim=s"]}, Level.WARN),
        ("DMARC", {"dmarc": None}, Level.WARN),
        ("Replies", {"takes_mail": False}, Level.BAD),
        ("Replies", {"takes_mail": None}, Level.WARN),
    ],
)
def test_what_is_wrong(check: str, changes: dict[str, object], level: Level) -> None:
    assert levels(**changes)[check] is level


RECEIVED = """\
Authentication-Results: mx.example; dkim=pass header.d=mail.shop.example;
 spf=pass smtp.mailfrom=shop.example; dmarc=fail
DKIM-Signature: v=1; a=rsa-sha256; d={signer}; s=s1;
\th=from:to:subject:{covered}; bh=x; b=y
From: Shop <hello@shop.example>

body: DKIM-Signature: no
"""


@pytest.mark.parametrize(
    ("signer", "covered", "expected"),
    [
        ("shop.example", "List-Unsubscribe:List-Unsubscribe-Post", Level.GOOD),
        ("mail.shop.example", "list-unsubscribe:list-unsubscribe-post", Level.GOOD),
        ("shop.example", "list-unsubscribe", Level.BAD),
        ("provider.example", "list-unsubscribe:list-unsubscribe-post", Level.BAD),
        ("example", "list-unsubscribe:list-unsubscribe-post", Level.BAD),
    ],
)
def test_a_received_message(signer: str, covered: str, expected: Level) -> None:
    found = {
        one.check: one.level for one in judge_headers("shop.example", RECEIVED.format(signer=signer, covered=covered))
    }
    assert found == {"Signature": expected, "SPF": Level.GOOD, "DKIM": Level.GOOD, "DMARC": Level.BAD}


@pytest.mark.parametrize("text", ["", "hello", "\n\n", ":::", "Subject: x\n\nDKIM-Signature: v=1", "\x00" * 50])
def test_what_says_nothing(text: str) -> None:
    assert judge_headers("shop.example", text) == []
