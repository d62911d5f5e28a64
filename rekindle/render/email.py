"""How do four template sources and the facts become one e-mail: subject, HTML and plain text?

`compile_email` once per template version, `render_email` per letter. A missing value in any part fails the whole
letter with a TemplateError; nothing is ever sent with a hole in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rekindle.render.merge import Compiled, TemplateError, compile_template, render, variables
from rekindle.render.plain import Facts
from rekindle.render.plain_text import html_to_text
from rekindle.render.quick_letter import QuickLetter, quick_letter

#: Longer subjects are cut by every client; RFC 5322 2.1.1 sets no such limit, folding would be possible.
MAX_SUBJECT_CHARS: Final = 200

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
#: Fills the preview line of an inbox so that it does not go on with the first words of the letter.
_FILLER: Final = "&#847;&zwnj;&nbsp;" * 60
_PREHEADER: Final = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;'
    'mso-hide:all">{text}' + _FILLER + "</div>"
)


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    """Sources in the merge language. ``html`` is compiled MJML or plain HTML; an empty ``text`` is derived from it."""

    subject: str
    preheader: str
    html: str
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledEmail:
    """The parts of a template version, ready to render; keep it, keyed by version id. ``quick``: see `quick_letter`."""

    subject: Compiled
    html: Compiled
    text: Compiled
    quick: QuickLetter | None


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """One letter; ``subject`` is one line without CR and LF."""

    subject: str
    html: str
    text: str


class EmailTemplateError(TemplateError):
    """A TemplateError that knows its ``part``: subject, preheader, html or text."""

    def __init__(self, part: str, line: int, text: str) -> None:
        super().__init__(line, text)
        self.part = part
        self.args = (f"{part}, line {line}: {text}",)


@lru_cache(maxsize=256)  # many shops keep the default letters; what comes out is never changed
def compile_email(template: EmailTemplate) -> CompiledEmail:
    """Understand all parts. Raises EmailTemplateError naming the first part and line that is wrong.

    >>> compiled = compile_email(EmailTemplate("Hi {{ name }}", "", "<p>Dear {{ name }}</p>"))
    >>> render_email(compiled, Facts({"name": "A&B"}))
    RenderedEmail(subject='Hi A&B', html='<p>Dear A&amp;B</p>', text='Dear A&B\\n')
    """
    _compiled("preheader", template.preheader, "html")  # alone first, so that a fault carries its name
    _compiled("html", template.html, "html")
    subject = _compiled("subject", template.subject, "text")
    html = _compiled("html", _with_preheader(template.html, template.preheader), "html")
    text = _compiled("text", template.text if template.text.strip() else html_to_text(template.html), "text")
    return CompiledEmail(subject, html, text, quick_letter(subject, text, html))


def render_email(compiled: CompiledEmail, facts: Facts) -> RenderedEmail:
    """Fill one letter. Raises EmailTemplateError for a missing value in any part, or an empty subject."""
    subject = " ".join(_rendered("subject", compiled.subject, facts).split())
    if not subject:
        raise EmailTemplateError("subject", 1, "is empty")
    text = _rendered("text", compiled.text, facts).strip()
    while "\n\n\n" in text:  # where a condition printed nothing
        text = text.replace("\n\n\n", "\n\n")
    return RenderedEmail(
        subject=subject if len(subject) <= MAX_SUBJECT_CHARS else subject[: MAX_SUBJECT_CHARS - 1] + "…",
        html=_rendered("html", compiled.html, facts),
        text=text + "\n",
    )


def email_variables(compiled: CompiledEmail) -> frozenset[str]:
    """Paths that any part of the letter reads."""
    return variables(compiled.subject) | variables(compiled.html) | variables(compiled.text)


def _with_preheader(html: str, preheader: str) -> str:
    if not preheader.strip():
        return html
    block = _PREHEADER.replace("{text}", preheader.strip().replace("\n", " "))
    found = _BODY.search(html)
    return html[: found.end()] + block + html[found.end() :] if found else block + html


def _compiled(part: str, source: str, kind: str) -> Compiled:
    try:
        return compile_template(source, kind="html" if kind == "html" else "text")
    except EmailTemplateError:
        raise
    except TemplateError as fault:
        raise EmailTemplateError(part, fault.line, fault.text) from None


def _rendered(part: str, compiled: Compiled, facts: Facts) -> str:
    try:
        return render(compiled, facts)
    except TemplateError as fault:
        raise EmailTemplateError(part, fault.line, fault.text) from None
