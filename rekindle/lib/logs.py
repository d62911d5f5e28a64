"""How are logs written? One JSON object a line on stderr, facts as fields, no personal data.

Log with a constant event name and fields: ``log.info("sends_claimed", extra={"facts": {"bucket": 7, "count": 100}})``.
Addresses are masked by the caller (lib.addresses.masked); anything that still looks like one is starred here.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"\+\d{7,15}")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON with at, level, logger, event and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line |= facts
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = self.formatException(record.exc_info)
        return without_addresses(json.dumps(line, default=str))


def without_addresses(text: str) -> str:
    """Stars out e-mail addresses and international phone numbers.

    >>> without_addresses("mail to ada@example.com failed, +4915112345678")
    'mail to *** failed, ***'
    """
    return _PHONE.sub("***", _EMAIL.sub("***", text))


def set_up_logs(level: str = "INFO") -> None:
    """Send everything to stderr as JSON lines; safe to call twice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
