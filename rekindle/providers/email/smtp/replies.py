"""What did the SMTP server say, and what does it mean for this letter?

`ReplyReader` turns bytes into replies; `refusal` turns a reply other than success into an outcome. Sources: RFC 5321
4.2 (replies), 4.3.2 (which reply to which command), RFC 2034 and 3463 (enhanced codes), RFC 4954 (AUTH).
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from rekindle.providers.base import Fault, NotStarted, Outcome, Pause, Rejected

#: RFC 5321 4.5.3.1.5 allows 512 octets; real servers exceed it in explanations.
MAX_LINE: Final = 4_096
MAX_LINES: Final = 200

Command = Literal["connect", "ehlo", "auth", "mail", "rcpt", "data", "dot"]

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\b")
#: Postfix and most others; Exim; Amazon SES.
_QUEUED = re.compile(
    r"queued as <?([\w.@+-]{6,120})|\bid=([\w.-]{6,120})|^(?:\d\.\d\.\d )?ok:? ([\w-]{16,120})$", re.IGNORECASE
)
_THROTTLED = re.compile(r"thrott|rate.?limit|too (?:many|fast|much)|sending rate|quota|slow down", re.IGNORECASE)
#: Servers that delay their refusals until RCPT TO (Postfix by default) speak of the sender or of us there.
_ABOUT_US = re.compile(r"\brelay|sender address|client host|helo command|not owned", re.IGNORECASE)


class ReplyError(ValueError):
    """The bytes are no SMTP reply; what follows cannot be trusted."""


class Reply(msgspec.Struct, frozen=True):
    """One reply. ``text`` joins its lines with line breaks, without the codes in front."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def enhanced(self) -> tuple[int, int, int] | None:
        """The RFC 3463 status such as (5, 1, 1), if the text begins with one of the same class."""
        found = _ENHANCED.match(self.text)
        if not found or int(found[1]) != self.code // 100:
            return None
        return int(found[1]), int(found[2]), int(found[3])

    @property
    def label(self) -> str:
        """``550 5.1.1`` or ``550``: what is stored as the code of a refusal."""
        enhanced = self.enhanced
        return f"{self.code} {'.'.join(map(str, enhanced))}" if enhanced else str(self.code)


class ReplyReader:
    """Collects bytes and gives whole replies. Lenient about bare LF, strict about everything else."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._code = b""

    @property
    def empty(self) -> bool:
        """Nothing was begun: needed after STARTTLS, where bytes in clear text must not survive (RFC 3207 section 5)."""
        return not self._buffer and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """Replies that are complete now. Raises ReplyError."""
        self._buffer += data
        replies: list[Reply] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end].rstrip(b"\r"), self._buffer[end + 1 :]
            reply = self._line(line)
            if reply is not None:
                replies.append(reply)
        if len(self._buffer) > MAX_LINE:
            raise ReplyError("a reply line is too long")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        code, separator = line[:3], line[3:4]
        if len(line) > MAX_LINE or len(code) != 3 or not code.isdigit() or not b"200" <= code <= b"599":
            raise ReplyError("not an SMTP reply")
        if separator not in {b" ", b"-", b""} or (self._code and self._code != code):
            raise ReplyError("not an SMTP reply")
        self._lines.append(line[4:].decode("utf-8", "replace"))
        if len(self._lines) > MAX_LINES:
            raise ReplyError("a reply has too many lines")
        if separator == b"-":
            self._code = code
            return None
        text, self._lines, self._code = "\n".join(self._lines), [], b""
        return Reply(int(code), text)


def queue_id(reply: Reply) -> str:
    """The server's own name for an accepted letter, if it tells one.

    >>> queue_id(Reply(250, "2.0.0 Ok: queued as 4ZfKl12345z"))
    '4ZfKl12345z'
    """
    found = _QUEUED.search(reply.text)
    return next(group for group in found.groups() if group).rstrip(".") if found else ""


def explained(reply: Reply, recipient: str = "") -> str:
    """Code and text on one line of at most 300 characters, without the recipient's address: it is stored and logged."""
    text = " ".join(reply.text.split())
    if recipient and recipient.lower() in text.lower():
        text = re.sub(re.escape(recipient), "<recipient>", text, flags=re.IGNORECASE)
    return f"{reply.code} {text}"[:300]


def refusal(reply: Reply, command: Command, recipient: str = "") -> Outcome:
    """What a reply other than success to ``command`` means for the letter.

    A sender or login that is refused concerns the account, not the letter: failing every letter of a batch for it
    would lose them all.
    """
    detail = f"{command}: {explained(reply, recipient)}"
    if reply.code in {530, 534, 535, 538} or (command == "auth" and reply.code >= 500):
        return NotStarted(reply.label, detail, Pause.OPERATOR)
    if reply.code in {421, 454} or (reply.code < 500 and _THROTTLED.search(reply.text)):
        return NotStarted(reply.label, detail, Pause.BACK_OFF)
    if command in {"connect", "ehlo", "auth"}:
        return NotStarted(reply.label, detail, Pause.BACK_OFF)
    if 400 <= reply.code < 500:
        return Rejected(permanent=False, code=reply.label, detail=detail, fault=Fault.PROVIDER)
    if reply.code < 400:  # a success code that answers another command: the dialogue is out of step
        return Rejected(permanent=False, code=reply.label, detail=detail, fault=Fault.PROVIDER)
    if command == "mail":
        if reply.code == 552:
            return Rejected(permanent=True, code=reply.label, detail=detail, fault=Fault.LETTER)
        return NotStarted(reply.label, detail, Pause.OPERATOR)
    if command == "rcpt":
        return _refused_recipient(reply, detail)
    return Rejected(permanent=True, code=reply.label, detail=detail, fault=Fault.LETTER)


def _refused_recipient(reply: Reply, detail: str) -> Outcome:
    """5xx to RCPT TO: the address, a policy, or our right to send at all."""
    enhanced = reply.enhanced
    if _ABOUT_US.search(detail) or (enhanced is not None and enhanced[1:] in {(1, 7), (1, 8)}):
        return NotStarted(reply.label, detail, Pause.OPERATOR)
    fault = Fault.RECIPIENT if _address_is_bad(reply) else Fault.LETTER
    return Rejected(permanent=True, code=reply.label, detail=detail, fault=fault)


def _address_is_bad(reply: Reply) -> bool:
    """RFC 3463 3.2, 3.3: X.1 is addressing, X.2.1 a disabled mailbox; policy (X.7) and the rest are no fault of it."""
    enhanced = reply.enhanced
    if enhanced is None:
        return reply.code in {550, 551, 553}
    return enhanced[1] == 1 or enhanced[1:] == (2, 1)
