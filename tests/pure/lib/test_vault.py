"""Credentials at rest open for their owner and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.lib.vault import VaultError, VaultKeys, is_current, open_sealed, seal

KEY, OTHER = b"k" * 32, b"o" * 48


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_was_sealed_opens_again(secret: bytes, owner: str) -> None:
    assert open_sealed(KEY, seal(KEY, secret, owner), owner) == secret


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert seal(KEY, b"password", "a") != seal(KEY, b"password", "a")
    assert b"password" not in seal(KEY, b"password", "a")


@pytest.mark.parametrize(("key", "owner"), [(OTHER, "shop 7"), (KEY, "shop 8")])
def test_another_key_or_owner_does_not_open_it(key: bytes, owner: str) -> None:
    with pytest.raises(VaultError):
        open_sealed(key, seal(KEY, b"password", "shop 7"), owner)


@pytest.mark.parametrize("position", [0, 1, 12, 13, 20, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    sealed = bytearray(seal(KEY, b"password", "shop 7"))
    sealed[position] ^= 1
    with pytest.raises(VaultError):
        open_sealed(KEY, bytes(sealed), "shop 7")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"plain text that somebody put there by hand"])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(VaultError):
        open_sealed(KEY, sealed, "shop 7")


def test_a_short_vault_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        seal(b"short", b"x", "a")


def test_an_older_key_opens_until_everything_is_sealed_anew() -> None:
    old, both = seal(OTHER, b"password", "shop 7"), VaultKeys(KEY, (b"x" * 32, OTHER))
    assert open_sealed(both, old, "shop 7") == b"password"
    assert not is_current(both, old, "shop 7")
    new = seal(both, b"password", "shop 7")
    assert is_current(both, new, "shop 7")
    assert open_sealed(KEY, new, "shop 7") == b"password"
    with pytest.raises(VaultError):
        open_sealed(OTHER, new, "shop 7")
    with pytest.raises(VaultError):
        open_sealed(both, old, "shop 8")
