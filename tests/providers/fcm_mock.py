"""Firebase Cloud Messaging for tests: made of its discovery document, it refuses what that does not describe."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.providers.http_server import Got, Reply
from tests.providers.shared_contracts import load


@dataclass
class FcmMock:
    """One project. ``taken``: the messages that passed; ``refused``: what was wrong with the others."""

    project: str
    document: Mapping[str, Any] = field(default_factory=lambda: load("fcm/fcm.v1.json"), repr=False)
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def answer(self, got: Got) -> Reply:
        if got.target == "/token":
            return Reply.of(200, {"access_token": "ya29.mock", "expires_in": 3599, "token_type": "Bearer"})
        faults = self._faults(got)
        if faults:
            self.refused += faults
            error = {"code": 400, "status": "INVALID_ARGUMENT", "message": "; ".join(faults)}
            return Reply.of(400, {"error": error})
        self.taken.append(json.loads(got.body)["message"])
        return Reply.of(200, {"name": f"projects/{self.project}/messages/{len(self.taken)}"})

    def _faults(self, got: Got) -> list[str]:
        method = self.document["resources"]["projects"]["resources"]["messages"]["methods"]["send"]
        path = "/" + method["path"].replace("{+parent}", f"projects/{self.project}")
        faults: list[str] = []
        if (got.method, got.target) != (method["httpMethod"], path):
            faults.append(f"{got.method} {got.target} is not {method['httpMethod']} {path}")
        if got.headers.get("authorization") != "Bearer ya29.mock":
            faults.append("no token")
        if not got.headers.get("content-type", "").startswith("application/json"):
            faults.append("no JSON")
        body = json.loads(got.body)
        hold_against(self.document["schemas"], method["request"]["$ref"], body, "", faults)
        if sum(name in body.get("message", {}) for name in ("token", "topic", "condition", "fid")) != 1:
            faults.append("exactly one target")
        return faults


def hold_against(schemas: Mapping[str, Any], name: str, value: Any, path: str, faults: list[str]) -> None:
    known = schemas[name]["properties"]
    for key, member in value.items():
        if key not in known:
            faults.append(f"{path}.{key} is not in {name}")
        elif "$ref" in known[key]:
            hold_against(schemas, known[key]["$ref"], member, f"{path}.{key}", faults)
        else:
            _hold_type(known[key], member, f"{path}.{key}", faults)


def _hold_type(known: Mapping[str, Any], value: object, path: str, faults: list[str]) -> None:
    wanted = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list, "number": float}
    if not isinstance(value, wanted[known["type"]]):
        faults.append(f"{path} is no {known['type']}")
        return
    if "enum" in known and value not in known["enum"]:
        faults.append(f"{path} is none of {known['enum']}")
    if known.get("format") == "google-duration" and not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", str(value)):
        faults.append(f"{path} is no duration")
    inner = known.get("additionalProperties", {})
    if isinstance(value, dict) and inner.get("type") == "string":
        faults += [f"{path}.{key} is no text" for key, member in value.items() if not isinstance(member, str)]
