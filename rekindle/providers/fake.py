"""The shipped fake: takes letters, remembers them, answers as told. For tests, trials and dry runs; never for sending.

It keeps the contract of `EmailProvider` to the letter, so that what passes against it passes against a real adapter:
the contract suite runs over both.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from rekindle.providers.base import Accepted, Capabilities, Letter, NotStarted, Outcome, Pause

Answer = Outcome | Callable[[Letter], Outcome]


class FakeProvider:
    """``answer`` queues outcomes for the next letters; without one every letter is accepted.

    ``accepted`` is what a look-up knows: it also holds letters that were told to be `Uncertain` but ``arrived``.
    With ``hold`` set, letters wait until `release`: for tests of what happens in between.
    """

    def __init__(
        self,
        *,
        width: int = 16,
        capabilities: Capabilities | None = None,
        hold: bool = False,
    ) -> None:
        self._capabilities = capabilities or Capabilities(lookup=True)
        self._width = width
        self._answers: deque[tuple[Answer, bool]] = deque()
        self._waiting: list[tuple[asyncio.Future[Outcome], Outcome]] = []
        self._is_open = False
        self.hold = hold
        self.down: NotStarted | None = None
        self.started: list[Letter] = []
        self.accepted: dict[str, Letter] = {}

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def start_width(self) -> int:
        return 0 if self.down or not self._is_open else max(self._width - len(self._waiting), 0)

    @property
    def trouble(self) -> NotStarted | None:
        return self.down

    def answer(self, *outcomes: Answer, arrived: bool = False) -> None:
        """Outcomes for the next letters, first come first served. ``arrived``: a look-up will say yes regardless."""
        self._answers.extend((outcome, arrived) for outcome in outcomes)

    def forget_answers(self) -> None:
        """From now on every letter is accepted again."""
        self._answers.clear()

    async def open(self) -> None:
        self._is_open = True

    async def prepare(self, width: int) -> int:
        return min(self.start_width, width)

    def start(self, letters: Sequence[Letter]) -> list[asyncio.Future[Outcome]]:
        return [self._start(letter) for letter in letters]

    def release(self) -> int:
        """Answer everything that waits; returns how many letters that were."""
        waiting, self._waiting = self._waiting, []
        for future, outcome in waiting:
            if not future.done():
                future.set_result(outcome)
        return len(waiting)

    async def lookup(self, message_id: str) -> bool | None:
        return message_id in self.accepted if self._capabilities.lookup else None

    async def close(self) -> None:
        self.release()
        self._is_open = False

    def _start(self, letter: Letter) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self.start_width == 0:
            future.set_result(self.down or NotStarted("not_ready", "no connection is ready", Pause.NONE))
            return future
        self.started.append(letter)
        answer, arrived = self._answers.popleft() if self._answers else (_accept, False)
        outcome = answer(letter) if callable(answer) else answer
        if arrived or isinstance(outcome, Accepted):
            self.accepted[letter.message_id] = letter
        self._waiting.append((future, outcome))
        if not self.hold:
            asyncio.get_running_loop().call_soon(self._answer_one, future, outcome)
        return future

    def _answer_one(self, future: asyncio.Future[Outcome], outcome: Outcome) -> None:
        self._waiting = [one for one in self._waiting if one[0] is not future]
        if not future.done():
            future.set_result(outcome)


def _accept(letter: Letter) -> Outcome:
    return Accepted(provider_id=f"fake-{letter.send_id}", detail="accepted by the fake")
