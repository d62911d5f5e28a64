"""What is written down about something that a person did? Who, what, to which thing, and whether it was let."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec


class LogOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"  #: the person may not do this, or the password was wrong
    FAILED = "failed"  #: it was tried, and something was wrong with it


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done or tried. ``actor``: the account's name, or "command line"; ``subject``: ids of what it
    was done to, never an address; ``facts``: JSON values, names of secrets and never their values; ``network``: where
    from."""

    actor: str
    action: str
    outcome: LogOutcome = LogOutcome.DONE
    shop_id: int | None = None
    subject: str = ""
    facts: Mapping[str, object] = msgspec.field(default_factory=dict)
    network: str = ""


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A deed as it stands in the log; ``seq`` counts from 1 over the installation."""

    seq: int
    at: datetime
    shop_id: int | None
    actor: str
    action: str
    outcome: str
    subject: str
    facts: Mapping[str, object]
    network: str
    previous_hash: bytes
    row_hash: bytes
