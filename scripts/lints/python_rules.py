"""Do the modules keep the rules that ruff and import-linter cannot see?

- clock: no module but lib/clock.py asks the machine for the time of day (a replay would see two times).
- sharded-orm: no code uses a sharded model's manager (the ORM forgets the bucket and visits every shard).
- hidden-import: no ``get_model`` and no reverse relation name (both jump over the layers unseen).
- size: a file answers one question; past 400 lines it answers several.
- name: no module is called utils, helpers, manager, service, common or misc.

A line may end with ``# lint-skip: <rule> (<reason>)``.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400
_CLOCK = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("timezone", "now"),
}
_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "service", "services", "common", "misc"}
_SKIP = re.compile(r"# lint-skip: ([a-z-]+) \(.{5,}\)")
_SHARDED_MODELS = set(
    """Attribution CartRow Consent ContactPoint Coupon Decision Enrolment Event Exposure Order Outbox Product
    ProductPair Rollup Send SendEvent Shopper Suppression Visitor""".split()
)


def problems(path: Path, text: str) -> list[tuple[int, str, str]]:
    """(line, rule, sentence) for each offence in one module."""
    found: list[tuple[int, str, str]] = []
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        found.append((1, "size", f"{len(lines)} lines; split by question at {MAX_LINES}"))
    if path.stem in _NAMES:
        found.append((1, "name", f"a module called {path.stem} says nothing"))
    for node in ast.walk(ast.parse(text)):
        found += _offences(node, path)
    return [f for f in found if not _skipped(lines, f)]


def _offences(node: ast.AST, path: Path) -> list[tuple[int, str, str]]:
    out = []
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        pair = (node.value.id, node.attr)
        if pair in _CLOCK and path.name != "clock.py":
            out.append((node.lineno, "clock", f"{pair[0]}.{pair[1]}: time comes from a Clock"))
        if node.attr == "objects" and node.value.id in _SHARDED_MODELS:
            out.append((node.lineno, "sharded-orm", f"{node.value.id}.objects: use a statement that names the bucket"))
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "get_model":
            out.append((node.lineno, "hidden-import", "get_model jumps over the layers"))
        if name in ("ForeignKey", "OneToOneField", "ManyToManyField") and "models" in path.parts:
            related = [k.value for k in node.keywords if k.arg == "related_name"]
            if not (related and isinstance(related[0], ast.Constant) and related[0].value == "+"):
                out.append((node.lineno, "hidden-import", 'a relation needs related_name="+"'))
    return out


def _skipped(lines: list[str], offence: tuple[int, str, str]) -> bool:
    match = _SKIP.search(lines[offence[0] - 1]) if lines else None
    return bool(match and match.group(1) == offence[1])


def main() -> int:
    bad = 0
    for path in sorted((ROOT / "rekindle").rglob("*.py")):
        if "migrations" in path.parts:
            continue
        for line, rule, sentence in problems(path, path.read_text(encoding="utf-8")):
            bad += 1
            print(f"{path.relative_to(ROOT)}:{line}: {rule}: {sentence}")
    print(f"python rules: {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
