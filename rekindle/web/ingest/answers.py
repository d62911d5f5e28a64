"""What does the sender hear? Segment's answer on the compatible endpoints, one line per error on the strict one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rekindle.web.http import ANY_ORIGIN, NO_STORE, Answer, all_headers, json_answer
from rekindle.web.ingest.problem import EventError

_MAX_TOLD = 100  #: errors listed in one answer
_SUCCESS = Answer(200, b'{"success":true}', "application/json", {**ANY_ORIGIN, **NO_STORE})
PLAIN_SUCCESS = replace(_SUCCESS, lines=tuple(all_headers(_SUCCESS)))


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing wrong with one event of a request; ``kept`` says that the event was taken without that part."""

    index: int
    message_key: str | None
    error: EventError
    kept: bool = False

    def told(self) -> dict[str, object]:
        known: dict[str, object] = {"index": self.index, "messageId": self.message_key}
        return known | {"path": self.error.path, "message": self.error.message}


@dataclass(slots=True)
class Outcome:
    """What became of the events of one request."""

    accepted: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def compatible_answer(outcome: Outcome) -> Answer:
    """As Segment answers: success, whatever single events were like; what was dropped is told beside it."""
    if not outcome.refusals:
        return PLAIN_SUCCESS
    dropped = [refusal.told() for refusal in outcome.refusals if not refusal.kept]
    trimmed = [refusal.told() for refusal in outcome.refusals if refusal.kept]
    body: dict[str, object] = {"success": True}
    if dropped:
        body |= {"dropped": len({entry["index"] for entry in dropped}), "errors": dropped[:_MAX_TOLD]}
    if trimmed:
        body["warnings"] = trimmed[:_MAX_TOLD]
    return _answer(200, body)


def strict_answer(outcome: Outcome) -> Answer:
    """200 when every event was accepted, 422 when none was, 207 when some were."""
    errors = [refusal.told() for refusal in outcome.refusals]
    status = 200 if not errors else 207 if outcome.accepted else 422
    return _answer(status, {"accepted": outcome.accepted, "errors": errors})


def refused(status: int, message: str, *, retry_after_s: int | None = None) -> Answer:
    """The whole request is refused."""
    headers = {} if retry_after_s is None else {"Retry_After": str(retry_after_s)}
    return _answer(status, {"success": False, "message": message}, **headers)


def preflight() -> Answer:
    """A browser asks whether a shop's page may post here."""
    allowed = {
        "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding",
        "Access-Control-Max-Age": "86400",
    }
    return Answer(204, headers=ANY_ORIGIN | allowed)


def _answer(status: int, body: object, **headers: str) -> Answer:
    answer = json_answer(status, body, **headers)
    return Answer(status, answer.body, answer.content_type, {**ANY_ORIGIN, **NO_STORE, **answer.headers})
