"""Are keyed hashes those of the standard? Stored ones must be found again by any release."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.lib.hashing import hmac_sha256, keyed_hash


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_as_the_standard_library(key: bytes, message: bytes) -> None:
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


def test_a_vector_of_rfc_4231() -> None:
    """Test case 2 of the standard."""
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        keyed_hash(b"k" * 31, "part")
