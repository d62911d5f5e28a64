"""Is this a contact we can work with? Reads the first step of the checkout."""

from __future__ import annotations

from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.simulate.storefront.carts import Contact
from rekindle.simulate.storefront.catalogue import COUNTRIES

#: What the form asks about: two channels, and whether links that are followed may be noted.
ASKED = ("email", "sms", "track_clicks")


def read_contact(form: dict[str, str]) -> tuple[Contact | None, dict[str, str]]:
    """The contact, or None and what is wrong by field, in words for the shopper."""
    mistakes: dict[str, str] = {}
    name = " ".join(form.get("name", "").split())
    if not 2 <= len(name) <= 80:
        mistakes["name"] = "Please tell us your name."
    country = form.get("country", "")
    if country not in dict(COUNTRIES):
        mistakes["country"] = "Please choose a country we deliver to."
    email = phone = ""
    try:
        email = normalise_email(form.get("email", ""))
    except AddressError:
        mistakes["email"] = "Please enter an e-mail address, such as ada@example.com."
    if form.get("phone") or form.get("consent_sms"):
        try:
            phone = normalise_phone(form.get("phone", ""), country or None)
        except AddressError:
            mistakes["phone"] = "Please enter a phone number with its country code, or leave it out."
    if mistakes:
        return None, mistakes
    agreed = frozenset(channel for channel in ASKED if form.get(f"consent_{channel}") == "yes")
    return Contact(name=name, email=email, phone=phone, country=country, agreed=agreed), {}
