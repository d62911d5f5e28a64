"""Whose mailbox is it? Limits towards a mailbox provider count all of its domains together.

By the recipient's domain, for free mailboxes: a company's own domain at one of these providers counts as a domain of
its own (its MX is not asked for, because a decision looks nothing up).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

_DOMAINS: Final = {
    "gmail": ("gmail.com", "googlemail.com"),
    "outlook": ("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com"),
    "yahoo": ("yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "aim.com", "verizon.net"),
    "icloud": ("icloud.com", "me.com", "mac.com"),
    "gmx": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "comcast": ("comcast.net",),
    "mail.ru": ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
}
_BY_DOMAIN: Final = {domain: name for name, domains in _DOMAINS.items() for domain in domains}
#: Providers with a domain per country, such as yahoo.co.uk and hotmail.fr.
_BY_FIRST_LABEL: Final = {"yahoo": "yahoo", "hotmail": "outlook", "live": "outlook", "outlook": "outlook"}
_COUNTRY_ENDS: Final = frozenset({"co", "com", "ne"})

MAILBOX_PROVIDERS: Final = tuple(_DOMAINS)


def mailbox_of(address: str) -> str:
    """The provider of a mailbox, or the address's domain where it is none of the large ones.

    >>> [mailbox_of(a) for a in ("ada@Gmail.com", "ada@yahoo.co.uk", "ada@hotmail.fr", "ada@live.example.org")]
    ['gmail', 'yahoo', 'outlook', 'live.example.org']
    """
    domain = address.rpartition("@")[2].lower().rstrip(".")
    known = _BY_DOMAIN.get(domain)
    if known is not None:
        return known
    first, *rest = domain.split(".")
    if first in _BY_FIRST_LABEL and _is_country(rest):
        return _BY_FIRST_LABEL[first]
    return domain


def limited_mailbox(address: str, limited: Container[str]) -> str | None:
    """The name under which this address is limited: its provider's, else its own domain; None: it is not.

    >>> limited_mailbox("ada@gmail.com", {"gmail"}), limited_mailbox("ada@gmail.com", {"yahoo"})
    ('gmail', None)
    """
    provider = mailbox_of(address)
    if provider in limited:
        return provider
    domain = address.rpartition("@")[2].lower()
    return domain if domain in limited else None


def _is_country(rest: list[str]) -> bool:
    if len(rest) == 1:
        return len(rest[0]) == 2
    return len(rest) == 2 and rest[0] in _COUNTRY_ENDS and len(rest[1]) == 2
