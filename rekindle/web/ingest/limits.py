"""How large may what a shop sends be? Segment's limits for the envelope, our own for what is inside."""

from __future__ import annotations

MAX_BODY = 500_000  #: bytes of a request's body, before and after decompression (Segment: 500 KB per batch)
MAX_EVENT = 32_000  #: bytes of one event's JSON (Segment: 32 KB)
MAX_EVENTS = 2_500  #: events of one batch (Segment)
MAX_DEPTH = 32  #: levels of objects and lists in one event
MAX_MESSAGE_ID = 99  #: characters (Segment: fewer than 100)
MAX_KEY = 255  #: characters of an identifier; a longer one is refused, for cutting it would make two things one
MAX_TITLE = 500  #: characters of a title; longer ones are cut
MAX_TEXT = 255  #: characters of other short texts; longer ones are cut
MAX_URL = 2_000  #: characters of an address; a longer one is left out, for cutting it would lead elsewhere
MAX_TRAITS = 50  #: custom traits kept per event
MAX_WORDING = 4_000  #: characters of the text a shopper agreed to
MAX_VERSION = 40  #: characters of the name of a kept wording, and of its language
MAX_COUPONS = 20  #: coupon codes kept per order
MAX_PAYLOAD_KEYS = 100  #: properties kept per event, beside those that are understood
EARLIEST_YEAR = 2000  #: an event before it comes from a clock that was never set
