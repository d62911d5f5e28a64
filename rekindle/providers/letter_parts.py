"""What are the pieces of this letter? Those the engine handed over, else read back from its MIME content."""

from __future__ import annotations

import email
import email.policy
from email.utils import parseaddr

from rekindle.providers.base import Letter, LetterParts
from rekindle.providers.over_http import UnsendableError

#: Headers that are fields of every API, or that the provider writes itself.
_SAID_ELSEWHERE = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id"}
    | {"mime-version", "return-path", "received", "dkim-signature"}
)


def parts_of(letter: Letter) -> LetterParts:
    """Raises UnsendableError when the content has no text to send."""
    return letter.parts or _read(letter.content)


def _read(content: bytes) -> LetterParts:
    message = email.message_from_bytes(content, policy=email.policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    if plain is None and html is None:
        raise UnsendableError("content", "the letter holds neither text nor HTML")
    from_name, from_address = parseaddr(str(message.get("From", "")))
    to_name, _ = parseaddr(str(message.get("To", "")))
    return LetterParts(
        from_address=from_address,
        from_name=from_name,
        to_name=to_name,
        reply_to=parseaddr(str(message.get("Reply-To", "")))[1],
        subject=str(message.get("Subject", "")),
        text=str(plain.get_content()) if plain is not None else "",
        html=str(html.get_content()) if html is not None else "",
        headers=tuple(
            (name, str(value))
            for name, value in message.items()
            if name.lower() not in _SAID_ELSEWHERE and not name.lower().startswith("content-")
        ),
    )
