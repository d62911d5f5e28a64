"""Do our own lints catch what they were made for?"""

from __future__ import annotations

from pathlib import Path

import pytest

from rekindle.store.statements import Statement
from scripts.lints import python_rules, shard_scope, sql_files

UUID = "'00000000-0000-0000-0000-000000000001'"


@pytest.mark.parametrize(
    ("verdict", "statement"),
    [
        ("router", "SELECT * FROM carts WHERE bucket = %(bucket)s AND id = %(id)s"),
        (
            "router",
            "SELECT * FROM carts c JOIN enrolments e ON e.bucket = c.bucket AND e.cart_id = c.id WHERE c.bucket = %(bucket)s",
        ),
        (
            "router",
            "UPDATE outbox o SET state = 'claimed' FROM (SELECT id FROM outbox WHERE bucket = %(b)s ORDER BY send_at LIMIT 10"
            " FOR UPDATE SKIP LOCKED) d WHERE o.bucket = %(b)s AND o.id = d.id RETURNING o.id",
        ),
        (
            "router",
            "WITH due AS (SELECT id FROM outbox WHERE bucket = %(b)s FOR UPDATE SKIP LOCKED)"
            " DELETE FROM outbox o USING due WHERE o.bucket = %(b)s AND o.id = due.id",
        ),
        ("router", "INSERT INTO carts (bucket, id) SELECT %(b)s, r.id FROM jsonb_to_recordset(%(rows)s) AS r(id uuid)"),
        (
            "router",
            "INSERT INTO carts (bucket, id) VALUES (%(b)s, %(id)s) ON CONFLICT (bucket, id) DO UPDATE SET state = excluded.state",
        ),
        (
            "router",
            "WITH new AS (INSERT INTO carts (bucket, id) SELECT %(b)s, r.id FROM jsonb_to_recordset(%(rows)s) AS r(id uuid)"
            " RETURNING id) SELECT count(*) FROM new",
        ),
        (
            "reject",
            "WITH new AS (INSERT INTO carts (id) VALUES (%(id)s) RETURNING id) SELECT count(*) FROM new",
        ),
        ("fanout", "SELECT count(*) FROM carts WHERE bucket = ANY(%(buckets)s)"),
        ("fanout", "UPDATE carts SET state = 'lost' WHERE id = %(id)s"),
        (
            "fanout",
            "UPDATE outbox o SET state = 'claimed' FROM (SELECT bucket, id FROM outbox WHERE bucket = %(b)s FOR UPDATE) d"
            " WHERE o.bucket = d.bucket AND o.id = d.id",
        ),
        ("fanout", "SELECT 1 FROM carts WHERE bucket = %(b)s OR shop_id = 1"),
        ("reject", "SELECT id FROM outbox WHERE state = 'scheduled' FOR UPDATE SKIP LOCKED"),
        ("reject", "SELECT 1 FROM carts c WHERE EXISTS (SELECT 1 FROM enrolments e WHERE e.cart_id = c.id)"),
        ("reject", "UPDATE carts SET bucket = 4 WHERE bucket = 3"),
        ("reject", "INSERT INTO carts (id) VALUES (%(id)s)"),
        (
            "reject",
            "INSERT INTO carts (bucket, id) VALUES (%(b)s, %(id)s) ON CONFLICT (bucket, id) DO UPDATE SET touched_at = now()",
        ),
        ("reject", "SELECT bucket, count(*) FROM carts WHERE bucket = %(b)s GROUP BY ROLLUP (bucket)"),
    ],
)
def test_the_scope_of_a_statement(verdict: str, statement: str) -> None:
    assert shard_scope.judge(statement).verdict == verdict


def statement(text: str, header: str) -> Statement:
    return Statement("find_cart", text, header, "x.sql")  # type: ignore[arg-type]


GOOD_HEADER = (
    "-- Find one cart.\n-- in:    :bucket int, :id uuid\n-- out:   id   0..1 rows\n-- locks: none   index: primary key"
)
GOOD_TEXT = "SELECT id FROM carts WHERE bucket = %(bucket)s AND id = %(id)s"


def test_a_described_and_used_statement_passes() -> None:
    assert sql_files.problems(statement(GOOD_TEXT, GOOD_HEADER), 'sql("find_cart")') == []


@pytest.mark.parametrize(
    ("expected", "text", "header", "source"),
    [
        ("say in a sentence", GOOD_TEXT, GOOD_HEADER.split("\n", 1)[1], 'sql("find_cart")'),
        ("'-- out:' is missing", GOOD_TEXT, GOOD_HEADER.replace("-- out:", "-- gives:"), 'sql("find_cart")'),
        ("id has no type", GOOD_TEXT, GOOD_HEADER.replace(", :id uuid", ""), 'sql("find_cart")'),
        ("declared but not used", GOOD_TEXT, GOOD_HEADER.replace(":id uuid", ":id uuid, :n int"), 'sql("find_cart")'),
        ("unused", GOOD_TEXT, GOOD_HEADER, "nothing here"),
        ("clock", GOOD_TEXT + " AND touched_at < now()", GOOD_HEADER, 'sql("find_cart")'),
        (
            "visits several buckets",
            "SELECT id FROM carts WHERE shop_id = %(bucket)s AND id = %(id)s",
            GOOD_HEADER,
            'sql("find_cart")',
        ),
    ],
)
def test_a_statement_with_a_fault_is_named(expected: str, text: str, header: str, source: str) -> None:
    assert any(expected in problem for problem in sql_files.problems(statement(text, header), source))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("clock", "from datetime import datetime\nx = datetime.now()\n"),
        ("sharded-orm", "from rekindle.store.models import CartRow\nCartRow.objects.all()\n"),
        ("hidden-import", "from django.apps import apps\napps.get_model('store', 'Shop')\n"),
        ("size", "x = 1\n" * 401),
    ],
)
def test_a_module_with_a_fault_is_named(rule: str, text: str) -> None:
    assert [found[1] for found in python_rules.problems(Path("rekindle/engine/x.py"), text)] == [rule]


def test_a_skip_needs_its_rule_and_a_reason() -> None:
    line = "x = datetime.now()  # lint-skip: clock (the doc example shows the offence)\n"
    assert python_rules.problems(Path("rekindle/engine/x.py"), line) == []
    assert python_rules.problems(Path("rekindle/engine/x.py"), line.replace("clock (", "size (")) != []


def test_names_that_say_nothing_are_refused() -> None:
    assert [found[1] for found in python_rules.problems(Path("rekindle/engine/utils.py"), "x = 1\n")] == ["name"]
