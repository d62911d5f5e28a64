"""What does every verb need besides its data? Time, keys and the public address, handed in, never looked up."""

from __future__ import annotations

from dataclasses import dataclass

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.lib.hashing import keyed_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """``hash_key`` keys address hashes and the holdout draw, ``vault_key`` encrypts credentials (32+ bytes each)."""

    hash_key: bytes
    vault_key: bytes
    public_url: str
    clock: Clock = SYSTEM_CLOCK

    def address_hash(self, shop_id: int, channel: str, address: str) -> bytes:
        """The keyed hash under which an address is found, suppressed and remembered after erasure."""
        return keyed_hash(self.hash_key, "address", str(shop_id), channel, address)
