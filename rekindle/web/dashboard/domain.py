"""Will mailbox providers believe the shop's messages? The records of its sending domain, and a received message."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.http import HttpResponse

from rekindle.engine.sender_domain import check_sender_domain
from rekindle.policy.sender_domain import Finding, judge_headers
from rekindle.providers.dns_records import DnsError
from rekindle.store.provider_accounts import accounts_of_shop
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.shop_forms import CardForm

_MOST_HEADERS = 60_000


class DomainForm(CardForm):
    """What is looked at beside the sender address."""

    prefix = "domain"
    selector = forms.RegexField(
        r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$",
        label="DKIM selector",
        required=False,
        help_text="As your provider shows it, such as s1; those of known providers are tried without it.",
        error_messages={"invalid": "Only the name before ._domainkey, such as s1."},
    )
    headers = forms.CharField(
        label="Headers of a received message",
        required=False,
        max_length=_MOST_HEADERS,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="Send yourself a test, choose “show original” and paste it. It is looked at and not kept.",
    )


@shop_view(get=Action.READ, post=Action.CHANGE_SHOP)
def domain(visit: Visit) -> HttpResponse:
    """Nothing is asked of DNS before somebody presses the button."""
    name = visit.shop.sender_email.rpartition("@")[2].lower()
    if visit.request.method != "POST" or not name:
        return _show(visit, name, DomainForm(), [])
    form = DomainForm(visit.request.POST)
    if not form.is_valid():
        return _show(visit, name, form, [], status=422)
    kinds = [line.kind for line in accounts_of_shop(visit.connection, visit.shop.id, Channel.EMAIL.value)]
    try:
        found = check_sender_domain(name, kinds, form.cleaned_data["selector"], server=settings.DNS_SERVER)
    except DnsError as error:
        return _show(visit, name, form, [], trouble=str(error), status=422)
    pasted = form.cleaned_data["headers"]
    received = judge_headers(name, pasted)
    return _show(visit, name, form, found, received=received, unread=bool(pasted) and not received)


def _show(
    visit: Visit,
    name: str,
    form: DomainForm,
    found: list[Finding],
    *,
    received: list[Finding] | None = None,
    unread: bool = False,
    trouble: str = "",
    status: int = 200,
) -> HttpResponse:
    content = {
        "domain": name,
        "form": form,
        "found": found,
        "received": received or [],
        "unread": unread,
        "trouble": trouble,
        "may_change": visit.may(Action.CHANGE_SHOP),
    }
    return show_page(visit, "dashboard/domain.html", content, section=Section.SETTINGS, status=status)
