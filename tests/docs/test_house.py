"""Do the commands, locks and scripts of this checkout keep what they promise?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import find_chromium, setup

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==([^ ;]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / "requirements" / f"{name}.lock").read_text()))


def test_make_alone_explains_every_target() -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    explained = re.findall(r"^  ([a-z-]+) +\S", told, re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(targets)
    wanted = {"setup", "demo", "test", "test-fast", "check", "lint", "fix", "types", "bench", "docs", "docs-check"}
    assert wanted | {"serve", "worker", "clean"} <= set(explained)


def test_ci_runs_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make check" in script.read_text()
    planned = subprocess.run(
        ["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "lint types test-frontend test" in planned


@pytest.mark.parametrize("name", ["base", "dev", "bench", "node"])
def test_every_requirement_is_pinned_by_hashes_and_by_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry or "==" not in entry] == []
    assert "://" not in text


def test_each_lock_holds_all_of_the_one_before_it() -> None:
    for smaller, larger in (("base", "dev"), ("dev", "bench")):
        missing = {name: version for name, version in pins(smaller).items() if pins(larger).get(name) != version}
        assert missing == {}, f"{smaller}.lock and {larger}.lock disagree: make lock"


def test_what_the_product_needs_is_locked() -> None:
    wanted = (ROOT / "requirements" / "base.in").read_text().split()
    assert [line for line in wanted if re.split(r"[\[<>=]", line)[0] not in pins("base")] == []


def test_the_front_end_is_locked_without_addresses() -> None:
    packages = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    assert len(packages) > 10
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []


@pytest.mark.parametrize(
    ("told", "fits"),
    [
        ("v20.20.2", True),
        ("v20.18.0", False),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("x", False),
    ],
)
def test_only_a_node_that_the_build_runs_on_is_used(tmp_path: Path, told: str, fits: bool) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {told}\n")
    node.chmod(0o755)
    assert (setup.node_version(node) is not None) is fits


def test_a_file_that_does_not_start_is_no_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "chromium"
    stub.write_text("#!/bin/sh\necho 'install the snap instead'\nexit 1\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("REKINDLE_CHROMIUM", raising=False)
    assert find_chromium.find() is None
    stub.write_text("#!/bin/sh\nexit 0\n")
    assert find_chromium.find() == stub


def test_without_a_way_to_install_one_the_reason_is_said(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "scripts.find_chromium", "--install"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == ""
    assert answer.stderr.startswith("Browser tests will be skipped: no Chromium was found")


def test_too_old_a_python_is_told_what_to_do(tmp_path: Path) -> None:
    source = (ROOT / "scripts" / "setup.py").read_text().replace("MINIMUM = (3, 11)", "MINIMUM = (99, 0)")
    (tmp_path / "setup.py").write_text(source)
    answer = subprocess.run(
        [sys.executable, str(tmp_path / "setup.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Rekindle needs Python 3.11 or newer; ")
    assert "Traceback" not in answer.stderr
