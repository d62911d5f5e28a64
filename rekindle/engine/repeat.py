"""May a message that perhaps went out be handed over once more? Only where the provider knows it by its key.

The key is the send's, the same in all attempts. A provider that remembers it answers without a second delivery, as
long as it remembers, and as long as the message is the same: so a digest of what is said is stored before it is said
for the first time, and a repeat is composed as of that instant and compared. What cannot be repeated is left to a
person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from rekindle.engine.batch import Going
from rekindle.providers.base import Capabilities, Letter
from rekindle.store.outbox import FirstTry

#: A repeat begins at least this long before the provider forgets the key: its clock is not ours.
MARGIN: Final = timedelta(seconds=30)


@dataclass(slots=True)
class Tries:
    """``first``: to be remembered before they go. ``unsafe``: repeats that must not go."""

    first: list[FirstTry] = field(default_factory=list)
    unsafe: list[Going] = field(default_factory=list)


def may_repeat(can: Capabilities, first_try_at: datetime, now: datetime) -> bool:
    """Does the provider still know the key of a message that first went out then?"""
    ttl = can.idempotency_ttl_s
    return ttl is not None and now + MARGIN < first_try_at + timedelta(seconds=ttl)


def tries(wave: Sequence[Going], can: Capabilities, now: datetime) -> Tries:
    """The messages of one account, as first tries or as repeats."""
    found = Tries()
    for one in wave:
        held = one.candidate.held
        if held.only_account is not None:
            is_same = held.letter_hash is not None and bytes(held.letter_hash) == digest(one)
            if held.first_try_at is None or not is_same or not may_repeat(can, held.first_try_at, now):
                found.unsafe.append(one)
        elif can.idempotency_ttl_s is not None:
            found.first.append(FirstTry(id=held.id, letter_hash=digest(one).hex()))
    return found


def digest(one: Going) -> bytes:
    """Of everything that a request is made of, besides the account: 32 bytes."""
    letter = one.letter
    assert isinstance(letter, Letter), "only e-mail providers know keys"
    facts = repr((letter.send_id, letter.message_id, letter.sender, letter.recipient, letter.parts))
    return hashlib.sha256(facts.encode() + b"\0" + letter.content).digest()
