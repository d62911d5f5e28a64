"""What may somebody type in as a shop's own rules for one region and channel?"""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms

from rekindle.policy.rule_behind import window_words
from rekindle.terms.policy_pack import Basis, ChannelRules, Tracked, Window
from rekindle.web.dashboard.shop_forms import CardForm

_SPAN: Final = re.compile(r"^\s*(\d{1,2})(?::([0-5]\d))?\s*[-–]\s*(\d{1,2})(?::([0-5]\d))?\s*$")
_CLOSED: Final = frozenset({"", "closed", "none", "-"})
_IDENTITY: Final = (("sender_name", "sender's name"), ("postal_address", "postal address"), ("contact", "a contact"))
_DAYS: Final = ("mon_fri", "sat", "sun", "holidays")


class Hours(forms.CharField):
    """Local hours like 9:00-20:00, or closed; the value is two hours as the pack has them, or none."""

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value)).strip().lower()
        if text in _CLOSED:
            return []
        found = _SPAN.match(text)
        if not found:
            raise forms.ValidationError("Write hours such as 9:00-20:00, or closed.")
        first, last = (int(found[at]) + int(found[at + 1] or 0) / 60 for at in (1, 3))
        if not first < last <= 24 or any((hour * 12) % 1 for hour in (first, last)):
            raise forms.ValidationError("From 0:00 to 24:00, in steps of five minutes, the earlier hour first.")
        return [first, last]


class OwnRulesForm(CardForm):
    """The rules of one channel in one region."""

    prefix = "own"
    basis = forms.MultipleChoiceField(
        label="Basis, any of",
        choices=[(one.value, one.value.replace("_", " ")) for one in Basis],
        widget=forms.CheckboxSelectMultiple,
    )
    double_opt_in = forms.BooleanField(label="Express consent must be confirmed by the address", required=False)
    max_per_cart = forms.IntegerField(label="Messages about one cart", min_value=0, max_value=100)
    max_per_24h = forms.IntegerField(
        label="Messages within 24 hours",
        required=False,
        min_value=0,
        max_value=100,
        help_text="Empty: the shop's limit.",
    )
    trigger_max_age_hours = forms.FloatField(
        label="Not later than",
        required=False,
        min_value=0.1,
        max_value=8_784,
        help_text="hours after the cart was left; empty: the shop's greatest age",
    )
    has_hours = forms.BooleanField(label="Only within these local hours", required=False)
    mon_fri = Hours(label="Monday to Friday", required=False, max_length=20)
    sat = Hours(label="Saturday", required=False, max_length=20)
    sun = Hours(label="Sunday", required=False, max_length=20)
    holidays = Hours(label="Public holidays", required=False, max_length=20)
    identity = forms.MultipleChoiceField(
        label="Every message names", required=False, choices=_IDENTITY, widget=forms.CheckboxSelectMultiple
    )
    track_open = forms.BooleanField(label="Opens are recorded only with consent", required=False)
    track_click = forms.BooleanField(label="Clicks are recorded only with consent", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("basis", "identity"):
            self.fields[name].widget.attrs["class"] = "form-check-input"

    @classmethod
    def of(cls, rules: ChannelRules) -> OwnRulesForm:
        window = rules.window
        days = {day: _hours_text(getattr(window, day) if window else ()) for day in _DAYS}
        return cls(
            initial={
                "basis": [one.value for one in rules.basis],
                "double_opt_in": rules.double_opt_in,
                "max_per_cart": rules.max_per_cart,
                "max_per_24h": rules.max_per_24h,
                "trigger_max_age_hours": rules.trigger_max_age_hours,
                "has_hours": window is not None,
                "identity": list(rules.identity),
                "track_open": rules.tracking.open is Tracked.CONSENT,
                "track_click": rules.tracking.click is Tracked.CONSENT,
                **days,
            }
        )

    def rules(self) -> dict[str, object]:
        """The fields in the shape of a pack."""
        data = self.cleaned_data
        window = {day: data[day] or [] for day in _DAYS} if data["has_hours"] else None
        return {
            "basis": data["basis"],
            "double_opt_in": data["double_opt_in"],
            "max_per_cart": data["max_per_cart"],
            "max_per_24h": data["max_per_24h"],
            "trigger_max_age_hours": data["trigger_max_age_hours"],
            "window": window,
            "identity": sorted(data["identity"]),
            "tracking": {
                "open": _tracked(data["track_open"]),
                "click": _tracked(data["track_click"]),
            },
        }


def _tracked(needs_consent: bool) -> str:
    return Tracked.CONSENT.value if needs_consent else Tracked.ALLOW.value


def _hours_text(hours: tuple[float, ...]) -> str:
    """As it is typed.

    >>> _hours_text((8.5, 20)), _hours_text(())
    ('8:30-20:00', 'closed')
    """
    if not hours:
        return "closed"
    return window_words(Window(mon_fri=hours, sat=(), sun=())).removeprefix("Mon-Fri ")
