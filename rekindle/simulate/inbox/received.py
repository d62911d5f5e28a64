"""What is in a received mail? Parses the bytes that came over SMTP; nothing in them is trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html.parser import HTMLParser

PREVIEW_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """``html`` and ``text`` are decoded bodies, empty where the mail has none; ``headers`` keep order and repeats."""

    number: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    subject: str
    from_: str
    to: str
    headers: tuple[tuple[str, str], ...]
    html: str
    text: str
    attachments: tuple[str, ...]
    raw: bytes

    def header(self, name: str) -> str:
        """The first header of this name in any case, or an empty text."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses of all links of the HTML body, in order."""
        reader = _LinkReader()
        reader.feed(self.html)
        reader.close()
        return tuple(reader.found)

    @property
    def preview(self) -> str:
        """The beginning of the text body, as lists of mail show it."""
        return " ".join(self.text.split())[:PREVIEW_CHARACTERS]

    @property
    def one_click_url(self) -> str:
        """Where a one-click unsubscribe would be posted to (RFC 8058), or an empty text."""
        if self.header("List-Unsubscribe-Post").replace(" ", "").lower() != "list-unsubscribe=one-click":
            return ""
        entries = [entry.strip().strip("<>") for entry in self.header("List-Unsubscribe").split(",")]
        return next((entry for entry in entries if entry.lower().startswith(("http://", "https://"))), "")


class _LinkReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.extend(value for name, value in attrs if name == "href" and value)


def parse(
    raw: bytes, *, number: int, received_at: datetime, sender: str = "", recipients: tuple[str, ...] = ()
) -> ReceivedMail:
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    return ReceivedMail(
        number=number,
        received_at=received_at,
        sender=sender,
        recipients=recipients,
        subject=str(mail.get("Subject", "")),
        from_=str(mail.get("From", "")),
        to=str(mail.get("To", "")) or ", ".join(recipients),
        headers=tuple((name, _one_line(str(value))) for name, value in mail.items()),
        html=_body(mail, "html"),
        text=_body(mail, "plain"),
        attachments=tuple(part.get_filename() or part.get_content_type() for part in mail.iter_attachments()),
        raw=raw,
    )


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        payload = part.get_payload(decode=True)  # an unknown charset: show what can be shown
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
