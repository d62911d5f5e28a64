"""Where and with what did it happen? Coarse device, language, zone, country, page and campaign; never an IP address.

The keys of the facts: ``device`` (mobile, tablet, desktop), ``locale``, ``timezone``, ``country``, ``region``,
``page_url`` (no query), ``page_title``, ``referrer`` (no query), ``campaign`` ({source, medium, name, term, content}).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from rekindle.web.ingest.limits import MAX_TEXT, MAX_TITLE
from rekindle.web.ingest.shapes import context_of
from rekindle.web.ingest.values import object_or_empty, read_text, read_url

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_CAMPAIGN = ("source", "medium", "name", "term", "content")
_ZONES = frozenset(available_timezones())
_MAX_REMEMBERED = 2_000  #: bytes of a context
_MAX_CONTEXTS = 4_096


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a context says. ``facts`` are shared by all events with this context: never changed, only copied.
    ``with_page`` are both, shared in the same way."""

    facts: dict[str, object]
    page: dict[str, object]
    traits: dict[str, Any]
    gpc: bool | None
    with_page: dict[str, object]


def surroundings_of(raw: bytes) -> Surroundings:
    """Read a context; the same one is read once. Raises msgspec.ValidationError when it is not an object."""
    found = _remembered.get(raw)
    if found is None:
        found = _read(raw)
        if len(raw) <= _MAX_REMEMBERED and b"traits" not in raw:  # nothing that names a person stays in memory
            if len(_remembered) >= _MAX_CONTEXTS:
                _remembered.clear()
            _remembered[raw] = found
    return found


def _read(raw: bytes) -> Surroundings:
    context = context_of(raw)
    facts: dict[str, object] = {}
    agent = context.userAgent
    if isinstance(agent, str) and agent:
        facts["device"] = device_of(agent[:300])
    _put_place(facts, context.locale, context.timezone, context.country, object_or_empty(context.location))
    if context.campaign and (campaign := campaign_of(context.campaign)):
        facts["campaign"] = campaign
    told = object_or_empty(context.page)
    page = page_facts(told.get("url"), told.get("referrer"), told.get("title"))
    gpc = context.gpc if isinstance(context.gpc, bool) else None
    return Surroundings(facts, page, object_or_empty(context.traits), gpc, {**facts, **page})


def put_trait_facts(facts: dict[str, object], traits: dict[str, Any]) -> None:
    """What the traits know that the context did not say: language, zone, country and region."""
    found: dict[str, object] = {}
    address = object_or_empty(traits.get("address"))
    language = traits.get("locale") or traits.get("language")
    country = traits.get("country") or address.get("country")
    place = {"region": traits.get("region") or traits.get("state") or address.get("state")}
    _put_place(found, language, traits.get("timezone"), country, place)
    for name, value in found.items():
        facts.setdefault(name, value)


def page_facts(url: object, referrer: object, title: object) -> dict[str, object]:
    """The page an event happened on, without the queries of its addresses."""
    facts: dict[str, object] = {}
    if url and (address := read_url(url)):
        facts["page_url"] = without_query(address)
    if referrer and (address := read_url(referrer)):
        facts["referrer"] = without_query(address)
    if title and (text := read_text(title, MAX_TITLE)):
        facts["page_title"] = text
    return facts


def _put_place(facts: dict[str, object], locale: object, zone: object, country: object, place: dict[str, Any]) -> None:
    if isinstance(locale, str) and _LOCALE.fullmatch(locale):
        facts["locale"] = locale.replace("_", "-")
    if isinstance(zone, str) and zone in _ZONES:
        facts["timezone"] = zone
    country = country or place.get("country")
    if isinstance(country, str) and _COUNTRY.fullmatch(country):
        facts["country"] = country.upper()
    region = place.get("region")
    if region and (text := read_text(region, 80)):
        facts["region"] = text


def campaign_of(told: object) -> dict[str, str]:
    """The parts of a campaign as Segment names them (``name`` is utm_campaign)."""
    campaign = object_or_empty(told)
    return {name: text for name in _CAMPAIGN if (text := read_text(campaign.get(name), MAX_TEXT))}


@lru_cache(maxsize=2_048)
def device_of(agent: str) -> str:
    """Mobile, tablet or desktop; nothing finer is kept.

    >>> device_of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"), device_of("curl/8")
    ('mobile', 'desktop')
    """
    lowered = agent.lower()
    if "ipad" in lowered or "tablet" in lowered or ("android" in lowered and "mobile" not in lowered):
        return "tablet"
    return "mobile" if "mobi" in lowered or "iphone" in lowered else "desktop"


def without_query(url: str) -> str:
    """A page's address without its query and fragment: tokens and addresses travel there.

    >>> without_query("https://shop.example/a?email=ada@example.com#x")
    'https://shop.example/a'
    """
    return url.partition("?")[0].partition("#")[0][:1_000]


_remembered: dict[bytes, Surroundings] = {}
