"""Which bytes are this letter on the wire? Hand-built MIME: the stdlib's builder costs forty times as much.

Safe by construction: every header value goes through one of the encoders below, each of which refuses CR, LF and NUL;
bodies are base64 in lines of 76, so no line is long and none begins with a dot. Tests read the result with the stdlib's
parser and compare. Used by ``engine/deliver.py`` and by previews that offer the raw letter.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from struct import unpack
from typing import Final

from rekindle.render.email import RenderedEmail

#: RFC 5322 2.1.1: a line never exceeds 998 characters. Headers with addresses of links are not folded, because a fold
#: in List-Unsubscribe broke DKIM signatures at a provider (nodemailer issue 1654).
MAX_LINE: Final = 998
#: Bytes of text per encoded word: with "Subject: " the line stays within the 76 characters of RFC 2047 section 2.
_WORD_BYTES: Final = 39

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LOCAL = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_LOCAL_UTF8 = re.compile(rf"(?:{_ATEXT}|[^\x00-\x7f])+(?:\.(?:{_ATEXT}|[^\x00-\x7f])+)*")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_PLAIN_ADDRESS = re.compile(f"{_LOCAL.pattern}@{_DOMAIN.pattern}")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9 !#$%&'*+/^_`{|}~-]{1,60}")
_PLAIN_TEXT = re.compile(r"[\x20-\x7e]{1,66}")
_TOKEN = re.compile(r"[A-Za-z0-9._:@+-]{1,200}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ONE_CLICK: Final = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
_URL = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")


class HeaderError(ValueError):
    """A value cannot become a header; the text names the header, never the value."""


@dataclass(slots=True, kw_only=True)  # not frozen: that would take four times as long, and each letter makes one
class MailHeaders:
    """What the head of one letter says. ``date`` is an aware instant; ``message_id`` has no angle brackets.

    ``unsubscribe_url`` must work by POST for one click; the one-click header is added for https only (RFC 8058 3.1).
    ``list_id`` is a dotted name such as ``carts.shop.example``; ``feedback_id`` up to four parts with colons.
    """

    from_address: str
    to_address: str
    subject: str
    date: datetime
    message_id: str
    send_id: str
    unsubscribe_url: str
    from_name: str = ""
    to_name: str = ""
    reply_to: str = ""
    unsubscribe_mailto: str = ""
    list_id: str = ""
    feedback_id: str = ""


def build_message(headers: MailHeaders, email: RenderedEmail, *, smtputf8: bool = False) -> bytes:
    """The letter as bytes with CRLF line ends, without the final dot of SMTP. Raises HeaderError.

    ``smtputf8`` says that the way to the recipient takes UTF-8 in addresses (RFC 6531); without it such an address is
    an error here, because a server would refuse it or change it.
    """
    if not _ID.fullmatch(headers.send_id):
        raise HeaderError("send id: letters, digits, dots and dashes only")
    boundary = f"=_rk_{headers.send_id}"  # "=_" cannot occur in base64
    lines = [
        f"From: {mailbox(headers.from_address, headers.from_name, 'From', smtputf8)}",
        f"To: {mailbox(headers.to_address, headers.to_name, 'To', smtputf8)}",
    ]
    if headers.reply_to:
        lines.append(f"Reply-To: {mailbox(headers.reply_to, '', 'Reply-To', smtputf8)}")
    lines += [
        f"Subject: {text_value(headers.subject, 'Subject')}",
        f"Date: {_date(headers.date)}",
        f"Message-ID: <{address(headers.message_id, 'Message-ID')}>",
        *_list_headers(headers),
        f"X-Rekindle-Send: {headers.send_id}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    if headers.date.tzinfo is None:
        raise HeaderError("Date: needs an instant with its time zone")
    return b"".join(
        (
            "\r\n".join(lines).encode(),
            _part(boundary, "plain", email.text),
            _part(boundary, "html", email.html),
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )


def piece_headers(headers: MailHeaders) -> tuple[tuple[str, str], ...]:
    """The headers that a letter in pieces still has to say: those of its list, and ours. Raises HeaderError.

    For a letter that `build_message` takes: the pieces themselves are checked there.
    """
    ours = ("X-Rekindle-Send", headers.send_id)
    if headers.feedback_id or headers.unsubscribe_mailto:
        lines = [line.partition(": ") for line in _list_headers(headers)]
        return (*((name, value) for name, _, value in lines), ours)
    url = headers.unsubscribe_url
    found = [("List-Unsubscribe", _ways(url))]
    if url.startswith("https://"):
        found.append(_ONE_CLICK)
    if headers.list_id:
        found.append(("List-Id", _list_name(headers.list_id)))
    return (*found, ours)


class Letterhead:
    """What all letters of one sender have in common, checked and written once; raises HeaderError when it is made."""

    def __init__(self, *, from_address: str, from_name: str = "", reply_to: str = "", list_id: str = "") -> None:
        self._from = f"From: {mailbox(from_address, from_name, 'From')}\r\nTo: "
        self._reply_to = f"Reply-To: {mailbox(reply_to, '', 'Reply-To')}\r\n" if reply_to else ""
        self._list_id = _list_id(list_id)

    def check(self, headers: MailHeaders, subject: str) -> None:
        """Raises HeaderError for what `message` would refuse: for a letter that leaves in pieces (`piece_headers`)."""
        address(headers.to_address, "To")
        text_value(subject, "Subject")

    def message(self, headers: MailHeaders, *, subject: str, text: str, html: str) -> bytes:
        """As `build_message`, for HTML that is quoted-printable already (`quoted_printable.fold`): what differs from
        letter to letter is taken from ``headers``."""
        send_id = headers.send_id
        if not _ID.fullmatch(send_id):
            raise HeaderError("send id: letters, digits, dots and dashes only")
        if headers.date.tzinfo is None:
            raise HeaderError("Date: needs an instant with its time zone")
        boundary = f"=_rk_{send_id}"  # "=_" occurs neither in base64 nor in quoted-printable
        return (
            f"{self._from}{address(headers.to_address, 'To')}\r\n{self._reply_to}"
            f"Subject: {text_value(subject, 'Subject')}\r\n"
            f"Date: {_date(headers.date)}\r\nMessage-ID: <{address(headers.message_id, 'Message-ID')}>\r\n"
            f"{_unsubscribe(headers.unsubscribe_url)}{self._list_id}X-Rekindle-Send: {send_id}\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            f"{_base64_lines(text).decode()}\r\n--{boundary}\r\n"
            f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            f"{html}\r\n--{boundary}--\r\n"
        ).encode()


def address(value: str, header: str = "address", smtputf8: bool = False) -> str:
    """One address for a header or an SMTP command, its domain in ASCII. Raises HeaderError.

    >>> address("ada@bücher.example")
    'ada@xn--bcher-kva.example'
    >>> address("ada@a.example, bob@b.example", "To")
    Traceback (most recent call last):
    rekindle.render.mime.HeaderError: To: must be one address
    """
    if len(value) <= 320 and _PLAIN_ADDRESS.fullmatch(value):
        return value
    local, at, domain = value.rpartition("@")
    if not at or len(value) > 320:
        raise HeaderError(f"{header}: must be one address")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise HeaderError(f"{header}: the domain is not valid") from None
    if not _DOMAIN.fullmatch(domain):
        raise HeaderError(f"{header}: must be one address")
    if _LOCAL.fullmatch(local):
        return f"{local}@{domain}"
    if not _LOCAL_UTF8.fullmatch(local) or not local.isprintable():
        raise HeaderError(f"{header}: must be one address")
    if not smtputf8:
        raise HeaderError(f"{header}: the part before the @ needs a server with SMTPUTF8")
    return f"{local}@{domain}"


@lru_cache(maxsize=1024)
def mailbox(mail_address: str, name: str, header: str, smtputf8: bool = False) -> str:
    """An address with its display name, encoded where needed. Raises HeaderError.

    >>> mailbox("a@b.example", "Ada, Countess", "From"), mailbox("a@b.example", "Zoë", "To")
    ('"Ada, Countess" <a@b.example>', '=?utf-8?b?Wm/Dqw==?= <a@b.example>')
    """
    spec = address(mail_address, header, smtputf8)
    _refuse_control(name, header)
    name = name.strip()
    if not name:
        return spec
    if _PLAIN_PHRASE.fullmatch(name):
        return f"{name} <{spec}>"
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{spec}>'
    return f"{_encoded_words(name)} <{spec}>"


def text_value(text: str, header: str) -> str:
    """Free text such as a subject: as it is when short and ASCII, else as encoded words (RFC 2047), folded.

    >>> text_value("Your cart", "Subject"), text_value("Größe", "Subject")
    ('Your cart', '=?utf-8?b?R3LDtsOfZQ==?=')
    """
    _refuse_control(text, header)
    if _PLAIN_TEXT.fullmatch(text) and "=?" not in text and text.strip() == text:
        return text
    if not text:
        raise HeaderError(f"{header}: is empty")
    return _encoded_words(text)


def _refuse_control(text: str, header: str) -> None:
    if _CONTROL.search(text):
        raise HeaderError(f"{header}: must not hold line breaks or control characters")


def _encoded_words(text: str) -> str:
    words: list[str] = []
    chunk, size = "", 0
    for character in text:
        width = len(character.encode(errors="replace"))
        if size + width > _WORD_BYTES:
            words.append(chunk)
            chunk, size = "", 0
        chunk += character
        size += width
    words.append(chunk)
    return "\r\n ".join(
        f"=?utf-8?b?{b2a_base64(word.encode(errors='replace'), newline=False).decode()}?=" for word in words
    )


@lru_cache(maxsize=64)  # the letters of a batch share their instant
def _date(at: datetime) -> str:
    return format_datetime(at)


def _list_headers(headers: MailHeaders) -> list[str]:
    lines = _unsubscribe(headers.unsubscribe_url, headers.unsubscribe_mailto) + _list_id(headers.list_id)
    if headers.feedback_id:
        if not _TOKEN.fullmatch(headers.feedback_id):
            raise HeaderError("Feedback-ID: letters, digits, dots, dashes and colons only")
        lines += f"Feedback-ID: {headers.feedback_id}\r\n"
    return lines.split("\r\n")[:-1]


def _unsubscribe(url: str, mailto: str = "") -> str:
    """List-Unsubscribe and its one-click companion, whole lines."""
    one_click = f"{': '.join(_ONE_CLICK)}\r\n" if url.startswith("https://") else ""
    return f"List-Unsubscribe: {_ways(url, mailto)}\r\n{one_click}"


def _ways(url: str, mailto: str = "") -> str:
    if not _URL.fullmatch(url):
        raise HeaderError("List-Unsubscribe: must be an http or https address in ASCII")
    ways = f"<{url}>, <mailto:{address(mailto, 'List-Unsubscribe')}>" if mailto else f"<{url}>"
    if len(ways) > MAX_LINE - len("List-Unsubscribe: "):
        raise HeaderError("List-Unsubscribe: is too long for one line")
    return ways


def _list_id(name: str) -> str:
    return f"List-Id: {_list_name(name)}\r\n" if name else ""


@lru_cache(maxsize=1024)
def _list_name(name: str) -> str:
    if not _DOMAIN.fullmatch(name) or "." not in name:
        raise HeaderError("List-Id: must be a dotted name")
    return f"<{name}>"


def _part(boundary: str, subtype: str, text: str) -> bytes:
    head = f"\r\n{'' if subtype == 'html' else chr(13) + chr(10)}--{boundary}\r\n"
    head += f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + _base64_lines(text)


def _base64_lines(text: str) -> bytes:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    encoded = b2a_base64(text.encode(errors="replace").replace(b"\n", b"\r\n"), newline=False)
    full, rest = divmod(len(encoded), 76)
    layout = "76s" * full + (f"{rest}s" if rest else "")  # a third faster than slicing line by line
    return b"\r\n".join(unpack(layout, encoded))
