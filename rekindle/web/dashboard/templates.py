"""Which messages does a shop have, and how does each version look? Read only; flows name the templates by their key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.http import Http404, HttpResponse

from rekindle.engine.preview import preview_email
from rekindle.engine.preview_short import TextPreview, preview_short
from rekindle.render.sms import Segments
from rekindle.store.dashboard.templates import VersionLine, versions_of_shop
from rekindle.terms.decision import Verdict
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.security import WITH_FRAMES

_CHANNELS: Final = (
    (Channel.EMAIL, "E-mail", "mail"),
    (Channel.SMS, "Text messages", "message"),
    (Channel.PUSH, "Push", "bell"),
)

_KINDS: Final = {"email": "E-mail", "sms": "Text message", "push": "Push message"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTemplates:
    """The templates of a channel by their newest version that is used, else their newest."""

    title: str
    icon: str
    templates: Sequence[VersionLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What is said beside the picture. ``verdict``: why it would not go out; ``size`` of a text message."""

    subject: str = ""
    size: Segments | None = None
    verdict: Verdict | None = None
    is_sample: bool = False


@shop_view(get=Action.READ)
def templates(visit: Visit) -> HttpResponse:
    lines = versions_of_shop(visit.connection, visit.shop.id)
    shown = {line.key: line for line in sorted(lines, key=lambda line: (line.is_published, line.number))}
    groups = [
        ChannelTemplates(title=title, icon=icon, templates=[one for one in shown.values() if one.channel == channel])
        for channel, title, icon in _CHANNELS
    ]
    return show_page(visit, "dashboard/templates.html", {"groups": groups}, section=Section.FLOWS)


@shop_view(get=Action.READ)
def template(visit: Visit, version_id: int) -> HttpResponse:
    lines = versions_of_shop(visit.connection, visit.shop.id)
    line = next((each for each in lines if each.version_id == version_id), None)
    if line is None:
        raise Http404("there is no such template")
    content = {
        "line": line,
        "versions": [each for each in lines if each.key == line.key],
        "kind": _KINDS.get(line.channel, line.channel),
        "looks": _looks(visit, line),
    }
    response = show_page(visit, "dashboard/template.html", content, section=Section.FLOWS)
    response["Content-Security-Policy"] = WITH_FRAMES
    return response


def _looks(visit: Visit, line: VersionLine) -> Looks:
    where = (visit.connection, visit.context, visit.shop, line.version_id)
    if line.channel == Channel.EMAIL:
        letter = preview_email(*where)
        if letter is None:
            raise Http404("there is no such template")
        subject = letter.email.subject if letter.email else ""
        return Looks(subject=subject, verdict=letter.verdict, is_sample=letter.is_sample)
    made = preview_short(*where)
    if made is None:
        raise Http404("there is no such template")
    if isinstance(made, Verdict):
        return Looks(verdict=made)
    return Looks(size=made.size if isinstance(made, TextPreview) else None, is_sample=made.is_sample)
