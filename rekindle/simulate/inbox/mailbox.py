"""What mail is there, and when does the next arrive? The newest mail in memory, for many threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from rekindle.simulate.inbox.received import ReceivedMail

CAPACITY = 500

Test = Callable[[ReceivedMail], bool]


class Mailbox:
    """The newest mail, oldest first, safe to use from many threads."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._mail: deque[ReceivedMail] = deque(maxlen=capacity)
        self._changed = threading.Condition()
        self._number = 0
        self._closed = False

    @property
    def messages(self) -> tuple[ReceivedMail, ...]:
        with self._changed:
            return tuple(self._mail)

    def add(self, build: Callable[[int], ReceivedMail]) -> None:
        """Keep what ``build`` makes of the next number, and wake everybody who waits."""
        with self._changed:
            self._number += 1
            self._mail.append(build(self._number))
            self._changed.notify_all()

    def find(self, number: int) -> ReceivedMail | None:
        return next((mail for mail in self.messages if mail.number == number), None)

    def wait_for(self, test: Test = lambda _: True, *, count: int = 1, timeout_s: float = 10.0) -> list[ReceivedMail]:
        """All mail that passes ``test``, as soon as there are ``count``.

        Raises TimeoutError, saying what did arrive, when that takes longer than ``timeout_s``.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._passing(test) >= count, timeout_s)
            found = [mail for mail in self._mail if test(mail)]
            if len(found) < count:
                seen = ", ".join(f"{mail.subject!r} to {mail.to}" for mail in self._mail) or "nothing"
                raise TimeoutError(f"expected {count} mail within {timeout_s} s, got {len(found)}; arrived: {seen}")
            return found

    def wait_after(self, number: int, timeout_s: float) -> tuple[ReceivedMail, ...]:
        """Mail newer than ``number``: at once if there is some, else the first that comes, else none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > number, timeout_s)
            return tuple(mail for mail in self._mail if mail.number > number)

    def clear(self) -> None:
        with self._changed:
            self._mail.clear()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _passing(self, test: Test) -> int:
        return sum(1 for mail in self._mail if test(mail))
