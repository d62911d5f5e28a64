"""What does a shopper want to get, how often, about what? A page behind the link of a message; looking changes nothing.

Nothing on it says who the shopper is: a forwarded link shows channels and choices, no address and no name. It can only
narrow what is sent; what is off is switched on in the shop. Where the law asks for it, there is one box more: whether
it may be noted which links are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from rekindle.engine.clicks import open_optout_link
from rekindle.engine.prefer import Chosen, Wanted, chosen_by, prefer
from rekindle.engine.privacy.from_link import ask_by_link
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.terms.preferences import Topic
from rekindle.terms.privacy_request import RequestKind
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.http import Answer, Request, html_text, not_allowed
from rekindle.web.public import page
from rekindle.web.public.door import guarded, language_of, shop_of
from rekindle.web.public.preference_words import LANGUAGES, PREFERENCE_WORDS
from rekindle.web.public.words import Words

_MAX_FORM = 4_096
_DATA = {"copy": RequestKind.ACCESS, "erase": RequestKind.ERASURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """One opened link. ``words``: of the frame around the page; ``say``: the page's own sentences."""

    send: SendBehindLink
    shop: ShopSettings
    chosen: Chosen
    words: Words
    token: str

    def say(self, name: str, **values: object) -> str:
        text = PREFERENCE_WORDS[self.words.language][name].format(shop=self.shop.name, **values)
        return html_text(text)


def preferences(request: Request) -> Answer:
    """`/p/<token>`: GET and HEAD show the page, POST saves it or takes a request about data."""
    if request.method not in ("GET", "HEAD", "POST"):
        return not_allowed("GET", "HEAD", "POST")
    token = request.path.removeprefix("/p/")
    handle = _save if request.method == "POST" else _look
    return guarded("preferences", request, lambda: handle(request, token), lambda: page.gone(language_of(request)))


def _look(request: Request, token: str) -> Answer | None:
    with runtime.database().control() as connection:
        visit = _open(connection, request, token)
    return _show(visit) if visit is not None else None


def _save(request: Request, token: str) -> Answer | None:
    form = _form_of(request)
    context = runtime.context()
    with runtime.database().control() as connection:
        visit = _open(connection, request, token)
        if visit is None:
            return None
        if _one(form, "save") != "yes" and not form.get("data"):
            return _show(visit)  # not our form: a box that is not sent must not count as unticked
        asked = _DATA.get(_one(form, "data"))
        if asked is None and form.get("data"):
            return _show(visit)
        if asked is not None:
            ask_by_link(connection, context, visit.shop, visit.send, asked)
            return _show(visit, done=visit.say("data_done"))
        cancelled = prefer(connection, context, visit.shop, visit.send, _wanted(form, visit))
        after = _open(connection, request, token)
    if after is None:
        return None
    told = f" {html_text(after.words('cancelled', count=cancelled))}" if cancelled else ""
    return _show(after, done=after.say("saved") + told)


def _open(connection: Connection, request: Request, token: str) -> _Visit | None:
    send = open_optout_link(connection, token)
    shop = shop_of(connection, send.shop_id) if send is not None else None
    chosen = chosen_by(connection, shop, send) if send is not None and shop is not None else None
    if send is None or shop is None or chosen is None:
        return None
    words = language_of(request, chosen.preferences.locale, str(send.context.get("locale") or ""), shop.locale)
    return _Visit(send=send, shop=shop, chosen=chosen, words=words, token=token)


def _wanted(form: Mapping[str, Sequence[str]], visit: _Visit) -> Wanted:
    """What the form says; a box that is not sent is not ticked. Unknown values say nothing."""
    on = [channel for channel, is_on in visit.chosen.channels.items() if is_on]
    kept, about = set(form.get("channel", ())), set(form.get("about", ()))
    often, favourite, locale = _one(form, "often"), _one(form, "favourite"), _one(form, "language")
    names = {channel.value for channel in on}
    return Wanted(
        off=[channel for channel in on if channel.value not in kept],
        decline_cart=_one(form, "decline") == "yes",
        seldom=often == "seldom",
        pause=often == "pause",
        topics_off=[topic for topic in Topic if topic.value not in about],
        channel=Channel(favourite) if favourite in names & kept else None,
        locale=locale if locale in LANGUAGES else "",
        clicks=_clicks(form, visit.chosen),
        wording=PREFERENCE_WORDS[visit.words.language]["clicks"].format(shop=visit.shop.name),
    )


def _clicks(form: Mapping[str, Sequence[str]], chosen: Chosen) -> bool | None:
    """A box that stays as it was says nothing: not ticking what was never ticked is no refusal to be written down."""
    if not chosen.asks_clicks or _one(form, "asked") != "clicks":
        return None
    is_yes = _one(form, "clicks") == "yes"
    return is_yes if is_yes != (chosen.preferences.clicks is True) else None


def _show(visit: _Visit, *, done: str = "") -> Answer:
    say = visit.say
    body = f'<p class="done" role="status">{done}</p>\n' if done else ""
    body += f'<p>{say("intro")}</p>\n<form method="post">\n'
    body += '<input type="hidden" name="save" value="yes">\n'
    body += _group(say("this_cart"), [_box("decline", "yes", say("decline"), ticked=_declined(visit))])
    body += _group(say("how_often"), _often(visit)) + _group(say("about"), _topics(visit)) + _channels(visit)
    if visit.chosen.asks_clicks:
        box = _box("clicks", "yes", say("clicks"), ticked=visit.chosen.preferences.clicks is True)
        body += _group(say("noted"), ['<input type="hidden" name="asked" value="clicks">', box])
    language = visit.words.language
    body += f'<p><label for="language">{say("language")}</label>\n<select id="language" name="language">'
    body += "".join(_option(code, html_text(name), code == language) for code, name in LANGUAGES.items())
    body += f'</select></p>\n<button type="submit">{say("save")}</button>\n</form>\n'
    body += f'<p><a href="/u/{html_text(visit.token)}">{say("stop_all")}</a></p>\n'
    body += (
        f'<section aria-labelledby="data"><h2 id="data">{say("data")}</h2>\n<p class="soft">{say("data_text")}</p>\n'
    )
    body += '<form method="post" class="row">\n'
    for name in _DATA:
        body += f'<button class="quiet" type="submit" name="data" value="{name}">{say(f"data_{name}")}</button>\n'
    body += "</form></section>\n"
    title = PREFERENCE_WORDS[language]["title"].format(shop=visit.shop.name)
    return page.page(200, visit.words, title=title, body=body, shop=visit.shop)


def _declined(visit: _Visit) -> bool:
    return visit.send.cart_id in visit.chosen.preferences.declined


def _often(visit: _Visit) -> list[str]:
    held = visit.chosen.preferences
    until = held.paused_until
    now = runtime.context().clock.now()
    paused = until is not None and until > now
    pause = visit.say("paused", day=f"{until:%Y-%m-%d}") if until is not None and paused else visit.say("pause")
    choices = [("as_planned", visit.say("as_planned")), ("seldom", visit.say("seldom")), ("pause", pause)]
    chosen = "pause" if paused else "seldom" if held.per_week is not None else "as_planned"
    return [_choice("often", value, text, ticked=value == chosen) for value, text in choices]


def _topics(visit: _Visit) -> list[str]:
    off = visit.chosen.preferences.off
    return [_box("about", topic.value, visit.say(f"about_{topic.value}"), ticked=topic not in off) for topic in Topic]


def _channels(visit: _Visit) -> str:
    channels = visit.chosen.channels
    on = [channel for channel, is_on in channels.items() if is_on]
    lines = [_box("channel", channel.value, visit.say(channel.value), ticked=True) for channel in on]
    for channel, is_on in channels.items():
        if not is_on:
            name = PREFERENCE_WORDS[visit.words.language][channel.value]
            lines.append(f'<p class="soft">{visit.say("is_off", channel=name)}</p>')
    made = _group(visit.say("channels"), lines) if lines else ""
    if len(on) > 1:
        wish = visit.chosen.preferences.channel
        made += f'<p><label for="favourite">{visit.say("favourite")}</label>\n<select id="favourite" name="favourite">'
        made += _option("", visit.say("no_favourite"), wish is None)
        made += "".join(_option(channel.value, visit.say(channel.value), channel is wish) for channel in on)
        made += "</select></p>\n"
    return made


def _group(title: str, lines: Sequence[str]) -> str:
    return f"<fieldset>\n<legend>{title}</legend>\n" + "\n".join(lines) + "\n</fieldset>\n"


def _box(name: str, value: str, text: str, *, ticked: bool) -> str:
    return _input("checkbox", name, value, text, ticked=ticked)


def _choice(name: str, value: str, text: str, *, ticked: bool) -> str:
    return _input("radio", name, value, text, ticked=ticked)


def _input(kind: str, name: str, value: str, text: str, *, ticked: bool) -> str:
    checked = " checked" if ticked else ""
    return (
        f'<label class="choice"><input type="{kind}" name="{name}" value="{value}"{checked}><span>{text}</span></label>'
    )


def _option(value: str, text: str, chosen: bool) -> str:
    return f'<option value="{value}"{" selected" if chosen else ""}>{text}</option>'


def _one(form: Mapping[str, Sequence[str]], name: str) -> str:
    values = form.get(name)
    return values[0] if values else ""


def _form_of(request: Request) -> Mapping[str, Sequence[str]]:
    """The fields of the form; empty for a body that is none."""
    try:
        return parse_qs((request.read(_MAX_FORM) or b"").decode("ascii", "replace"), max_num_fields=30)
    except ValueError:
        return {}
