"""What was wrong with a request or an event, and where? One shape for both endpoints; never repeats what was sent."""

from __future__ import annotations


class RequestError(Exception):
    """The request as a whole cannot be taken: HTTP status, a sentence for the sender, when to try again."""

    def __init__(self, status: int, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


class EventError(Exception):
    """This event cannot be taken. ``path`` names the field, e.g. ``properties.products[3].price``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message


class Findings:
    """What is wrong with parts of one event that could be left out of it.

    The strict endpoint refuses an event with any; the compatible one keeps the event without these parts.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[EventError] = []

    def add(self, path: str, message: str) -> None:
        self.found.append(EventError(path, message))
