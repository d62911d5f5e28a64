"""Is the front end pinned, free of registry names and of third-party code, and as small as promised?"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
DIST = ROOT / "rekindle" / "web" / "static" / "dist"
BUILT = (
    "charts.js",
    "dashboard.css",
    "dashboard.js",
    "icons.svg",
    "public.css",
    "push-worker.js",
    "storefront.js",
    "theme.js",
)


def test_every_package_is_pinned_to_one_version_and_its_hash() -> None:
    package = json.loads((FRONTEND / "package.json").read_text())
    wanted = package["dependencies"] | package["devDependencies"]
    assert [name for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    locked = json.loads((FRONTEND / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    packages = {path: entry for path, entry in locked.items() if path}
    assert [path for path, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
    assert [path for path, entry in packages.items() if "resolved" in entry] == []


def test_no_minified_or_foreign_code_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [
        ROOT / name for name in listed.stdout.decode().split("\0") if name.endswith((".js", ".mjs", ".ts", ".css"))
    ]
    assert [file for file in files if "node_modules" in file.parts or ".min." in file.name] == []
    longest = {file: max(map(len, file.read_text().splitlines()), default=0) for file in files if file.is_file()}
    assert {file.name: length for file, length in longest.items() if length > 200} == {}


def test_the_icons_are_a_sorted_list_without_repeats() -> None:
    names = json.loads((FRONTEND / "icons.json").read_text())
    assert names == sorted(set(names))


def test_what_is_built_is_what_the_readme_says_and_small_enough() -> None:
    if not DIST.is_dir():
        pytest.skip("the front end is not built: run make setup")
    assert sorted(path.name for path in DIST.iterdir()) == sorted(BUILT)
    readme = (FRONTEND / "README.md").read_text()
    assert [name for name in BUILT if f"`{name}`" not in readme] == []
    assert len(gzip.compress((DIST / "storefront.js").read_bytes(), 9)) < 6_000


def test_nothing_built_fetches_from_another_host() -> None:
    if not DIST.is_dir():
        pytest.skip("the front end is not built: run make setup")
    css = "".join((DIST / name).read_text() for name in BUILT if name.endswith(".css"))
    assert re.findall(r"""(?:url\(|@import\s+)["']?(?:https?:)?//[^)"']+""", css) == []
    scripts = "".join((DIST / name).read_text() for name in BUILT if name.endswith(".js"))
    hosts = set(re.findall(r"https?://([\w.-]+)", scripts))
    assert hosts <= {"www.w3.org"}  # the names of XML namespaces
