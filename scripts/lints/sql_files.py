"""Is every SQL statement described, used, timeless and in one bucket?

Prevents: statements nobody can read or that nobody calls; clocks hidden in SQL; statements that silently visit every
shard. A statement that must fan out says so in its header: ``-- scope: fanout (reason)``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import sqlglot

from rekindle.store.statements import Statement, all_statements

from .shard_scope import judge

ROOT = Path(__file__).resolve().parents[2]
_PARAMETER = re.compile(r"%\((\w+)\)s")
_DECLARED = re.compile(r":(\w+) +([a-z_ ]+(?:\[\])?)")
_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp)\s*\(|\bcurrent_(timestamp|date|time)\b", re.I
)
_NOT_DML = re.compile(r"^\s*(copy|create|set|truncate|analyze|listen|notify|drop)\b", re.I)


def problems(statement: Statement, source: str) -> list[str]:
    """What is wrong with one statement; ``source`` is all Python text of the product."""
    out = []
    header = statement.header.splitlines()
    described = [line for line in header if not re.match(r"-- (in|out|locks|index|scope|temp):", line)]
    if not described:
        out.append("header: say in a sentence what it does")
    out += [f"header: '-- {part}:' is missing" for part in ("in", "out", "locks") if not _has(header, part)]
    if "index:" not in statement.header:
        out.append("header: 'index:' is missing (say 'none' and why when there is none)")
    out += _parameter_problems(statement, header)
    if _CLOCK.search(statement.text):
        out.append("clock: pass the time as a parameter")
    if f'"{statement.name}"' not in source:
        out.append("unused: no code names it")
    return out + _scope_problems(statement)


def declared_scope(statement: Statement) -> str:
    """``router``, or ``fanout`` where the header says so with a reason."""
    match = re.search(r"-- scope: (\w+)(?: \((.+)\))?", statement.header)
    if match and match.group(1) == "fanout" and match.group(2):
        return "fanout"
    return "router"


def parameter_types(statement: Statement) -> dict[str, str]:
    """Parameter names and their SQL types, as the header's ``in:`` lines declare them."""
    inside, collected = False, []
    for line in statement.header.splitlines():
        if line.startswith("-- in:"):
            inside = True
        elif re.match(r"-- (out|locks|index|scope|temp):", line):
            inside = False
        if inside:
            collected.append(line)
    return {name: kind.strip() for name, kind in _DECLARED.findall(" ".join(collected))}


def _has(header: list[str], part: str) -> bool:
    return any(line.startswith(f"-- {part}:") for line in header)


def _parameter_problems(statement: Statement, header: list[str]) -> list[str]:
    used, declared = set(_PARAMETER.findall(statement.text)), set(parameter_types(statement))
    out = [f"header: parameter {name} has no type in 'in:'" for name in sorted(used - declared)]
    return out + [f"header: parameter {name} is declared but not used" for name in sorted(declared - used)]


def _scope_problems(statement: Statement) -> list[str]:
    if _NOT_DML.match(statement.text):
        return []
    try:
        found = judge(statement.text)
    except sqlglot.ParseError as error:
        return [f"scope: cannot be read: {str(error).splitlines()[0]}"]
    if found.verdict == "reject":
        return [f"scope: a cluster refuses this: {'; '.join(found.reasons)}"]
    if found.verdict == "fanout" and declared_scope(statement) != "fanout":
        return [f"scope: visits several buckets ({'; '.join(found.reasons)}); tie it to one or declare fanout (reason)"]
    return []


def main() -> int:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rekindle").rglob("*.py"))
    bad = 0
    for statement in all_statements().values():
        for problem in problems(statement, source):
            bad += 1
            print(f"rekindle/store/sql/{statement.file}: {statement.name}: {problem}")
    print(f"sql: {len(all_statements())} statements, {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
