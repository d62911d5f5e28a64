"""Where do the providers' own vectors and specifications lie? Beside the checkout, or where REKINDLE_SHARED says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("REKINDLE_SHARED") or ROOT.parent / "shared")
CONTRACTS = SHARED / "contracts"

needs_contracts = pytest.mark.skipif(
    not CONTRACTS.is_dir(), reason=f"no providers' contracts in {CONTRACTS}: set REKINDLE_SHARED"
)


def load(name: str) -> Any:
    """A JSON file of the contracts; skips the test, visibly, where they are not there."""
    path = CONTRACTS / name
    if not path.is_file():
        pytest.skip(f"{path} is not there: set REKINDLE_SHARED")
    return json.loads(path.read_text(encoding="utf-8"))


def vectors(name: str) -> list[Any]:
    """For parametrisation at collection time: nothing where the file is not there (the test of its presence skips)."""
    path = CONTRACTS / name
    return list(json.loads(path.read_text(encoding="utf-8"))["vectors"]) if path.is_file() else []
