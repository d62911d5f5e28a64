"""What is this e-mail address or phone number, written in one way? Syntax only; no look-ups."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_LOCAL = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
MAX_EMAIL = 254  # RFC 5321 4.5.3.1.3: a path of 256 octets with its angle brackets


class AddressError(ValueError):
    """This cannot be an address of that kind."""


def normalise_email(value: object) -> str:
    """Lower-case address with an ASCII (punycode) domain. Raises AddressError; the text never repeats the input.

    Dots and plus tags stay: they mean different mailboxes at most providers.

    >>> normalise_email(" Ada@Example.COM ")
    'ada@example.com'
    """
    if not isinstance(value, str):
        raise AddressError("an e-mail address must be text")
    text = value.strip()
    local, at, domain = text.rpartition("@")
    if not at or len(text) > MAX_EMAIL:
        raise AddressError("an e-mail address needs one @ and at most 254 characters")
    domain = _ascii_domain(domain)
    if not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise AddressError("the part before the @ is not valid")
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError("the domain is not valid")
    return f"{local.lower()}@{domain}"


#: Mailboxes of functions (RFC 2142 sections 3 to 5) and of machines: who gets mail there has not left a cart.
_ROLES = frozenset(
    "abuse noc security postmaster hostmaster usenet news webmaster www uucp ftp root mailer-daemon spam"
    " noreply no-reply no_reply donotreply do-not-reply do_not_reply".split()
)


def is_role_account(address: str) -> bool:
    """Whether a normalised e-mail address belongs to a function or a machine.

    >>> is_role_account("abuse@example.com"), is_role_account("no-reply+x@example.com"), is_role_account("info@a.de")
    (True, True, False)
    """
    local = address.rpartition("@")[0].partition("+")[0]
    return local in _ROLES


def normalise_phone(value: object, region: str | None = None) -> str:
    """E.164 number such as +4915112345678. ``region`` (ISO country) reads national forms. Raises AddressError.

    >>> normalise_phone("0151 1234 5678", "DE")
    '+4915112345678'
    """
    if not isinstance(value, str) or not 4 <= len(value.strip()) <= 40:
        raise AddressError("a phone number must be text of 4 to 40 characters")
    phonenumbers = _numbers()
    try:
        number = phonenumbers.parse(value.strip(), region)
    except phonenumbers.NumberParseException:
        raise AddressError("a phone number needs its country code or a country") from None
    if not phonenumbers.is_valid_number(number):
        raise AddressError("this phone number does not exist in its country's plan")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _numbers() -> ModuleType:
    """Read when first asked for: most workers send e-mail, and the numbering plans are slow to load."""
    import phonenumbers

    return phonenumbers


@lru_cache(maxsize=65_536)
def country_of_phone(number: str) -> str:
    """ISO country of an E.164 number; empty when it cannot be told.

    >>> country_of_phone("+4915112345678"), country_of_phone("+14165550123"), country_of_phone("x")
    ('DE', 'CA', '')
    """
    phonenumbers = _numbers()
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) or ""
    except phonenumbers.NumberParseException:
        return ""


def masked(address: str) -> str:
    """An address that a log or a list may show: first letter, stars, domain or last two digits.

    >>> masked("ada@example.com"), masked("+4915112345678")
    ('a***@example.com', '+49*****78')
    """
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1]}***@{domain}"
    return f"{address[:3]}*****{address[-2:]}"


def _ascii_domain(domain: str) -> str:
    try:
        return domain.strip().rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise AddressError("the domain is not valid") from None
