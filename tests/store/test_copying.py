"""Does text that went in by COPY come out as it was, whatever is in it?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rekindle.lib.ids import instant_of
from rekindle.store.copying import NULL, array_literal, bytes_cell, cell, copy_lines, id_cell, instant_cell, json_cell
from rekindle.store.database import Connection
from rekindle.store.decisions import DecisionRow, write_decisions
from rekindle.terms.decision import Question, allow, defer, deny
from rekindle.terms.reasons import Reason

AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)


def back(connection: Connection, kind: str, line: str) -> object:
    """One cell through COPY into a column of this type."""
    connection.execute(f"CREATE TEMP TABLE one_cell (value {kind}) ON COMMIT DROP")  # type: ignore[arg-type]
    try:
        copy_lines(connection, "COPY one_cell (value) FROM STDIN", [line])
        row = connection.execute("SELECT value FROM one_cell").fetchone()
        assert row is not None
        return row[0]
    finally:
        connection.execute("DROP TABLE one_cell")


_SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@_SHARED
@given(_TEXT)
def test_any_text(connection: Connection, text: str) -> None:
    assert back(connection, "text", cell(text)) == text


@_SHARED
@given(
    st.dictionaries(
        _TEXT,
        st.one_of(_TEXT, st.integers(-(2**53), 2**53), st.booleans(), st.none(), st.lists(_TEXT, max_size=3)),
        max_size=4,
    )
)
def test_any_json(connection: Connection, value: dict[str, object]) -> None:
    assert back(connection, "jsonb", json_cell(value)) == value


@_SHARED
@given(st.binary(max_size=40))
def test_any_bytes(connection: Connection, value: bytes) -> None:
    assert back(connection, "bytea", bytes_cell(value)) == value


def test_instants_ids_and_nothing(connection: Connection) -> None:
    assert back(connection, "timestamptz", instant_cell(AT)) == AT
    assert back(connection, "timestamptz", instant_cell(None)) is None
    assert back(connection, "uuid", id_cell(UUID(int=7))) == UUID(int=7)
    assert back(connection, "uuid", id_cell(None)) is None
    assert back(connection, "text", NULL) is None


def test_arrays_of_ids(connection: Connection) -> None:
    row = connection.execute(
        "SELECT %s::uuid[], %s::int[], %s::int[]",
        [array_literal([UUID(int=1), UUID(int=2)]), array_literal([3]), array_literal([])],
    ).fetchone()
    assert row == ([UUID(int=1), UUID(int=2)], [3], [])


def test_no_lines_no_statement(connection: Connection) -> None:
    copy_lines(connection, "COPY there_is_no_such_table FROM STDIN", [])


def test_decisions_keep_everything(connection: Connection) -> None:
    evidence = {"text": 'quote " backslash \\ tab \t newline \n ü', "list": [1, None, True], "deep": {"a": 1.5}}
    row = DecisionRow(
        bucket=7, shop_id=1, at=AT, question=Question.MAY_SEND, verdict=defer(Reason.QUIET_HOURS, AT, **evidence), cart_id=UUID(int=1),
        shopper_id=UUID(int=2), enrolment_id=UUID(int=3), send_id=UUID(int=4), step="m1",
    )  # fmt: skip
    bare = DecisionRow(bucket=8, shop_id=1, at=AT, question=Question.ABANDON, verdict=deny(Reason.NO_SHOPPER))
    write_decisions(connection, [row, bare])
    cursor = connection.execute(
        "SELECT bucket, at, question, outcome, reason, retry_at, cart_id, shopper_id, enrolment_id, send_id, step, evidence"
        " FROM decisions ORDER BY bucket"
    )
    assert cursor.fetchall() == [
        (
            7,
            AT,
            "may_send",
            "defer",
            "QUIET_HOURS",
            AT,
            UUID(int=1),
            UUID(int=2),
            UUID(int=3),
            UUID(int=4),
            "m1",
            evidence,
        ),
        (8, AT, "abandon", "deny", "NO_SHOPPER", None, None, None, None, None, None, {}),
    ]


def test_ids_of_decisions_carry_their_instant_and_differ(connection: Connection) -> None:
    later = AT.replace(hour=17)
    rows = [
        DecisionRow(bucket=7, shop_id=1, at=at, question=Question.EXIT, verdict=allow())
        for at in [AT] * 300 + [later] * 300
    ]
    write_decisions(connection, rows)
    found = connection.execute("SELECT id, at FROM decisions").fetchall()
    assert len({row[0] for row in found}) == 600
    assert all(instant_of(key) == at.replace(microsecond=123000) for key, at in found)
    assert all(key.version == 7 for key, _ in found)


@pytest.mark.parametrize("at", [datetime(1969, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)])
def test_decisions_outside_every_partition_are_kept_too(connection: Connection, at: datetime) -> None:
    write_decisions(connection, [DecisionRow(bucket=7, shop_id=1, at=at, question=Question.EXIT, verdict=allow())])
    assert connection.execute("SELECT at FROM decisions").fetchall() == [(at,)]
