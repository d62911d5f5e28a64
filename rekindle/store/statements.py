"""Which SQL statements are there? Named queries from rekindle/store/sql, all read at import, each used.

A statement's header says what goes in and out, what it locks and which index carries it:

    -- name: claim_idle_carts
    -- What it does, in a sentence.
    -- in:    :bucket int, :now timestamptz
    -- out:   id, ...                      0..n rows
    -- locks: carts rows, SKIP LOCKED      index: carts_check
    -- scope: router | fanout (reason)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import LiteralString

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement: ``text`` with %(name)s parameters, ``header`` as written, ``file`` it came from."""

    name: str
    text: LiteralString
    header: str
    file: str


def sql(name: str) -> LiteralString:
    """The text of a named statement. Raises KeyError for an unknown name."""
    return all_statements()[name].text


@cache
def all_statements() -> dict[str, Statement]:
    """Every statement by name. Raises ValueError if two share a name."""
    found: dict[str, Statement] = {}
    for entry in sorted(resources.files("rekindle.store").joinpath("sql").iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".sql"):
            continue
        for statement in _split(entry.read_text(encoding="utf-8"), entry.name):
            if statement.name in found:
                raise ValueError(f"two statements are called {statement.name}")
            found[statement.name] = statement
    return found


def _split(text: str, file: str) -> list[Statement]:
    marks = list(_NAME.finditer(text))
    out = []
    for index, mark in enumerate(marks):
        end = marks[index + 1].start() if index + 1 < len(marks) else len(text)
        lines = text[mark.end() : end].strip().splitlines()
        header = [line for line in lines if line.startswith("--")]
        body = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")
        out.append(Statement(mark.group(1), body, "\n".join(header), file))
    return out
