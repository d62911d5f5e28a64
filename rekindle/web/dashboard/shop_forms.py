"""What may an owner type into the settings, and what is wrong with it? One form per card of the page.

Each form reads a `ShopSettings` into fields people understand (minutes, percent) and gives back the columns to change.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.core.validators import RegexValidator, URLValidator

from rekindle.lib.money import CURRENCIES
from rekindle.policy.confirmation import DoubleOptIn
from rekindle.terms.shop import ShopSettings
from rekindle.web.dashboard.long_select import LongSelect, time_zones

_MAX_URL: Final = 200  # the column's width
_LEAST_MIN: Final = 0.16  # ten seconds, for a demo
_LOCALE: Final = re.compile(r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})?$")


class CardForm(forms.Form):
    """A form whose fields look like the rest of the page and keep control characters out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for name, field in self.fields.items():
            select = isinstance(field.widget, forms.Select)
            if isinstance(field.widget, forms.CheckboxInput):
                css = "form-check-input"
            else:
                css = "form-select" if select else "form-control"
            field.widget.attrs.setdefault("class", css)
            if field.help_text:
                field.widget.attrs.setdefault("aria-describedby", f"{self.prefix or 'f'}-{name}-help")
            if self.is_bound and name in self.errors:
                field.widget.attrs["class"] += " is-invalid"
                field.widget.attrs["aria-invalid"] = "true"


def _web_address(label: str, *, required: bool = False, help_text: str = "") -> forms.URLField:
    return forms.URLField(
        label=label,
        required=required,
        max_length=_MAX_URL,
        help_text=help_text,
        assume_scheme="https",
        validators=[URLValidator(schemes=["http", "https"])],
    )


def _one_line(label: str, *, required: bool = False, most: int = 120, help_text: str = "") -> forms.CharField:
    """Text that ends in headers and subjects: no control characters."""
    return forms.CharField(
        label=label,
        required=required,
        max_length=most,
        help_text=help_text,
        validators=[RegexValidator(r"^[^\x00-\x1f\x7f]*\Z", "Only one line of plain text.")],
    )


class ShopForm(CardForm):
    """Who the shop is."""

    prefix = "shop"
    name = _one_line("Name", required=True)
    url = _web_address("Web address")
    restore_url = _web_address(
        "Cart page",
        help_text="Where a recovery link leads. The address gets ?rekindle_cart=… and the script fills the cart.",
    )
    logo_url = _web_address("Logo", help_text="Shown at the top of e-mails. PNG, at least 300 px wide.")
    brand_color = forms.RegexField(
        r"^#[0-9a-fA-F]{6}$",
        label="Colour",
        error_messages={"invalid": "Write it as #rrggbb."},
        widget=forms.TextInput(attrs={"type": "color", "class": "form-control form-control-color"}),
    )
    currency = forms.ChoiceField(
        label="Currency", widget=LongSelect, choices=[(code, code) for code in sorted(CURRENCIES)]
    )
    locale = forms.RegexField(
        _LOCALE,
        label="Language",
        max_length=12,
        help_text="Like en, de or pt-BR; for shoppers whose language is not known.",
        error_messages={"invalid": "Write a language tag such as en or de-AT."},
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        widget=LongSelect,
        choices=time_zones,
    )
    country = forms.RegexField(
        r"^[A-Za-z]{2}$",
        label="Country",
        required=False,
        help_text="Two letters; reads phone numbers without a country code.",
        error_messages={"invalid": "Two letters such as DE."},
    )

    @classmethod
    def of(cls, shop: ShopSettings) -> ShopForm:
        return cls(initial={name: getattr(shop, name) for name in cls.base_fields})

    def changes(self) -> dict[str, object]:
        return {**self.cleaned_data, "country": self.cleaned_data["country"].upper()}


class SenderForm(CardForm):
    """Who writes."""

    prefix = "sender"
    sender_name = _one_line("Sender name", required=True, help_text="What shoppers see in their inbox.")
    sender_email = forms.EmailField(
        label="Sender address",
        max_length=254,
        help_text="Its domain needs SPF, DKIM and DMARC for your provider, or the mails end in spam.",
    )
    reply_to = forms.EmailField(label="Replies go to", required=False, max_length=254)
    support_email = forms.EmailField(label="Help address in the footer", required=False, max_length=254)
    postal_address = forms.CharField(
        label="Postal address",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="In the footer of every e-mail; the law asks for it.",
    )

    @classmethod
    def of(cls, shop: ShopSettings) -> SenderForm:
        return cls(initial={name: getattr(shop, name) for name in cls.base_fields})

    def clean_postal_address(self) -> str:
        text = str(self.cleaned_data["postal_address"]).replace("\r\n", "\n")
        if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text):
            raise forms.ValidationError("Only plain text.")
        return text

    def changes(self) -> dict[str, object]:
        return dict(self.cleaned_data)


class RulesForm(CardForm):
    """When a cart counts as left, and what is measured."""

    prefix = "rules"
    cart_idle_min = forms.FloatField(
        label="Carts", min_value=_LEAST_MIN, max_value=43_200, help_text="minutes without activity"
    )
    checkout_idle_min = forms.FloatField(
        label="Checkouts", min_value=_LEAST_MIN, max_value=43_200, help_text="minutes without activity"
    )
    browse_idle_min = forms.FloatField(
        label="Browse visits", min_value=_LEAST_MIN, max_value=43_200, help_text="minutes without activity"
    )
    lost_after_days = forms.IntegerField(
        label="Given up after", min_value=1, max_value=365, help_text="days; the cart is then lost"
    )
    max_cart_age_days = forms.IntegerField(
        label="Too old after", min_value=1, max_value=90, help_text="days; nobody is written to about an older cart"
    )
    holdout_percent = forms.FloatField(
        label="Holdout",
        min_value=0,
        max_value=90,
        help_text="percent of shoppers who get nothing, so that the lift can be measured; 0 switches it off",
    )
    attribution_click_days = forms.FloatField(
        label="Click window", min_value=0.04, max_value=60, help_text="days between the click and an order that counts"
    )
    double_opt_in = forms.ChoiceField(
        label="Ask addresses to confirm",
        choices=[
            (DoubleOptIn.LAW.value, "where the law asks for it"),
            (DoubleOptIn.ALWAYS.value, "always"),
            (DoubleOptIn.NEVER.value, "never: our own server does, and tells with the secret key"),
        ],
        help_text="One message with a link after a consent; nothing else is sent until the address confirmed.",
    )
    capture_before_submit = forms.BooleanField(
        label="Read e-mail fields before they are submitted",
        required=False,
        help_text="Only where your law and your privacy notice allow it.",
    )

    @classmethod
    def of(cls, shop: ShopSettings) -> RulesForm:
        return cls(
            initial={
                "cart_idle_min": _minutes(shop.cart_idle_s),
                "checkout_idle_min": _minutes(shop.checkout_idle_s),
                "browse_idle_min": _minutes(shop.browse_idle_s),
                "lost_after_days": shop.lost_after_days,
                "max_cart_age_days": shop.max_cart_age_days,
                "holdout_percent": _short(shop.holdout_rate * 100),
                "attribution_click_days": _short(shop.attribution_click_days),
                "double_opt_in": shop.double_opt_in,
                "capture_before_submit": shop.capture_before_submit,
            }
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        lost = data.get("lost_after_days")
        for name in ("cart_idle_min", "checkout_idle_min", "browse_idle_min"):
            if lost is not None and data.get(name) is not None and data[name] >= lost * 1_440:
                self.add_error(name, "Must be shorter than the time after which a cart is given up.")
        if lost is not None and data.get("max_cart_age_days") is not None and data["max_cart_age_days"] > lost:
            self.add_error("max_cart_age_days", "Cannot be longer than the time after which a cart is given up.")
        return data

    def changes(self) -> dict[str, object]:
        data = self.cleaned_data
        return {
            "cart_idle_s": round(data["cart_idle_min"] * 60),
            "checkout_idle_s": round(data["checkout_idle_min"] * 60),
            "browse_idle_s": round(data["browse_idle_min"] * 60),
            "lost_after_days": data["lost_after_days"],
            "max_cart_age_days": data["max_cart_age_days"],
            "holdout_rate": data["holdout_percent"] / 100,
            "attribution_click_days": data["attribution_click_days"],
            "double_opt_in": data["double_opt_in"],
            "capture_before_submit": data["capture_before_submit"],
        }


def _minutes(seconds: int) -> float | int:
    """Minutes, whole where they are.

    >>> _minutes(1800), _minutes(20)
    (30, 0.33)
    """
    return _short(seconds / 60)


def _short(number: float) -> float | int:
    """Two decimals at most, and none where there are none."""
    rounded = round(number, 2)
    return int(rounded) if rounded == int(rounded) else rounded
