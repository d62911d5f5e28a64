"""What does every verb need besides its data? Time, keys and the public address, handed in, never looked up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.lib.hashing import keyed_hash
from rekindle.lib.journal import Journal
from rekindle.lib.vault import VaultKey


@lru_cache(maxsize=16)
def domain_of(url: str) -> str:
    """The host of an address, fit for a Message-ID.

    >>> domain_of("https://rekindle.shop.example:8443/x"), domain_of("http://[::1]:8000")
    ('rekindle.shop.example', 'localhost')
    """
    host = urlsplit(url).hostname or ""
    return host if host and ":" not in host else "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """``hash_key`` keys address hashes and the holdout draw, ``vault_key`` encrypts credentials (32+ bytes each)."""

    hash_key: bytes = field(repr=False)
    vault_key: VaultKey = field(repr=False)
    public_url: str
    clock: Clock = SYSTEM_CLOCK
    sandbox: bool = False  #: a trial: accounts at the sandbox work
    heads_file: Path | None = None  #: where the ends of the chains are kept outside of the database
    journal: Journal | None = None  #: where refusals are kept outside the database; None: nowhere
    push_hosts: tuple[str, ...] = ()  #: push services besides the known ones, as `lib.push_endpoint` takes them

    @property
    def message_domain(self) -> str:
        """The domain of Message-IDs: where this installation is reached."""
        return domain_of(self.public_url)

    def address_hash(self, shop_id: int, channel: str, address: str) -> bytes:
        """The keyed hash under which an address is found, suppressed and remembered after erasure."""
        return keyed_hash(self.hash_key, "address", str(shop_id), channel, address)
