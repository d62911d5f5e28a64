"""How does a page show an icon, an amount, an instant, a state? One tag each, used by every template."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from rekindle.lib.money import CURRENCIES
from rekindle.render.money_format import money as money_text
from rekindle.terms.cart import CartState
from rekindle.terms.reasons import Reason
from rekindle.terms.send import SendState

register = template.Library()

_SENTENCES: Final = {reason.value: reason.sentence for reason in Reason}
_UNITS: Final = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))
#: The look (see frontend/src/styles/parts.css) and the icon of each state, and what it is called.
_STATES: Final[dict[str, tuple[str, str, str]]] = {
    CartState.OPEN: ("calm", "shopping-cart", "Open"),
    CartState.ABANDONED: ("warn", "hourglass", "Abandoned"),
    CartState.RECOVERED: ("good", "flame", "Recovered"),
    CartState.CONVERTED: ("good", "circle-check", "Ordered"),
    CartState.LOST: ("", "shopping-cart-off", "Lost"),
    CartState.EMPTIED: ("", "shopping-cart-x", "Emptied"),
    SendState.SCHEDULED: ("calm", "clock", "Scheduled"),
    SendState.CLAIMED: ("calm", "loader-2", "Claimed"),
    SendState.SENDING: ("calm", "send", "Sending"),
    SendState.UNCERTAIN: ("bad", "help-circle", "Uncertain"),
    SendState.HANDED_OVER: ("good", "mail-forward", "Sent"),
    SendState.DELIVERED: ("good", "mail-check", "Delivered"),
    SendState.BOUNCED: ("bad", "mail-x", "Bounced"),
    SendState.FAILED: ("bad", "circle-x", "Failed"),
    SendState.SKIPPED: ("", "mail-off", "Not sent"),
    SendState.RESENT: ("good", "refresh", "Sent again"),
}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One icon of the sprite; decoration only, so a reader never hears it."""
    css = f"icon {extra}" if extra else "icon"
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', css, static("dist/icons.svg"), name
    )


@register.simple_tag(takes_context=True)
def money(context: template.Context, cents: int | None, currency: str | None) -> str:
    """An amount in minor units, written as the shop's language does; a dash where nothing is known."""
    if cents is None or not currency or currency not in CURRENCIES:
        return "–"
    return money_text(int(cents), currency, context["visit"].shop.locale)


@register.simple_tag(takes_context=True)
def ago(context: template.Context, at: datetime | None) -> SafeString | str:
    """An instant as "3 hours ago", its full form in the shop's time zone as title; kept current in the browser."""
    if at is None:
        return "–"
    visit = context["visit"]
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        in_full(at, visit.shop.timezone),
        relative(at - visit.now),
    )


@register.simple_tag(takes_context=True)
def when(context: template.Context, at: datetime | None) -> SafeString | str:
    """An instant as 18 Feb, 14:25 in the shop's time zone, with the year where it is another one."""
    if at is None:
        return "–"
    visit = context["visit"]
    local, now = at.astimezone(zone(visit.shop.timezone)), visit.now.astimezone(zone(visit.shop.timezone))
    year = "" if local.year == now.year else f" {local.year}"
    return format_html(
        '<time datetime="{}" title="{}, {}">{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        in_full(at, visit.shop.timezone),
        relative(at - visit.now),
        f"{local.day} {local:%b}{year}, {local:%H:%M}",
    )


@register.simple_tag(takes_context=True)
def moment(context: template.Context, at: datetime | None) -> str:
    """An instant in the shop's time zone: Mon 2 Mar 2026, 10:00 CET."""
    return in_full(at, context["visit"].shop.timezone) if at else "–"


@register.filter
def count(value: int | None) -> str:
    """12,345; a dash for None."""
    return "–" if value is None else f"{value:,}"


@register.filter
def percent(rate: float | None) -> str:
    """0.1234 as 12.3%, 0.1 as 10%; a dash for None."""
    if rate is None:
        return "–"
    return f"{rate * 100:.1f}".removesuffix(".0") + "%"


@register.filter
def width(rate: float | None) -> str:
    """A share as a CSS width with at least a visible sliver where it is not zero."""
    share = min(max(rate or 0.0, 0.0), 1.0)
    return f"{max(share * 100, 0.75) if share else 0:.2f}%"


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """5400 as 1 h 30 min, 86400 as 1 day; the two largest units."""
    if seconds is None:
        return "–"
    left = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    parts = []
    for length, name in ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")):
        if left >= length:
            plural = "s" if name == "day" and left // length > 1 else ""
            parts.append(f"{left // length} {name}{plural}")
            left %= length
    return " ".join(parts[:2]) or "0 s"


@register.filter
def web_url(value: object) -> str:
    """The address if a browser may follow it (http or https with a host), else nothing."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.hostname else ""


@register.filter
def picture_url(value: object) -> str:
    """The address of a picture that the page's content policy lets through: https, and http where we are http too."""
    text = web_url(value)
    plain = text.lower().startswith("http://")
    return "" if plain and not settings.PUBLIC_URL.startswith("http://") else text


@register.filter
def sentence(reason: object) -> str:
    """What a stored reason means; an unknown one as it is stored."""
    return _SENTENCES.get(str(reason), str(reason))


@register.filter
def words(value: object) -> str:
    """A stored word as people write it: HANDED_OVER becomes handed over."""
    return str(value).replace("_", " ").lower()


@register.inclusion_tag("dashboard/parts/state.html")
def state(value: str) -> dict[str, str]:
    """The badge of a cart's or a send's state."""
    look, name, label = _STATES.get(value, ("", "circle-dashed", value))
    return {"look": look, "icon_name": name, "label": label}


def relative(distance: timedelta) -> str:
    """A signed distance to now in words.

    >>> relative(timedelta(hours=-3)), relative(timedelta(minutes=5)), relative(timedelta(0))
    ('3 hours ago', 'in 5 minutes', 'now')
    """
    seconds = distance.total_seconds()
    for name, length in _UNITS:
        if abs(seconds) >= length:
            number = int(abs(seconds) // length)
            text = f"{number} {name}{'' if number == 1 else 's'}"
            return f"in {text}" if seconds > 0 else f"{text} ago"
    return "now"


def in_full(at: datetime, timezone: str) -> str:
    """The instant with weekday and zone; an unknown zone reads as UTC."""
    local = at.astimezone(zone(timezone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local:%Z}"


def zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@register.simple_tag
def query_with(params: Any, **changes: object) -> str:
    """The page's query string with some values changed; an empty value takes its name out."""
    copy = params.copy()
    for name, value in changes.items():
        if value in {None, ""}:
            copy.pop(name, None)
        else:
            copy[name] = str(value)
    text = copy.urlencode()
    return f"?{text}" if text else "?"
