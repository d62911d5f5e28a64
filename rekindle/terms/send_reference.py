"""What do providers carry along for us? The name of a send with the bucket it lies in, nothing personal.

It travels as metadata, tag, key or header and comes back with every report; without the bucket a report would have to
be looked for in all of them. Letters, digits and dashes only, because some providers take nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

_FORM = re.compile(r"([0-9]{1,4})-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class SendReference:
    """A send, and where it lies.

    >>> str(SendReference(7, UUID(int=1)))
    '7-00000000-0000-0000-0000-000000000001'
    """

    bucket: int
    send_id: UUID

    def __str__(self) -> str:
        return f"{self.bucket}-{self.send_id}"


def read_reference(text: str) -> SendReference | None:
    """None for anything that is not the one spelling of one: reports come from outside.

    >>> read_reference("7-00000000-0000-0000-0000-000000000001").bucket, read_reference("1024-x")
    (7, None)
    """
    found = _FORM.fullmatch(text)
    if found is None or int(found[1]) > 1023 or str(int(found[1])) != found[1]:
        return None
    return SendReference(int(found[1]), UUID(found[2]))
