"""What did the operator get wrong, and what should they do about it?

Raised by any layer for a mistake that a person at the keyboard can mend: a missing program, a wrong setting, a port
in use. The command line prints it in two lines and leaves with status 2; a traceback is for our own mistakes only.
"""

from __future__ import annotations


class OperatorError(Exception):
    """A mistake of the operator: what is wrong in `message`, what to do in `hint` (may be empty)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
