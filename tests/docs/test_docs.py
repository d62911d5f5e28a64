"""Does the documentation tell the truth?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
HAND_WRITTEN = [page for page in PAGES if "made by scripts/reference.py" not in page.read_text(encoding="utf-8")]


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_generated_reference_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.reference", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_path_in_the_text_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(
        r"`((?:rekindle|tests|bench|docs|scripts|frontend|engine|policy|store|web|providers|render|terms|lib|stats|simulate|commands)/[\w./-]+)`",
        text,
    ):
        places = [ROOT / path, ROOT / "rekindle" / path]
        assert any(place.exists() for place in places), f"{page.name} names {path}"


def test_the_architecture_answers_where_is_it_decided() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.split("## Where is ... decided?")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| `([\w/.]+)` \| `(\w+)` \|$", section, re.MULTILINE)
    assert len(rows) >= 15
    for question, path, name in rows:
        source = (ROOT / "rekindle" / path).read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?(?:def|class) {name}\b|^    (?:async )?def {name}\b", source, re.MULTILINE), (
            question
        )


def test_every_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in HAND_WRITTEN:
        for target in re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")):
            assert target in targets, f"{page.name}: make {target}"


def test_every_setting_has_a_meaning() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(REKINDLE_\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert rows
    assert [name for name, meaning in rows if not meaning] == []


def test_every_state_has_a_meaning_where_an_operator_sees_it() -> None:
    page = (ROOT / "docs" / "reference" / "states.md").read_text(encoding="utf-8")
    for section in ("CartState", "SendState"):
        body = page.split(f"## {section}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|$", body, re.MULTILINE)
        assert rows
        assert [value for value, meaning in rows if not meaning] == []


def test_decision_records_name_what_enforces_them() -> None:
    for record in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")):
        text = record.read_text(encoding="utf-8")
        assert "**Decision.** *" in text, record.name
        assert "**Enforced by**" in text, record.name


def test_nothing_third_party_or_built_is_committed() -> None:
    assert [
        path for path in tracked() if re.search(r"\.min\.(js|css)$|node_modules/|/vendor/|static/dist/", path)
    ] == []


def test_no_package_registry_is_named() -> None:
    words = ["pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "npmjs" + ".org", "deb." + "debian"]
    offenders = []
    for path in tracked():
        data = (ROOT / path).read_bytes() if (ROOT / path).is_file() else b""
        offenders += [f"{path}: {word}" for word in words if word.encode() in data]
    assert offenders == []
