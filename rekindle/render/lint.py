"""Is this letter fit to leave? Checks the rendered parts, not the template.

`lint_before_send` runs before every send (an error blocks it with CONTENT_MISSING), `lint_email` when a template is
published and in the editor. Sources: CAN-SPAM 15 U.S.C. 7704(a)(5) (postal address, opt-out), ePrivacy Directive
art. 13(4) (identity, opt-out in every message), RFC 8058 (one click).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Final, Literal

from rekindle.render.email import RenderedEmail
from rekindle.render.plain import Facts, Plain

#: Gmail shows "[Message clipped]" beyond it, and with it hides the unsubscribe link in the footer.
GMAIL_CLIPS_BYTES: Final = 102 * 1024
_SPECIAL = re.compile("[&<>\"']")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_UNSAFE: Final = frozenset({"javascript", "data", "vbscript", "file"})
_PICTURE_SCHEMES: Final = frozenset({"http", "https", "cid"})
_LINK_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. An ``error`` blocks the letter, a ``warning`` is shown to the author."""

    severity: Literal["error", "warning"]
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """What must be in the letter: whole addresses of links, the sender's name and each line of its postal address."""

    recover_url: str
    unsubscribe_url: str
    sender_name: str
    postal_lines: tuple[str, ...]


def required_of(facts: Facts) -> Required:
    """The requirements that follow from the facts of a letter."""
    links, shop = _group(facts.values["links"]), _group(facts.values["shop"])
    return Required(
        recover_url=str(links["recover"]),
        unsubscribe_url=str(links["unsubscribe"]),
        sender_name=str(shop["name"]),
        postal_lines=tuple(map(str, lines)) if isinstance(lines := shop["postal_lines"], list) else (),
    )


def lint_email(rendered: RenderedEmail, required: Required) -> tuple[Finding, ...]:
    """All findings, errors first: for the publish check, the editor and previews.

    >>> required = Required(recover_url="https://x.example/r", unsubscribe_url="https://x.example/u",
    ...     sender_name="Shop", postal_lines=("Street 1",))
    >>> body = "https://x.example/r https://x.example/u Shop, Street 1"
    >>> html = '<a href="https://x.example/r">Cart</a> <a href="https://x.example/u">Stop</a> Shop, Street 1'
    >>> lint_email(RenderedEmail("Hi", html, body), required)
    ()
    >>> [finding.code for finding in lint_email(RenderedEmail("Hi", html.replace("/u", "/x"), body), required)]
    ['unsubscribe_missing']
    """
    reader = _Addresses()
    reader.feed(rendered.html)
    reader.close()
    errors = list(lint_before_send(rendered, required))
    if "{{" in rendered.html or "{%" in rendered.html:
        errors.append(Finding("error", "leftover_tag", "a merge tag was left over in the HTML part"))
    if reader.empty:
        errors.append(Finding("error", "empty_link", "a link without an address is in the HTML part"))
    if reader.unsafe:
        text = "a link or picture with javascript: or data: is in the HTML part"
        errors.append(Finding("error", "unsafe_link", text))
    warnings = reader.warnings()
    if len(rendered.html.encode(errors="replace")) > GMAIL_CLIPS_BYTES:
        warnings.append(Finding("warning", "too_large", "the HTML is larger than 102 KB: Gmail hides the end"))
    return (*errors, *warnings)


def lint_before_send(rendered: RenderedEmail, required: Required) -> tuple[Finding, ...]:
    """The errors that can differ from letter to letter of one published template; an error blocks the send.

    What a template says by itself was looked at when it was published; here every microsecond is paid per letter.
    """
    faults = (*_parts(rendered), *_links(rendered, required), *_identity(rendered, required))
    return tuple(Finding("error", code, text) for code, text in faults)


def _parts(rendered: RenderedEmail) -> Iterator[tuple[str, str]]:
    if not rendered.subject.strip():
        yield "subject_missing", "the subject is empty"
    if not rendered.text.strip():
        yield "text_missing", "the plain-text part is empty"
    if any(mark in part for part in (rendered.subject, rendered.text) for mark in ("{{", "{%")):
        yield "leftover_tag", "a merge tag was left over"


def _links(rendered: RenderedEmail, required: Required) -> Iterator[tuple[str, str]]:
    for code, url, name in (
        ("recover_missing", required.recover_url, "link back to the cart"),
        ("unsubscribe_missing", required.unsubscribe_url, "unsubscribe link"),
    ):
        if not url or f'href="{_escaped(url)}"' not in rendered.html:
            yield code, f"the {name} is missing in the HTML part"
        elif rendered.text.strip() and url not in rendered.text:
            yield code, f"the {name} is missing in the plain-text part"


def _identity(rendered: RenderedEmail, required: Required) -> Iterator[tuple[str, str]]:
    for code, name, lines in (
        ("sender_missing", "name of the sender", (required.sender_name,)),
        ("address_missing", "postal address of the sender", required.postal_lines),
    ):
        there = all(line and _escaped(line) in rendered.html and line in rendered.text for line in lines)
        if not lines or not there:
            yield code, f"the {name} is missing in the HTML or the plain-text part"


def _group(value: Plain) -> Mapping[str, Plain]:
    if not isinstance(value, dict):
        raise TypeError("these facts have no links and no shop")
    return value


def _escaped(text: str) -> str:
    """As `merge` writes a value into HTML."""
    return escape(text, quote=True).replace("&#x27;", "&#39;") if _SPECIAL.search(text) else text


class _Addresses(HTMLParser):
    """Looks at every address in the HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.unsafe = self.empty = False
        self.relative = self.without_alt = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("href", "src", "background"):
            if name in given:
                self._look(name, "".join((given[name] or "").split()))
        if tag == "img" and "alt" not in given:
            self.without_alt += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def _look(self, name: str, address: str) -> None:
        if not address:
            self.empty = True
            return
        scheme = address.partition(":")[0].lower() if _SCHEME.match(address) else ""
        if scheme in _UNSAFE:
            self.unsafe = True
        elif scheme not in (_LINK_SCHEMES if name == "href" else _PICTURE_SCHEMES):
            self.relative += 1

    def warnings(self) -> list[Finding]:
        found: list[Finding] = []
        if self.relative:
            text = f"{self.relative} addresses are not absolute http or https: they lead nowhere in a mail client"
            found.append(Finding("warning", "relative_link", text))
        if self.without_alt:
            text = f"{self.without_alt} pictures have no alt text: many clients do not load pictures"
            found.append(Finding("warning", "alt_missing", text))
        return found
