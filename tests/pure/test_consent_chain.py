"""Is every change of the consent ledger seen?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.consent_chain import GENESIS, REDACTED, ConsentRow, first_fault, redacted, row_hash

from ..conftest import START

KEY = b"k" * 32


def chain(length: int = 5) -> list[ConsentRow]:
    rows: list[ConsentRow] = []
    for seq in range(1, length + 1):
        row = ConsentRow(
            shop_id=1,
            channel="email",
            address_hash=b"a" * 32,
            seq=seq,
            kind="express",
            at=START + timedelta(hours=seq),
            recorded_at=START + timedelta(hours=seq, seconds=1),
            wording=f"wording {seq}",
            source="event",
            evidence={"page": "https://shop.example", "method": "checkbox"},
            previous_hash=rows[-1].row_hash if rows else GENESIS,
        )
        rows.append(replace(row, row_hash=row_hash(KEY, row)))
    return rows


def test_an_untouched_chain_has_no_fault_and_an_empty_one_neither() -> None:
    assert first_fault(KEY, chain()) is None
    assert first_fault(KEY, []) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shop_id", 2),
        ("channel", "sms"),
        ("address_hash", b"b" * 32),
        ("kind", "withdrawn"),
        ("at", START),
        ("recorded_at", START),
        ("wording", ""),
        ("source", "import"),
        ("evidence", {}),
        ("row_hash", b"x" * 32),
        ("previous_hash", b"x" * 32),
    ],
)
def test_a_changed_field_is_found(field: str, value: Any) -> None:
    rows = chain()
    rows[2] = replace(rows[2], **{field: value})
    assert first_fault(KEY, rows) is not None


@given(st.permutations(range(6)))
def test_any_other_order_is_found(order: list[int]) -> None:
    rows = chain(6)
    fault = first_fault(KEY, [rows[index] for index in order])
    assert (fault is None) == (order == sorted(order))


@given(st.sets(st.integers(0, 5), min_size=1))
def test_any_missing_row_is_found_with_the_head(missing: set[int]) -> None:
    rows = chain(6)
    rest = [row for index, row in enumerate(rows) if index not in missing]
    assert first_fault(KEY, rest, head=(6, rows[5].row_hash)) is not None
    assert first_fault(KEY, rows, head=(6, rows[5].row_hash)) is None


def test_a_row_that_an_erasure_shortened_keeps_the_chain_whole_and_nobody_else_can_shorten_it() -> None:
    rows = chain()
    rows[1] = replace(rows[1], kind="withdrawn", wording="STOP, says Ada")
    rows[1] = replace(rows[1], row_hash=row_hash(KEY, rows[1]))
    for index in range(2, 5):
        rows[index] = replace(rows[index], previous_hash=rows[index - 1].row_hash)
        rows[index] = replace(rows[index], row_hash=row_hash(KEY, rows[index]))
    shorter = [redacted(KEY, row) for row in rows]
    assert first_fault(KEY, shorter) is None
    assert [redacted(KEY, row) for row in shorter] == shorter
    assert [row.wording for row in shorter] == ["wording 1", "", "wording 3", "wording 4", "wording 5"]
    assert all(set(row.evidence) == {"method", REDACTED} for row in shorter)
    for field, value in (
        ("kind", "pending"),
        ("wording", "x"),
        ("at", START),
        ("evidence", {REDACTED: "00" * 32}),
        ("evidence", {REDACTED: "no code"}),
        ("evidence", {**shorter[2].evidence, "method": "import"}),
        ("row_hash", b"x" * 32),
    ):
        forged = [*shorter[:2], replace(shorter[2], **{field: value}), *shorter[3:]]  # type: ignore[arg-type]
        assert first_fault(KEY, forged) is not None, field
    other = redacted(b"other" * 8, rows[2])
    assert first_fault(KEY, [*rows[:2], other, *rows[3:]]) == "row 3 was changed"


def test_a_forged_row_needs_the_key() -> None:
    rows = chain()
    forged = replace(rows[4], kind="withdrawn")
    rows[4] = replace(forged, row_hash=row_hash(b"f" * 32, forged))
    assert first_fault(KEY, rows) == "row 5 was changed"
    with pytest.raises(ValueError, match="32 bytes"):
        row_hash(b"short", forged)
