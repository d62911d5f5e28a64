"""Does a value follow a JSON Schema? The few keywords that ours uses; an unknown one is an error, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

_KNOWN = {
    "$schema", "$id", "title", "description", "type", "properties", "required", "additionalProperties", "items",
    "const", "pattern", "format",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Every place where the value does not follow the schema."""
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    wanted = schema.get("type", list(_TYPES))
    names = wanted if isinstance(wanted, list) else [wanted]
    if not any(isinstance(value, _TYPES[one]) for one in names) or (isinstance(value, bool) and "boolean" not in names):
        yield f"{path}: {type(value).__name__} instead of {wanted}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: {value!r} instead of {schema['const']!r}"
    if isinstance(value, str):
        yield from _text_faults(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            yield from faults(one, schema["items"], f"{path}[{number}]")
    if isinstance(value, dict):
        yield from _object_faults(value, schema, path)


def _text_faults(value: str, schema: dict[str, Any], path: str) -> Iterator[str]:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: does not match {schema['pattern']}"
    try:
        if schema.get("format") == "uuid":
            UUID(value)
        if schema.get("format") == "date-time":
            datetime.fromisoformat(value)
    except ValueError:
        yield f"{path}: {value!r} is no {schema['format']}"


def _object_faults(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    yield from (f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value)
    more = schema.get("additionalProperties", True)
    for name, one in value.items():
        if name in known:
            yield from faults(one, known[name], f"{path}.{name}")
        elif more is False:
            yield f"{path}.{name}: unknown"
        elif isinstance(more, dict):
            yield from faults(one, more, f"{path}.{name}")
