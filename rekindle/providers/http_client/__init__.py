"""How is the outside world reached over HTTP? One client for every adapter: keep-alive, TLS, limits, egress rules.

Its own HTTP/1.1, because two things are needed that libraries hide: the request leaves *before* `Line.start` returns
(the caller holds row locks), and afterwards it is known whether nothing was written, something was written without an
answer, or an answer came. Redirects are never followed, proxies never used.
"""

from rekindle.providers.http_client.answers import Answer
from rekindle.providers.http_client.client import HttpClient, HttpSettings, Line
from rekindle.providers.http_client.connection import Answered, Exchange, NotWritten, Unanswered
from rekindle.providers.http_client.egress import EgressError, EgressRules, Origin
from rekindle.providers.http_client.request import Request

__all__ = [
    "Answer",
    "Answered",
    "EgressError",
    "EgressRules",
    "Exchange",
    "HttpClient",
    "HttpSettings",
    "Line",
    "NotWritten",
    "Origin",
    "Request",
    "Unanswered",
]
