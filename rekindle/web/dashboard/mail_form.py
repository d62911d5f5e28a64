"""What may an owner type in about the mail server? The card's form, and the account it shows."""

from __future__ import annotations

from typing import Final

from django import forms
from django.core.validators import RegexValidator

from rekindle.engine.make_provider import DEFAULT_CONNECTIONS
from rekindle.store.provider_accounts import AccountLine, accounts_of_shop
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit
from rekindle.web.dashboard.shop_forms import CardForm

_SECURITY: Final = (
    ("starttls", "STARTTLS (usual on port 587)"),
    ("implicit", "TLS from the start (usual on port 465)"),
    ("none", "None: only for a relay on this machine or network"),
)


class MailForm(CardForm):
    """The server and how to log in to it; an empty password keeps the stored one."""

    prefix = "mail"
    host = forms.CharField(
        label="Server",
        max_length=253,
        validators=[RegexValidator(r"^[A-Za-z0-9.:_-]+\Z", "A host name or address, without spaces or https://.")],
        widget=forms.TextInput(attrs={"placeholder": "smtp.example.com", "spellcheck": "false"}),
    )
    port = forms.IntegerField(label="Port", min_value=1, max_value=65_535, initial=587)
    tls = forms.ChoiceField(label="Encryption", choices=_SECURITY, initial="starttls")
    connections = forms.IntegerField(
        label="Connections",
        min_value=1,
        max_value=64,
        initial=DEFAULT_CONNECTIONS,
        required=False,
        help_text="How many a worker keeps open at once; ask your provider how many it allows.",
    )
    username = forms.CharField(
        label="User name", required=False, max_length=254, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = forms.CharField(
        label="Password",
        required=False,
        max_length=1_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Stored encrypted and never shown again.",
    )


def form_of(account: AccountLine | None) -> MailForm:
    if account is None:
        return MailForm()
    names = ("host", "port", "tls", "connections", "username")
    form = MailForm(initial={name: account.options[name] for name in names if name in account.options})
    if account.has_secret:
        form.fields["password"].widget.attrs["placeholder"] = "stored; leave empty to keep it"
    return form


def first_account(visit: Visit) -> AccountLine | None:
    """The e-mail account that is tried first."""
    accounts = accounts_of_shop(visit.connection, visit.shop.id, Channel.EMAIL.value)
    return accounts[0] if accounts else None
