#!/usr/bin/env python3
"""Which Chromium do the browser tests use?

Prints its path, or nothing when there is none (standard error then says why the browser tests are skipped). Looked for:
REKINDLE_CHROMIUM, the usual names on PATH, Playwright's own downloads. With --install, root on a Debian-like system
gets the distribution's package when none is found. Standard library only; tests import `find`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
DOWNLOADS = ".cache/ms-playwright/chromium-*/chrome-linux*/chrome"
PACKAGES = ("chromium", "fonts-dejavu-core")


def find() -> Path | None:
    """The first Chromium that starts, or None."""
    return next((path for path in _candidates() if _starts(path)), None)


def install() -> str:
    """Install the distribution's package; returns why that was not possible, or an empty text."""
    apt = shutil.which("apt-get")
    if apt is None:
        return "no Chromium was found, and there is no apt-get to install one with"
    if os.geteuid() != 0:
        return "no Chromium was found; install one (as root: apt-get install chromium)"
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    begun = time.monotonic()
    print("Installing Chromium for the browser tests (apt-get) ...", file=sys.stderr, flush=True)
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *PACKAGES]):
        answer = subprocess.run([apt, *words], env=environ, capture_output=True, text=True, check=False)
        if answer.returncode != 0 and words[0] == "install":
            last = (answer.stderr or answer.stdout).strip().splitlines()[-1:] or ["no reason given"]
            return f"no Chromium was found, and apt-get could not install one: {last[0]}"
    print(f"Chromium was installed in {time.monotonic() - begun:.0f} s.", file=sys.stderr, flush=True)
    return ""


def _candidates() -> Iterator[Path]:
    named = os.environ.get("REKINDLE_CHROMIUM")
    if named:
        yield Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from sorted(Path.home().glob(DOWNLOADS), reverse=True)


def _starts(path: Path) -> bool:
    """A file is not enough: some distributions' package is a stub that only says to use another one."""
    try:
        return subprocess.run([str(path), "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the path of the Chromium for the browser tests.")
    parser.add_argument("--install", action="store_true", help="install one where there is none and we may")
    wanted = parser.parse_args().install
    path = find()
    reason = "no Chromium was found (REKINDLE_CHROMIUM may name one)"
    if path is None and wanted:
        reason = install()
        path = find()
    if path is None:
        print(f"Browser tests will be skipped: {reason or 'the installed Chromium does not start'}.", file=sys.stderr)
    else:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
