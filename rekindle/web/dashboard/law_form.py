"""Which shopper does somebody think of who asks what the law lets through?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from rekindle.engine.forecast import Supposed
from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings
from rekindle.web.dashboard.long_select import LongSelect, time_zones
from rekindle.web.dashboard.shop_forms import CardForm

_CONSENTS = [
    ("", "none"),
    (ConsentKind.EXPRESS.value, "express: asked and agreed"),
    (ConsentKind.SOFT_OPT_IN.value, "soft opt-in: a customer who could object"),
    (ConsentKind.PENDING.value, "not confirmed yet"),
    (ConsentKind.WITHDRAWN.value, "withdrawn"),
]
_MOMENT = "%Y-%m-%dT%H:%M"


class LawForm(CardForm):
    """A shopper and a moment. Nothing of it is stored."""

    prefix = "ask"
    country = forms.RegexField(
        r"^[A-Za-z]{2}$",
        label="Country",
        required=False,
        help_text="Two letters; empty: not known. The shop's own country always counts too.",
        error_messages={"invalid": "Two letters such as DE."},
    )
    state = forms.RegexField(
        r"^[A-Za-z0-9-]{1,6}$",
        label="State",
        required=False,
        help_text="Like TX or BY, where it is known.",
        error_messages={"invalid": "The state's code, such as TX."},
    )
    zone = forms.ChoiceField(
        label="Time zone",
        widget=LongSelect,
        choices=time_zones,
    )
    consent = forms.ChoiceField(label="Consent", required=False, choices=_CONSENTS)
    wording = forms.BooleanField(label="with the wording that was shown", required=False)
    confirmed = forms.BooleanField(label="confirmed by the address (double opt-in)", required=False)
    written = forms.BooleanField(label="in writing", required=False)
    names_carts = forms.BooleanField(label="the wording names cart reminders", required=False)
    bought_days = forms.FloatField(
        label="Bought", required=False, min_value=0, max_value=36_500, help_text="days ago; empty: never"
    )
    checkout = forms.BooleanField(label="had begun the checkout", required=False)
    left_hours = forms.FloatField(
        label="Left the cart", min_value=0, max_value=8_760, help_text="hours before that moment"
    )
    about_cart = forms.IntegerField(
        label="E-mails about this cart",
        required=False,
        min_value=0,
        max_value=20,
        help_text="that went out so far, a day apart",
    )
    last_hours = forms.FloatField(
        label="Last message", required=False, min_value=0, max_value=8_760, help_text="hours ago; empty: none"
    )
    at = forms.DateTimeField(
        label="At",
        input_formats=[_MOMENT, "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        help_text="in the shop's time zone",
    )

    @classmethod
    def first(cls, shop: ShopSettings, now: datetime) -> dict[str, str]:
        """What is asked before anybody has typed: an e-mail address with a good consent, in the shop's country."""
        return {
            "ask-country": shop.country,
            "ask-zone": shop.timezone,
            "ask-consent": ConsentKind.EXPRESS.value,
            "ask-wording": "on",
            "ask-left_hours": "4",
            "ask-at": now.astimezone(ZoneInfo(shop.timezone)).strftime(_MOMENT),
        }

    def clean_at(self) -> datetime:
        at: datetime = self.cleaned_data["at"]
        if not 2000 <= at.year < 2100:
            raise forms.ValidationError("A moment of this century.")
        return at

    def moment(self, shop: ShopSettings) -> datetime:
        """The moment asked about, aware."""
        at: datetime = self.cleaned_data["at"]
        return at.replace(tzinfo=ZoneInfo(shop.timezone))

    def supposed(self, shop: ShopSettings, now: datetime) -> Supposed:
        data = self.cleaned_data
        bought = data["bought_days"]
        return Supposed(
            country=data["country"].upper(),
            state=data["state"].upper(),
            zones=tuple(dict.fromkeys([data["zone"], shop.timezone])),
            consent=_consent(data, now),
            bought_ago=timedelta(days=bought) if bought is not None else None,
            has_started_checkout=data["checkout"],
            left_ago=timedelta(hours=data["left_hours"]),
            sent=_sent(data),
        )


def _consent(data: dict[str, Any], now: datetime) -> ConsentState | None:
    if not data["consent"]:
        return None
    marks = ConsentMarks(data["confirmed"], data["written"], data["names_carts"])
    kind, wording = ConsentKind(data["consent"]), "as asked" if data["wording"] else ""
    return ConsentState(kind=kind, at=now - timedelta(days=30), wording=wording, marks=marks)


def _sent(data: dict[str, Any]) -> list[tuple[Channel, timedelta, bool]]:
    last = data["last_hours"]
    first = timedelta(hours=last) if last is not None else timedelta(days=1)
    count = data["about_cart"] or 0
    sent = [(Channel.EMAIL, first + timedelta(days=day), True) for day in range(count)]
    return sent or ([(Channel.EMAIL, first, False)] if last is not None else [])
