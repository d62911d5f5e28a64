"""Is there a legal basis to write to this address on this channel, and can it be proven?"""

from __future__ import annotations

from rekindle.terms.consent import ConsentKind, ConsentState
from rekindle.terms.send import Channel

#: Soft opt-in exists for electronic mail only (2002/58/EC art. 13(2)); SMS and push need express consent.
_SOFT_CHANNELS = frozenset({Channel.EMAIL})


def basis(consent: ConsentState | None, channel: Channel) -> str | None:
    """Name of the basis, or None: unknown, pending and withdrawn consent, and one without its wording, are none.

    Express consent must be demonstrable (GDPR art. 7(1)), so the wording that was agreed to has to be stored.

    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> basis(ConsentState(kind=ConsentKind.EXPRESS, at=at, wording="v3"), Channel.EMAIL)
    'express'
    >>> basis(ConsentState(kind=ConsentKind.SOFT_OPT_IN, at=at), Channel.SMS) is None
    True
    """
    if consent is None:
        return None
    if consent.kind is ConsentKind.EXPRESS and consent.wording.strip():
        return consent.kind.value
    if consent.kind is ConsentKind.SOFT_OPT_IN and channel in _SOFT_CHANNELS:
        return consent.kind.value
    return None
