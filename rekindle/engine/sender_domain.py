"""Is the domain that a shop sends from set up so that its messages arrive?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rekindle.policy.sender_domain import Finding, judge
from rekindle.providers.dns_records import look_up

#: Where the providers put their keys, as far as it is the same for everybody; Amazon's and Postmark's are random.
_SELECTORS: Final = {
    "sendgrid": ("s1", "s2"),
    "mandrill": ("mte1", "mte2"),
    "resend": ("resend",),
    "mailgun": ("mx", "k1", "smtp"),
    "brevo": ("brevo1", "brevo2", "mail"),
}


def check_sender_domain(domain: str, kinds: Iterable[str], selector: str, *, server: str = "") -> list[Finding]:
    """Look at a domain's records. ``kinds``: of the shop's provider accounts; ``selector``: one that somebody typed.

    Raises DnsError for what cannot be asked about.
    """
    known = [name for kind in kinds for name in _SELECTORS.get(kind, ())]
    return judge(domain, look_up(domain, [selector, *known] if selector else known, server=server))
