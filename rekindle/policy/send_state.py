"""In which state is a send? Its row in the outbox says so while there is one; afterwards the facts of its past do.

Webhooks may arrive in any order, so the furthest fact counts and not the latest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rekindle.terms.send import SendEventKind, SendState

#: From the furthest fact to the nearest. A mail can bounce after its server said "delivered"; one that was handed over
#: was sent whatever was thought of it before, and one that the provider then gave up failed after all.
_FURTHEST_FIRST: Final = (
    (SendEventKind.BOUNCED, SendState.BOUNCED),
    (SendEventKind.DELIVERED, SendState.DELIVERED),
    (SendEventKind.DROPPED, SendState.FAILED),
    (SendEventKind.RESENT, SendState.RESENT),
    (SendEventKind.HANDED_OVER, SendState.HANDED_OVER),
    (SendEventKind.FAILED, SendState.FAILED),
    (SendEventKind.SKIPPED, SendState.SKIPPED),
    (SendEventKind.UNCERTAIN, SendState.UNCERTAIN),
)


def send_state(in_outbox: SendState | None, happened: Iterable[SendEventKind]) -> SendState | None:
    """The state of a send; None when nothing is known of it.

    >>> send_state(SendState.SCHEDULED, []).value
    'scheduled'
    >>> send_state(None, [SendEventKind.CLICKED, SendEventKind.HANDED_OVER, SendEventKind.UNCERTAIN]).value
    'handed_over'
    """
    if in_outbox is not None:
        return in_outbox
    kinds = set(happened)
    return next((state for kind, state in _FURTHEST_FIRST if kind in kinds), None)
