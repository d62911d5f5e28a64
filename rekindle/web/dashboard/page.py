"""What does every page of a shop show around its content? Navigation, health line, paused banner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from rekindle.engine.privacy.escalate import sentence
from rekindle.engine.restore_gate import gate
from rekindle.store.buckets import base_bucket
from rekindle.store.dashboard.health import Health, load_health
from rekindle.store.privacy_requests import attention
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit

#: Work is claimed every second or so; a minute late is a hiccup, ten minutes late is a worker that is not running.
LATE_AFTER = timedelta(minutes=1)
OVERDUE_AFTER = timedelta(minutes=10)

_WORK: Final = {"check": "a cart to look at", "step": "a flow step to take", "send": "an e-mail to send"}


class Section(StrEnum):
    """The entries of the navigation; the value is the name of the URL."""

    OVERVIEW = "overview"
    CARTS = "carts"
    FLOWS = "flows"
    SENDS = "sends"
    LAW = "law"
    ACCOUNTS = "accounts"
    PRIVACY = "privacy"
    SETTINGS = "settings"


_ENTRIES: Final = (
    (Section.OVERVIEW, "Overview", "layout-dashboard"),
    (Section.CARTS, "Carts", "shopping-cart"),
    (Section.FLOWS, "Flow", "route"),
    (Section.SENDS, "Sends", "send"),
    (Section.LAW, "Law", "scale"),
    (Section.ACCOUNTS, "Providers", "plug-connected"),
    (Section.PRIVACY, "Privacy", "shield-lock"),
    (Section.SETTINGS, "Settings", "settings"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationEntry:
    url: str
    label: str
    icon: str
    current: bool
    badge: int = 0
    badge_title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLine:
    """``level``: good, warn or bad, the look of the line."""

    level: str
    oldest_age: timedelta | None
    oldest_label: str
    uncertain_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    navigation: list[NavigationEntry]
    health: HealthLine
    may_pause: bool
    closed_gate: str  #: why nothing is sent after a restore; empty when messages may go out
    requests: str  #: what is to be said about requests on personal data that wait for too long; empty when none do


def show_page(
    visit: Visit, template: str, content: Mapping[str, object], *, section: Section, status: int = 200
) -> HttpResponse:
    """A whole page: ``content`` plus `visit` and `page` for the frame."""
    health = load_health(visit.connection, shop_id=visit.shop.id, buckets=visit.buckets, now=visit.now)
    requests = attention(visit.connection, base_bucket(visit.shop), visit.shop.id, visit.now)
    is_late = bool(requests.escalated_count or requests.overdue_count)
    badges = {Section.SENDS: (health.uncertain_count, "uncertain sends that need a decision")}
    badges[Section.PRIVACY] = (requests.open_count, "open requests about personal data")
    page = Page(
        navigation=[_entry(visit, badges, section, entry) for entry in _ENTRIES],
        health=_health_line(health, visit),
        may_pause=visit.may(Action.PAUSE_SENDING),
        closed_gate=gate(visit.connection, visit.context).why,
        requests=sentence(requests) if is_late else "",
    )
    return render(visit.request, template, {**content, "visit": visit, "page": page}, status=status)


def show_part(visit: Visit, template: str, content: Mapping[str, object], *, status: int = 200) -> HttpResponse:
    """A part of a page, for htmx."""
    return render(visit.request, template, {**content, "visit": visit}, status=status)


def wants_part(visit: Visit) -> bool:
    """Whether htmx asks for a part; a page restored from history is asked for whole."""
    headers = visit.request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"


def _entry(
    visit: Visit, badges: Mapping[Section, tuple[int, str]], here: Section, entry: tuple[Section, str, str]
) -> NavigationEntry:
    section, label, icon = entry
    badge, title = badges.get(section, (0, ""))
    return NavigationEntry(
        url=reverse(f"dashboard:{section}", args=[visit.shop.slug]),
        label=label,
        icon=icon,
        current=section is here,
        badge=badge,
        badge_title=title if badge else "",
    )


def _health_line(health: Health, visit: Visit) -> HealthLine:
    oldest = health.oldest
    age = visit.now - oldest[1] if oldest else None
    level = "good"
    if age is not None and age >= LATE_AFTER:
        level = "bad" if age >= OVERDUE_AFTER else "warn"
    return HealthLine(
        level=level,
        oldest_age=age,
        oldest_label=_WORK[oldest[0]] if oldest else "",
        uncertain_count=health.uncertain_count,
    )
