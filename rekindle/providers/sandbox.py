"""A provider that sends nothing: for trials of a whole installation, with answers for every kind of trouble.

It works only where the installation says so (REKINDLE_SANDBOX) and where a shop has no real account on the channel, so
that no message ends here by accident. What it takes has a name that begins with ``sandbox-``. As with the simulators of
providers, the recipient decides the answer: the part of an address before the first ``+`` or ``@``, or a number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Fault,
    Letter,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Sms,
    Uncertain,
)

KIND: Final = "sandbox"
_WIDTH: Final = 32
_SAID: Final = "the sandbox was told to say so"
ANSWERS: Final[Mapping[str, Outcome]] = {
    "bounce": Rejected(True, "550", _SAID, Fault.RECIPIENT),
    "optout": Rejected(True, "optout", _SAID, Fault.OPTED_OUT),
    "refused": Rejected(True, "554", _SAID, Fault.LETTER),
    "later": Rejected(False, "451", _SAID, Fault.LETTER),
    "failing": Rejected(False, "500", _SAID, Fault.PROVIDER),
    "busy": NotStarted("429", _SAID, Pause.BACK_OFF, 60.0),
    "revoked": NotStarted("401", _SAID, Pause.OPERATOR),
    "lost": Uncertain(_SAID),
}
#: Numbers that belong to nobody (North American 500-555), with the meanings of Twilio's test mode where it has one.
NUMBERS: Final[Mapping[str, Outcome]] = {
    "+15005550001": ANSWERS["bounce"],
    "+15005550002": ANSWERS["refused"],
    "+15005550003": ANSWERS["busy"],
    "+15005550004": ANSWERS["optout"],
    "+15005550008": ANSWERS["lost"],
    "+15005550009": ANSWERS["bounce"],
}


class Sandbox:
    """An `EmailProvider` and an `SmsProvider` in one."""

    def __init__(self) -> None:
        self._is_open = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def start_width(self) -> int:
        return _WIDTH if self._is_open else 0

    @property
    def trouble(self) -> NotStarted | None:
        return None

    async def open(self) -> None:
        self._is_open = True

    async def prepare(self, width: int) -> int:
        return min(self.start_width, width)

    def start(self, messages: Sequence[Letter | Sms]) -> list[asyncio.Future[Outcome]]:
        return [self._start(message) for message in messages]

    async def lookup(self, trace: object) -> bool | None:
        return None

    async def close(self) -> None:
        self._is_open = False

    def _start(self, message: Letter | Sms) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        outcome = answer_to(message.recipient) or Accepted(
            f"sandbox-{message.send_id}", "not sent: this is the sandbox"
        )
        loop.call_soon(_answer, future, outcome)
        return future


def _answer(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def answer_to(recipient: str) -> Outcome | None:
    """The trouble that a recipient stands for; None: the message is taken.

    >>> answer_to("bounce+7@shop.example").code, answer_to("ada@shop.example")
    ('550', None)
    """
    if recipient in NUMBERS:
        return NUMBERS[recipient]
    local = recipient.partition("@")[0].partition("+")[0] if "@" in recipient else ""
    return ANSWERS.get(local.lower())
