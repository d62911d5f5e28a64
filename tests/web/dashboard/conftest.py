"""Which fixtures do the dashboard's tests share?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test.utils import setup_test_environment, teardown_test_environment

from tests.web.world import grounds, seeded, world

__all__ = ["grounds", "seeded", "world"]


@pytest.fixture(scope="session", autouse=True)
def _templates_remember_their_context() -> Iterator[None]:
    """`response.context` in tests."""
    setup_test_environment()
    yield
    teardown_test_environment()
