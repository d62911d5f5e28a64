"""Where and with what did it happen? Coarse device, language, zone, country, page and campaign; never an IP address.

The keys of the facts: ``device`` (mobile, tablet, desktop), ``locale``, ``timezone``, ``country``, ``region``,
``page_url`` (no query), ``page_title``, ``referrer`` (no query), ``campaign`` ({source, medium, name, term, content}).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from rekindle.web.ingest.limits import MAX_TEXT, MAX_TITLE
from rekindle.web.ingest.shapes import Context
from rekindle.web.ingest.values import object_or_empty, read_text, read_url

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_CAMPAIGN = ("source", "medium", "name", "term", "content")
_ZONES = frozenset(available_timezones())


def surroundings_of(context: Context, traits: dict[str, Any]) -> dict[str, object]:
    """The facts of one event, only those that were told and make sense."""
    facts: dict[str, object] = {}
    agent = context.userAgent
    if type(agent) is str and agent:
        facts["device"] = device_of(agent[:300])
    locale = context.locale or traits.get("locale") or traits.get("language")
    if type(locale) is str and _LOCALE.fullmatch(locale):
        facts["locale"] = locale.replace("_", "-")
    zone = context.timezone or traits.get("timezone")
    if type(zone) is str and zone in _ZONES:
        facts["timezone"] = zone
    if context.country or context.location or traits:
        _put_place(facts, context, traits)
    if context.campaign and (campaign := campaign_of(context.campaign)):
        facts["campaign"] = campaign
    return facts


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


def _put_place(facts: dict[str, object], context: Context, traits: dict[str, Any]) -> None:
    address, place = object_or_empty(traits.get("address")), object_or_empty(context.location)
    country = context.country or place.get("country") or traits.get("country") or address.get("country")
    if isinstance(country, str) and _COUNTRY.fullmatch(country):
        facts["country"] = country.upper()
    region = place.get("region") or traits.get("region") or traits.get("state") or address.get("state")
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
