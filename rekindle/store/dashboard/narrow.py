"""How does a list of one bucket come out of an index in order?

``bucket = ANY(...)`` gives up an index's order even for one bucket, so that a page of forty rows would sort every cart
of the shop. Nearly every shop lies in one bucket: it gets the equality.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from rekindle.store.statements import sql

_MANY: LiteralString = "bucket = ANY(%(buckets)s)"
_ONE: LiteralString = "bucket = %(bucket)s"


def narrowed(name: str, buckets: Sequence[int], values: dict[str, Any]) -> tuple[LiteralString, dict[str, Any]]:
    """A named statement and its values, over one bucket where that is all there is. Raises KeyError."""
    text = sql(name)
    if len(buckets) == 1 and _MANY in text:
        return text.replace(_MANY, _ONE), {**values, "bucket": buckets[0]}
    return text, {**values, "buckets": list(buckets)}
