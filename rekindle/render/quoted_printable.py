"""How does HTML travel when most of it is the same in every letter? As quoted-printable, in pieces encoded beforehand.

RFC 2045 6.7: a soft line break may stand anywhere, so a piece can be encoded once, on lines of its own, and joined with
others by each letter. That costs a letter nothing for the constant part of its template, and the HTML grows by a tenth
where base64 adds a third. Every line is 7-bit, at most 76 characters long, and begins neither with a dot (SMTP) nor
with "From " (mailboxes).
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from functools import lru_cache
from typing import Final

#: RFC 2045 6.7 (5): lines of at most 76 characters, of which a soft break takes one.
_ROOM: Final = 75
SOFT: Final = "=\r\n"
#: Characters that are tried in one go, and octets of the result in which `b2a_qp` has not begun another line.
_SHORT: Final = 40
_ONE_LINE: Final = 72

#: By the bytes of UTF-8, each as one character.
_TABLE: Final = {
    byte: f"={byte:02X}" for byte in range(256) if byte == 0x3D or not (byte in b" \t" or 0x21 <= byte < 0x7F)
}
_PLAIN = re.compile(r"[A-Za-z0-9/:_,;?&+#%()@!'~*$-][A-Za-z0-9/:_,;?&+#%()@!'~*$. -]{0,74}")


def fold(text: str) -> str:
    """The text on whole lines: the last one ends with its own line break or a soft one, so that anything may follow.

    >>> fold("a=b\\n.c")
    'a=3Db\\r\\n=2Ec=\\r\\n'
    >>> fold("")
    ''
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    out = [_line(line, hard=True) + "\r\n" for line in lines[:-1]]
    if lines[-1]:
        out.append(_line(lines[-1], hard=False) + SOFT)
    return "".join(out)


def cell(text: str) -> str:
    """`fold` for a value, quick for short ones of harmless characters, which nearly all are."""
    if _PLAIN.fullmatch(text) and not text.startswith("From "):
        return text + SOFT
    if 0 < len(text) <= _SHORT and text.strip() == text and "\n" not in text and "\r" not in text:
        encoded = b2a_qp(text.encode(errors="replace")).decode()  # amounts: each letter has its own
        if not encoded.startswith((".", "From ")) and len(encoded) <= _ONE_LINE:
            return encoded + SOFT
    return _folded(text)


@lru_cache(maxsize=8192)  # titles and addresses of a shop's products come again in many letters
def _folded(text: str) -> str:
    return fold(text)


def _line(line: str, *, hard: bool) -> str:
    """One line without its end, with soft breaks where it is long. ``hard``: a line break of the text follows."""
    encoded = line.encode(errors="replace").decode("latin-1").translate(_TABLE)
    if hard and encoded.endswith((" ", "\t")):  # white space at the end of a line gets lost on the way
        encoded = f"{encoded[:-1]}={ord(encoded[-1]):02X}"
    rows: list[str] = []
    while True:
        if encoded.startswith((".", "From ")):
            encoded = f"={ord(encoded[0]):02X}{encoded[1:]}"
        if len(encoded) <= _ROOM:
            return SOFT.join([*rows, encoded])
        cut = _ROOM - (encoded[_ROOM - 1] == "=") - 2 * (encoded[_ROOM - 2] == "=")  # not inside =XX
        rows.append(encoded[:cut])
        encoded = encoded[cut:]
