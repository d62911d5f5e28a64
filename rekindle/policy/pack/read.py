"""What does this pack say? From text (TOML) to a `PolicyPack`, with a shop's own rules laid over it; or an error.

Fail closed: an unknown key, a wrong type, a region that inherits from nowhere, hours that are none: the whole pack is
refused, and the caller keeps the last good one or sends nothing.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from rekindle.terms.limits import SendLimits
from rekindle.terms.policy_pack import UNKNOWN_REGION, ChannelRules, Meta, PolicyPack, Region
from rekindle.terms.send import Channel

_MAX_TEXT = 1_000_000
_MAX_PARENTS = 5


class PackError(ValueError):
    """The pack cannot be used; the text says what is wrong and where."""


def read_pack(text: str, overlay: Mapping[str, Any] | None = None) -> PolicyPack:
    """Read a pack. ``overlay``: a shop's own entries, in the shape of the file, laid over it. Raises PackError."""
    if len(text) > _MAX_TEXT:
        raise PackError("the pack is larger than a megabyte")
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PackError(f"not TOML: {error}") from None
    return build_pack(laid_over(raw, overlay or {}))


def build_pack(raw: Mapping[str, Any]) -> PolicyPack:
    """From the tables of a pack, inheritance not yet resolved. Raises PackError."""
    unknown = set(raw) - {"meta", "house_caps", "regions"}
    if unknown:
        raise PackError(f"unknown tables: {', '.join(sorted(unknown))}")
    meta = _convert(raw.get("meta"), Meta, "meta")
    house_caps = _convert(raw.get("house_caps"), SendLimits, "house_caps")
    entries = raw.get("regions")
    if not isinstance(entries, Mapping) or UNKNOWN_REGION not in entries:
        raise PackError(f"regions: an entry {UNKNOWN_REGION} for the unknown region is needed")
    regions = {}
    for code in entries:
        regions[code] = _convert(_with_parents(entries, code), Region, f"regions.{code}")
        for channel in Channel:
            _check(f"regions.{code}.{channel.value}", regions[code].of(channel))
    return PolicyPack(meta=meta, house_caps=house_caps, regions=regions, digest=_digest(meta, house_caps, regions))


def laid_over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; lists and single values are replaced as a whole.

    >>> laid_over({"a": {"x": 1, "y": [1, 2]}}, {"a": {"y": [3]}})
    {'a': {'x': 1, 'y': [3]}}
    """
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _with_parents(entries: Mapping[str, Any], code: str) -> dict[str, Any]:
    """A region with its parents under it, without the key that names them."""
    chain: list[Mapping[str, Any]] = []
    at: object = code
    while at is not None:
        entry = entries.get(at) if isinstance(at, str) else None
        if not isinstance(entry, Mapping):
            raise PackError(f"regions.{code}: inherits from {at!r}, which is not an entry")
        if len(chain) > _MAX_PARENTS:
            raise PackError(f"regions.{code}: inherits from itself, or over too many entries")
        chain.append(entry)
        at = entry.get("inherits")
    merged: dict[str, Any] = {}
    for entry in reversed(chain):
        merged = laid_over(merged, {key: value for key, value in entry.items() if key != "inherits"})
    return merged


def _check(where: str, rules: ChannelRules) -> None:
    if not rules.basis:
        raise PackError(f"{where}: at least one basis is needed")
    caps = (rules.max_per_cart, rules.max_per_24h or 0, rules.legal_max_per_24h or 0)
    if any(not 0 <= cap <= 100 for cap in caps):
        raise PackError(f"{where}: caps are 0 to 100 messages")
    if rules.trigger_max_age_hours is not None and not 0 < rules.trigger_max_age_hours <= 24 * 366:
        raise PackError(f"{where}: trigger_max_age_hours must be more than 0 and at most a year")
    if rules.window is not None:
        for name in ("mon_fri", "sat", "sun", "holidays"):
            _check_hours(f"{where}.window.{name}", getattr(rules.window, name))


def _check_hours(where: str, hours: tuple[float, ...]) -> None:
    if not hours:
        return
    if len(hours) != 2 or not 0 <= hours[0] < hours[1] <= 24:
        raise PackError(f"{where}: two hours from 0 to 24 are needed, the earlier one first, or none")
    if any((hour * 12) % 1 for hour in hours):
        raise PackError(f"{where}: hours must be whole five minutes (8.5 is 8:30)")


def _convert(raw: object, kind: type[Any], where: str) -> Any:
    if raw is None:
        raise PackError(f"{where}: missing")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise PackError(f"{where}: {error}") from None


def _digest(meta: Meta, caps: SendLimits, regions: Mapping[str, Region]) -> str:
    whole = {"meta": meta, "house_caps": caps, "regions": dict(sorted(regions.items()))}
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()
