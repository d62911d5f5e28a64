"""Write the JSON Schema of the file that people may ask for, from the tables it is made of."""

from __future__ import annotations

import json
from typing import Any

#: What `to_jsonb` makes of a column, by Django's name of its type.
_TYPES: dict[str, dict[str, Any]] = {
    "IntegerField": {"type": "integer"},
    "SmallIntegerField": {"type": "integer"},
    "BigIntegerField": {"type": "integer"},
    "FloatField": {"type": "number"},
    "BooleanField": {"type": "boolean"},
    "CharField": {"type": "string"},
    "TextField": {"type": "string"},
    "UUIDField": {"type": "string", "format": "uuid"},
    "DateTimeField": {"type": "string", "format": "date-time"},
    "BinaryField": {"type": "string", "pattern": r"^\\x[0-9a-f]*$"},
    "JSONField": {},
}


def export_schema() -> str:
    """The schema as text, draft 2020-12."""
    from django.apps import apps

    from rekindle.engine.privacy.export import SCHEMA
    from rekindle.store.statements import sql
    from rekindle.store.subject_rows import PARTS

    models = {model._meta.db_table: model for model in apps.get_app_config("store").get_models()}
    tables = {}
    for table, part in PARTS.items():
        left_out = _left_out(sql(part.statement))
        columns = {}
        for field in models[table]._meta.concrete_fields:
            if field.get_internal_type() in _TYPES and field.column not in left_out:
                columns[field.column] = _nullable(_TYPES[field.get_internal_type()], is_null=field.null)
        row = {"type": "object", "properties": columns, "required": sorted(columns), "additionalProperties": False}
        tables[table] = {"description": part.meaning, "type": "array", "items": row}
    text = {"type": "string"}
    about = {"type": "object", "properties": {"channel": text, "address": text}, "required": ["channel", "address"]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://rekindle.invalid/{SCHEMA}",
        "title": "Everything that a shop keeps about a person (data.json)",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA},
            "made_at": {"type": "string", "format": "date-time"},
            "shop": {"type": "object", "properties": {"slug": text, "name": text, "postal_address": text}},
            "request": {"type": "string", "format": "uuid"},
            "about": {"type": "array", "items": about},
            "meanings": {"type": "object", "additionalProperties": text},
            "tables": {
                "type": "object", "properties": tables, "required": sorted(tables), "additionalProperties": False
            },
        },
        "required": ["schema", "made_at", "shop", "request", "about", "meanings", "tables"],
        "additionalProperties": False,
    }  # fmt: skip
    return json.dumps(schema, indent=1) + "\n"


def _left_out(statement: str) -> set[str]:
    """Columns that a statement takes out of its rows."""
    _, found, rest = statement.partition("- '{")
    return set(rest.partition("}'")[0].split(",")) if found else set()


def _nullable(kind: dict[str, Any], *, is_null: bool) -> dict[str, Any]:
    return {**kind, "type": [kind["type"], "null"]} if is_null and "type" in kind else kind
