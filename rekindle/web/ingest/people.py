"""Who is it, how can they be reached, and what did they agree to? Read from traits, properties and context."""

from __future__ import annotations

from typing import Any, NamedTuple

from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.terms.consent import NO_MARKS, ConsentMarks, Purpose
from rekindle.terms.event import ConsentGiven, EventKind
from rekindle.terms.send import Channel
from rekindle.web.ingest.limits import MAX_TEXT, MAX_TITLE, MAX_TRAITS, MAX_VERSION, MAX_WORDING
from rekindle.web.ingest.problem import Findings
from rekindle.web.ingest.shapes import Properties
from rekindle.web.ingest.surroundings import without_query
from rekindle.web.ingest.values import read_text

_CHANNELS = tuple(channel.value for channel in Channel)
#: What a consent can be about: no pixel is ever sent, so nobody has to be asked about opens.
_PURPOSES = (*_CHANNELS, Purpose.TRACK_CLICKS.value)
#: Traits that are read into fields of their own, or must not be kept at all.
_TAKEN = frozenset(
    {
        "email", "phone", "push", "consent", "gpc", "first_name", "firstName", "last_name", "lastName", "name",
        "locale", "language", "timezone", "country", "region", "state", "address", "ip", "password", "avatar", "id",
    }
)  # fmt: skip

#: A value and the path it was found at, the most trusted place first.
Told = list[tuple[str, Any]]


def email_of(told: Told, findings: Findings) -> str | None:
    """The first e-mail address told, normalised; a wrong one is noted and left out."""
    for path, value in told:
        if value is not None and value != "":
            try:
                return normalise_email(value)
            except AddressError as error:
                findings.add(path + "email", str(error))
    return None


def phone_of(told: Told, country: str, findings: Findings) -> str | None:
    """The first phone number told, in E.164; national forms are read in the shopper's or the shop's country."""
    for path, value in told:
        if value is not None and value != "":
            try:
                return normalise_phone(value, country or None)
            except AddressError as error:
                findings.add(path + "phone", str(error))
    return None


class Witness(NamedTuple):
    """Who tells of a consent, and where from. Only the shop's own server (``is_server``) is believed that an address
    was confirmed, or that the consent was given in writing: whoever holds the public key could say so."""

    is_server: bool = False
    network: str = ""
    browser: str = ""


def consents_of(told: Told, findings: Findings, witness: Witness) -> tuple[ConsentGiven, ...]:
    """What the ``consent`` objects say per channel, or about ``track_clicks``; the first that names one wins.

    A channel is ``true``, ``false`` or ``{"granted": bool, "wording": ..., "version": ..., "language": ..., "form":
    ..., "method": ..., "page": ...}``, and may say ``confirmed`` (the address itself confirmed), ``written`` and
    ``mentions_cart``. Anything that is not a plain yes or no is noted and never taken for a yes.
    """
    found: dict[str, ConsentGiven] = {}
    for path, channels in told:
        if channels is None:
            continue
        if not isinstance(channels, dict):
            findings.add(path + "consent", "must be an object of channels")
            continue
        for channel, value in channels.items():
            where = f"{path}consent.{channel[:20]}"
            if channel not in _PURPOSES:
                findings.add(where, "a channel is one of " + ", ".join(_PURPOSES))
            elif channel not in found and (given := _consent(channel, value, where, findings, witness)):
                found[channel] = given
    return tuple(found.values())


def _consent(channel: str, value: object, where: str, findings: Findings, witness: Witness) -> ConsentGiven | None:
    if isinstance(value, bool):
        return _given(channel, value, {}, witness)
    if isinstance(value, dict) and isinstance(value.get("granted"), bool):
        return _given(channel, value["granted"], value, witness)
    findings.add(where, 'must be true, false or {"granted": true or false, ...}')
    return None


def _given(channel: str, granted: bool, told: dict[str, Any], witness: Witness) -> ConsentGiven:
    marks = ConsentMarks(
        is_confirmed=told.get("confirmed") is True,
        is_written=told.get("written") is True,
        mentions_cart=told.get("mentions_cart") is True,
    )
    believed, claimed = (marks, NO_MARKS) if witness.is_server else marks.split()
    return ConsentGiven(
        channel=channel,
        granted=granted,
        wording=read_text(told.get("wording"), MAX_WORDING),
        version=read_text(told.get("version"), MAX_VERSION),
        language=read_text(told.get("language"), MAX_VERSION),
        form=read_text(told.get("form"), MAX_TEXT),
        method=read_text(told.get("method"), MAX_TEXT),
        page=without_query(read_text(told.get("page"), MAX_TITLE)),
        network=witness.network,
        browser=witness.browser,
        marks=believed,
        claimed=claimed,
    )


def opted_of(kind: EventKind, name: str, properties: Properties, witness: Witness) -> tuple[ConsentGiven, ...]:
    """The channels a subscription or its end is about: those the event's name or its ``channel`` names.

    Leaving without naming a channel means all of them; joining without naming one means e-mail only.
    """
    asked = (name.lower().replace("_", " ").partition(" ")[0], properties.channel)
    chosen = [channel for channel in _CHANNELS if channel in asked]
    granted = kind is EventKind.OPTED_IN
    if not chosen:
        chosen = [Channel.EMAIL.value] if granted else list(_CHANNELS)
    told = {name: getattr(properties, name) for name in ("wording", "version", "language", "form", "method", "page")}
    return tuple(_given(channel, granted, told, witness) for channel in chosen)


def traits_of(traits: dict[str, Any]) -> dict[str, object]:
    """Names, and up to 50 further plain values of the shop's own; never addresses."""
    kept: dict[str, object] = {}
    first = read_text(traits.get("first_name") or traits.get("firstName"), MAX_TEXT)
    last = read_text(traits.get("last_name") or traits.get("lastName"), MAX_TEXT)
    if not first and not last:
        first, _, last = read_text(traits.get("name"), MAX_TEXT).partition(" ")
    if first:
        kept["first_name"] = first
    if last:
        kept["last_name"] = last
    for name, value in traits.items():
        if name in _TAKEN or len(name) > MAX_TEXT:
            continue
        if len(kept) >= MAX_TRAITS:
            break
        if isinstance(value, str):
            kept[name] = value[:MAX_TITLE]
        elif isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
            kept[name] = value
    return kept


def gpc_of(*told: object) -> bool | None:
    """The privacy signal, if anybody told it: one plain true wins."""
    plain = [value for value in told if isinstance(value, bool)]
    return any(plain) if plain else None
