"""Write the reference pages from the code, or say which of them no longer tell the truth.

python -m scripts.reference            writes docs/reference/*.md
python -m scripts.reference --check    exits 1 if a page differs
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import io
import os
import re
import sys
import tokenize
from enum import Enum
from pathlib import Path

from scripts.export_schema import export_schema
from scripts.policy_page import policy_pack

os.environ.setdefault("REKINDLE_DEBUG", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rekindle.settings")

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "reference"
MADE = "<!-- made by scripts/reference.py; do not edit -->\n"


def reasons() -> str:
    from rekindle.terms.reasons import Reason

    lines = [
        "# Reasons",
        "",
        MADE,
        "Every decision is stored with one of these.",
        "",
        "| reason | meaning |",
        "|---|---|",
    ]
    return "\n".join([*lines, *(f"| `{reason.value}` | {reason.sentence} |" for reason in Reason)]) + "\n"


def states() -> str:
    from rekindle.terms import cart, consent, decision, event, privacy_request, send

    lines = ["# States and kinds", "", MADE]
    for module in (cart, send, decision, consent, event, privacy_request):
        for name, thing in inspect.getmembers(module, inspect.isclass):
            if issubclass(thing, Enum) and thing.__module__ == module.__name__:
                notes = member_notes(thing)
                lines += [f"## {name}", "", inspect.getdoc(thing) or "", "", "| value | meaning |", "|---|---|"]
                lines += [f"| `{member.value}` | {notes.get(member.name, '')} |" for member in thing]
                lines.append("")
    return "\n".join(lines)


def member_notes(thing: type[Enum]) -> dict[str, str]:
    """The ``#:`` comment behind each member of an enum."""
    return dict(re.findall(r"^\s+([A-Z_0-9]+) = .*?#: (.+)$", inspect.getsource(thing), re.MULTILINE))


def settings() -> str:
    path = ROOT / "rekindle" / "settings.py"
    lines = [
        "# Settings",
        "",
        MADE,
        "Read from the environment at start; a value that cannot be used stops the start.",
        "",
    ]
    lines += ["| variable | meaning | default |", "|---|---|---|"]
    lines.append(
        "| `DATABASE_URL` | PostgreSQL 16 or newer; without it one is started under `REKINDLE_HOME`. | embedded |"
    )
    lines += [
        f"| `{name}` | {note} | {default} |" for name, note, default in setting_rows(path.read_text(encoding="utf-8"))
    ]
    lines += ["", "Secrets may also be given as files: `REKINDLE_SECRET_KEY_FILE` and so on.", ""]
    return "\n".join(lines)


def setting_rows(text: str) -> list[tuple[str, str, str]]:
    """(variable, meaning, default) of each reader call; the meaning is the ``#:`` comment above it."""
    comments = {
        token.start[0]: token.string[2:].strip()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and token.string.startswith("#:")
    }
    rows = []
    for node in ast.walk(ast.parse(text)):
        is_reader = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if not is_reader or node.func.id not in ("_text", "_flag", "_number", "_secret") or not node.args:
            continue
        if isinstance(node.args[0], ast.Constant):
            rows.append((f"REKINDLE_{node.args[0].value}", note_above(comments, node.lineno), default_of(node)))
    return sorted(set(rows))


def note_above(comments: dict[int, str], line: int) -> str:
    found = []
    line -= 1
    while line in comments:
        found.append(comments[line])
        line -= 1
    return " ".join(reversed(found))


def default_of(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name) and call.func.id == "_secret":
        return "required"
    values = [k.value for k in call.keywords if k.arg == "default"] or call.args[1:2]
    if not values or not isinstance(values[0], ast.Constant) or values[0].value in ("", None):
        return ""
    value = values[0].value
    return f"`{int(value) if isinstance(value, bool) else value}`"


def statements() -> str:
    from rekindle.store.statements import all_statements

    lines = ["# SQL statements", "", MADE, "All hot statements, as their headers describe them.", ""]
    file = ""
    for statement in sorted(all_statements().values(), key=lambda s: (s.file, s.name)):
        if statement.file != file:
            file = statement.file
            lines += [f"## {file}", ""]
        header = "\n".join(line[2:].lstrip() for line in statement.header.splitlines())
        lines += [f"### {statement.name}", "", "```", header, "```", ""]
    return "\n".join(lines)


def commands() -> str:
    from rekindle.commands.cli import discover, parser_of

    os.environ["COLUMNS"] = "100"
    lines = ["# Commands", "", MADE, "Besides these, Django's own: see `rekindle --help`.", ""]
    for name in discover():
        lines += [f"## rekindle {name}", "", "```", parser_of(name).format_help().strip(), "```", ""]
    return "\n".join(lines)


def retention() -> str:
    from rekindle.terms.retention import FOREVER, KEPT, DataClass

    notes = member_notes(DataClass)
    lines = [
        "# How long what is kept",
        "",
        MADE,
        "Once a day a worker looks through every class; a shop may choose other",
    ]
    lines += ["days within the bounds (`rekindle retention set`). What went when: `rekindle retention report`.", ""]
    lines += ["| class | what | days | bounds | then | source |", "|---|---|---|---|---|---|"]
    for one, kept in KEPT.items():
        bounds = f"{kept.least} to {kept.most}"
        lines.append(f"| `{one.value}` | {notes[one.name]} | {kept.days} | {bounds} | {kept.end} | {kept.src} |")
    lines += ["", f"Kept for good: {', '.join(FOREVER)}. A file for an access request lies there for 24 hours.", ""]
    return "\n".join(lines)


def policy() -> str:
    return policy_pack(MADE)


GENERATED = {
    "reasons": reasons,
    "states": states,
    "settings": settings,
    "sql": statements,
    "commands": commands,
    "policy-pack": policy,
    "retention": retention,
    "subject-export.schema.json": export_schema,
}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    django = importlib.import_module("django")
    django.setup()
    stale = []
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, make in GENERATED.items():
        path, text = PAGES / (name if "." in name else f"{name}.md"), make()
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
