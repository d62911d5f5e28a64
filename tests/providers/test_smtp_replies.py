"""Reading replies: any bytes, in any pieces."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.providers.email.smtp.replies import MAX_LINES, Reply, ReplyError, ReplyReader, queue_id


@given(st.integers(1, 40), st.lists(st.integers(200, 599), min_size=1, max_size=5))
def test_replies_do_not_depend_on_how_the_bytes_are_cut(size: int, codes: list[int]) -> None:
    raw = b"".join(b"%d-first\r\n%d second line\r\n%d\r\n" % (code, code, code) for code in codes)
    reader = ReplyReader()
    got = [reply for at in range(0, len(raw), size) for reply in reader.feed(raw[at : at + size])]
    assert got == [reply for code in codes for reply in (Reply(code, "first\nsecond line"), Reply(code, ""))]
    assert reader.empty


@given(st.binary(max_size=200))
def test_any_bytes_give_replies_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(ReplyError):
        for reply in ReplyReader().feed(raw):
            assert 200 <= reply.code <= 599


@pytest.mark.parametrize("raw", [b"1", b"25", b"250", b"250-x\r\n", b"250-x\r\n250"])
def test_half_a_reply_is_none(raw: bytes) -> None:
    reader = ReplyReader()
    assert reader.feed(raw) == []
    assert not reader.empty


def test_an_endless_reply_is_refused() -> None:
    with pytest.raises(ReplyError):
        ReplyReader().feed(b"250-x\r\n" * (MAX_LINES + 1))
    with pytest.raises(ReplyError):
        ReplyReader().feed(b"250 " + b"x" * 5_000)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2.0.0 Ok: queued as 4ZfKl12345z", "4ZfKl12345z"),
        ("OK id=1tFabc-000000001Xy-2abc", "1tFabc-000000001Xy-2abc"),
        ("Ok 0102018c2f3a-aaaa-bbbb-000000", "0102018c2f3a-aaaa-bbbb-000000"),
        ("2.6.0 <abc@host.example> Queued mail for delivery", ""),
        ("thanks", ""),
    ],
)
def test_the_servers_name_for_a_letter_is_found(text: str, wanted: str) -> None:
    assert queue_id(Reply(250, text)) == wanted


def test_an_enhanced_code_of_another_class_is_not_believed() -> None:
    assert Reply(550, "2.1.1 odd").enhanced is None
    assert Reply(550, "5.1.1 gone").label == "550 5.1.1"
