"""Does every statement of the product stay in one bucket? The planner and the static reading both judge; the worse counts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql as quoted

from rekindle.store.database import Connection, connect
from rekindle.store.statements import Statement, all_statements
from scripts.lints.shard_scope import SHARDED, judge
from scripts.lints.sql_files import _NOT_DML, declared_scope, parameter_types

PARTS = 8
_SAMPLES = {
    "int": "7",
    "integer": "7",
    "smallint": "1",
    "bigint": "1",
    "float": "0.5",
    "double precision": "0.5",
    "numeric": "1",
    "bool": "true",
    "boolean": "true",
    "text": "'x'",
    "uuid": "'00000000-0000-0000-0000-000000000001'::uuid",
    "timestamptz": "'2026-03-02T09:00:00Z'::timestamptz",
    "date": "'2026-03-02'::date",
    "interval": "'1 hour'::interval",
    "bytea": r"'\x00'::bytea",
    "jsonb": "'[]'::jsonb",
    "json": "'[]'::json",
    "int[]": "'{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}'::int[]",
    "jsonb[]": "'{1}'::jsonb[]",
    "bigint[]": "'{1}'::bigint[]",
    "text[]": "'{x}'::text[]",
    "uuid[]": "'{00000000-0000-0000-0000-000000000001}'::uuid[]",
    "bytea[]": r"'{}'::bytea[]",
    "timestamptz[]": "'{2026-03-02T09:00:00Z}'::timestamptz[]",
}
STATEMENTS = [s for s in all_statements().values() if not _NOT_DML.match(s.text)]


@pytest.fixture(scope="module")
def oracle(session_dsn: str) -> Iterator[Connection]:
    """The product's tables again, hash-partitioned by bucket, in a schema that hides the real ones.

    Its transaction holds locks on them, so it must end with this module: others make partitions.
    """
    link = connect(session_dsn, autocommit=False)
    link.execute("CREATE SCHEMA oracle")
    for table in sorted(SHARDED):
        keys = link.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
            [f"public.{table}"],
        ).fetchall()
        name = quoted.Identifier("oracle", table)
        link.execute(
            quoted.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS) PARTITION BY HASH (bucket)").format(
                name, quoted.Identifier("public", table)
            )
        )
        for (key,) in keys:
            link.execute(quoted.SQL("ALTER TABLE {} ADD " + key).format(name))
        for part in range(PARTS):
            link.execute(
                quoted.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS {}, REMAINDER {})").format(
                    quoted.Identifier("oracle", f"{table}_h{part}"), name, quoted.Literal(PARTS), quoted.Literal(part)
                )
            )
    link.execute("SET search_path TO oracle, public")
    yield link
    link.rollback()
    link.close()


def partitions_touched(link: Connection, statement: str) -> dict[str, set[int]]:
    """Partition numbers that the plan of a statement with literal values names, per table."""
    with link.transaction(force_rollback=True):
        for name, columns in re.findall(r"-- temp: (\w+) \((.+)\)", statement):
            link.execute(f"CREATE TEMP TABLE {name} ({columns})")  # type: ignore[arg-type]
        body = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
        plan = link.execute("EXPLAIN (COSTS OFF) " + body).fetchall()  # type: ignore[arg-type]
    touched: dict[str, set[int]] = {}
    for table, part in re.findall(r" on (\w+?)_h(\d+)\b", "\n".join(row[0] for row in plan)):
        touched.setdefault(table, set()).add(int(part))
    return touched


def with_samples(statement: Statement) -> str:
    """The statement with a literal of the declared type in place of each parameter."""
    types = parameter_types(statement)
    temp = "\n".join(line for line in statement.header.splitlines() if line.startswith("-- temp:"))
    body = re.sub(r"%\((\w+)\)s", lambda m: _SAMPLES[types[m.group(1)]], statement.text).replace("%%", "%")
    return f"{temp}\n{body}" if temp else body


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.name)
def test_a_statement_stays_in_one_bucket_or_says_why_not(oracle: Connection, statement: Statement) -> None:
    touched = partitions_touched(oracle, with_samples(statement))
    numbers = set().union(*touched.values()) if touched else set()
    verdict = judge(statement.text).verdict
    if declared_scope(statement) == "router":
        assert verdict == "router"
        assert len(numbers) <= 1, f"the planner visits {touched}"
    else:
        assert verdict == "fanout" or len(numbers) > 1, "declared fanout, but it stays in one bucket"


@pytest.mark.parametrize(
    ("statement", "touches"),
    [
        ("UPDATE outbox SET state = 'claimed' WHERE bucket = 7 AND id = '00000000-0000-0000-0000-000000000001'", 1),
        ("UPDATE outbox SET state = 'claimed' WHERE id = '00000000-0000-0000-0000-000000000001'", PARTS),
        ("SELECT 1 FROM carts c JOIN enrolments e ON e.cart_id = c.id WHERE c.bucket = 7", PARTS),
    ],
)
def test_the_oracle_sees_what_a_cluster_would_do(oracle: Connection, statement: str, touches: int) -> None:
    touched = partitions_touched(oracle, statement)
    assert len(set().union(*touched.values())) == touches


def test_the_oracle_knows_every_sharded_table(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.attname = 'bucket' AND a.attnum = 1 AND n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    ).fetchall()
    assert {row[0] for row in rows} == SHARDED


def test_every_sharded_table_leads_each_key_with_its_bucket(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype IN ('p', 'u', 'f') AND conrelid::regclass::text = ANY(%s)",
        [sorted(SHARDED)],
    ).fetchall()
    assert len(rows) >= len(SHARDED)
    assert [row for row in rows if not re.match(r"(PRIMARY KEY|UNIQUE) \(bucket, ", row[1])] == []


def test_a_refused_statement_is_an_error_not_a_pass(oracle: Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn):
        partitions_touched(oracle, "SELECT nope FROM carts WHERE bucket = 7")
