"""What may an owner type in about an account's turn, and about how much it may take?"""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms

from rekindle.store.provider_accounts import AccountLine
from rekindle.terms.route_limits import RouteLimitsError, parse_route_limits
from rekindle.web.dashboard.shop_forms import CardForm

_LIMIT: Final = re.compile(r"^(?:(?P<second>\d+(?:\.\d+)?)/s|(?P<day>\d+)/day)$")


class RouteForm(CardForm):
    """When the account's turn comes, and how much it may take."""

    prefix = "route"
    turn = forms.IntegerField(
        label="Turn",
        min_value=1,
        max_value=100,
        help_text="1 is asked first. Accounts of the same turn share the messages; later ones stand in.",
    )
    weight = forms.IntegerField(
        label="Weight",
        min_value=0,
        max_value=1_000,
        help_text="Share among the accounts of the same turn; 0 only helps out.",
    )
    per_second = forms.FloatField(
        label="Messages a second", required=False, min_value=0.001, max_value=100_000, help_text="Empty: no limit."
    )
    per_day = forms.IntegerField(
        label="Messages a day", required=False, min_value=1, max_value=1_000_000_000, help_text="Empty: no limit."
    )
    mailboxes = forms.CharField(
        label="Towards mailbox providers",
        required=False,
        max_length=8_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "placeholder": "gmail 5/s 2000/day"}),
        help_text="One a line: gmail, yahoo, outlook or a domain, then its limits.",
    )
    started_on = forms.DateField(
        label="Warm-up from",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="A new sender starts small. Empty: no warm-up.",
    )
    warm_up = forms.CharField(
        label="Messages on its days",
        required=False,
        max_length=4_000,
        widget=forms.TextInput(attrs={"placeholder": "50, 100, 200, 400", "spellcheck": "false"}),
        help_text="The first day's, the second day's, and so on; no limit of it afterwards.",
    )

    @classmethod
    def of(cls, account: AccountLine, turn: int) -> RouteForm:
        limits = account.limits or {}
        warm_up = limits.get("warm_up") or {}
        return cls(
            initial={
                "turn": turn,
                "weight": account.weight,
                "per_second": limits.get("per_second"),
                "per_day": limits.get("per_day"),
                "mailboxes": "\n".join(_line(name, rate) for name, rate in limits.get("mailboxes", {}).items()),
                "started_on": warm_up.get("started_on"),
                "warm_up": ", ".join(str(count) for count in warm_up.get("per_day", ())),
            }
        )

    def clean_mailboxes(self) -> dict[str, dict[str, float | int]]:
        """By mailbox provider: what `terms.route_limits.Rate` is made of."""
        found: dict[str, dict[str, float | int]] = {}
        for line in str(self.cleaned_data["mailboxes"]).splitlines():
            name, *limits = line.lower().split() or [""]
            rates = [_LIMIT.match(limit) for limit in limits]
            if name and (not rates or None in rates):
                raise forms.ValidationError(f"Write “{line.strip()[:60]}” like: gmail 5/s 2000/day")
            for rate in rates:
                if rate is not None and rate["second"]:
                    found.setdefault(name, {})["per_second"] = float(rate["second"])
                elif rate is not None:
                    found.setdefault(name, {})["per_day"] = int(rate["day"])
        return found

    def clean_warm_up(self) -> list[int]:
        counts = [part for part in re.split(r"[\s,;]+", str(self.cleaned_data["warm_up"])) if part]
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in counts):
            raise forms.ValidationError("Whole numbers, such as: 50, 100, 200")
        return [int(part) for part in counts]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and bool(data.get("started_on")) != bool(data.get("warm_up")):
            self.add_error("warm_up", "A warm-up needs its first day and at least one number.")
        if not self.errors:
            try:
                parse_route_limits(self.limits())
            except RouteLimitsError as mistake:
                self.add_error(None, f"{mistake}".capitalize() + ".")
        return data

    def limits(self) -> dict[str, object]:
        """As terms.route_limits reads them; what is empty is left out."""
        data = self.cleaned_data
        found: dict[str, object] = {name: data[name] for name in ("per_second", "per_day") if data[name] is not None}
        if data["mailboxes"]:
            found["mailboxes"] = data["mailboxes"]
        if data["started_on"]:
            found["warm_up"] = {"started_on": data["started_on"].isoformat(), "per_day": data["warm_up"]}
        return found


def _line(name: str, rate: dict[str, Any]) -> str:
    """One mailbox provider as it is typed in.

    >>> _line("gmail", {"per_second": 5.0, "per_day": 2000})
    'gmail 5/s 2000/day'
    """
    limits = []
    if rate.get("per_second") is not None:
        limits.append(f"{rate['per_second']:g}/s")
    if rate.get("per_day") is not None:
        limits.append(f"{rate['per_day']}/day")
    return " ".join([name, *limits])
