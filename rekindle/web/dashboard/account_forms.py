"""What may an owner type in about a provider account? One form per kind of provider, made from the catalogue.

Secrets are never put back into a page: an empty field keeps the stored one.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator

from rekindle.engine.make_provider import DEFAULT_CONNECTIONS, SMTP
from rekindle.providers.catalogue import KINDS, Field
from rekindle.store.provider_accounts import AccountLine
from rekindle.web.dashboard.shop_forms import CardForm

_SEALED: Final = "Stored encrypted and never shown again."
_KEPT: Final = "stored; leave empty to keep it"
_SECURITY: Final = (
    ("starttls", "STARTTLS (usual on port 587)"),
    ("implicit", "TLS from the start (usual on port 465)"),
    ("none", "None: only for a relay on this machine or network"),
)
_NAME: Final = RegexValidator(r"^[^\x00-\x1f\x7f]*\Z", "Only one line of plain text.")


class AccountForm(CardForm):
    """What every account has."""

    prefix = "account"
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=120,
        validators=[_NAME],
        help_text="Only for you, to tell accounts apart.",
    )


class SmtpForm(AccountForm):
    """The server and how to log in to it."""

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
        help_text=_SEALED,
    )


def form_for(kind: str, data: Any = None, *, account: AccountLine | None = None) -> AccountForm:
    """The form of a kind of account, empty, filled from an account, or bound to what was typed in.

    Raises KeyError for a kind that does not exist.
    """
    has_secret = account is not None and account.has_secret
    made: type[AccountForm] = SmtpForm if kind == SMTP else _generated(kind, has_secret=has_secret)
    initial = {"name": account.name, **account.options} if account is not None else {}
    form = made(data, initial=initial) if data is not None else made(initial=initial)
    if has_secret:
        for field in form.fields.values():
            if isinstance(field.widget, forms.PasswordInput | _SecretText):
                field.widget.attrs["placeholder"] = _KEPT
    return form


class _SecretText(forms.Textarea):
    """A secret of several lines (a PEM key, a JSON file); like a password it is never put back into the page."""

    def format_value(self, value: Any) -> None:
        return None


def _generated(kind: str, *, has_secret: bool) -> type[AccountForm]:
    fields = {field.name: _field(field, is_stored=field.is_secret and has_secret) for field in KINDS[kind].fields}
    return type(f"{kind.title()}Form", (AccountForm,), fields)


def _field(field: Field, *, is_stored: bool) -> forms.CharField:
    label = field.label[:1].upper() + field.label[1:]
    hint = field.hint[:1].upper() + field.hint[1:]
    attributes = {"spellcheck": "false", "autocomplete": "off"}
    if field.is_secret:
        is_long = "PEM" in field.label or "JSON" in field.label
        secret = {"autocomplete": "new-password", "spellcheck": "false"}
        widget: forms.Widget = _SecretText({**secret, "rows": 4}) if is_long else forms.PasswordInput(secret)
        hint = (
            hint + (" " if hint.endswith(".") else ". ") if hint else ""
        ) + "Stored encrypted and never shown again."
    else:
        widget = forms.TextInput(attributes)
    if field.make is not None:
        widget.attrs["placeholder"] = "left empty, one is made"
    elif field.default:
        widget.attrs["placeholder"] = field.default
    return forms.CharField(
        label=label,
        required=field.default is None and field.make is None and not is_stored,
        max_length=8_000,
        widget=widget,
        help_text=hint,
    )
