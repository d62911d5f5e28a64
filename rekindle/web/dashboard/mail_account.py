"""By which server does the shop's e-mail go out? One SMTP account, saved by an owner, tried with one click."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse

from rekindle.engine.accounts import AccountError, SmtpAccount, Trial, save_smtp_account, try_account
from rekindle.engine.make_provider import DEFAULT_CONNECTIONS
from rekindle.lib.addresses import AddressError, normalise_email
from rekindle.store.dashboard.flows import templates_of_shop
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.mail_form import MailForm, first_account
from rekindle.web.dashboard.settings_page import back_to_settings, show_settings


@shop_view(post=Action.CHANGE_SHOP)
def save(visit: Visit) -> HttpResponse:
    form = MailForm(visit.request.POST)
    if not form.is_valid():
        return show_settings(visit, {"mail_form": form}, status=422)
    data, known = form.cleaned_data, first_account(visit)
    typed = SmtpAccount(
        host=data["host"],
        port=data["port"],
        tls=data["tls"],
        connections=data["connections"] or DEFAULT_CONNECTIONS,
        username=data["username"],
        password=data["password"] or (None if known and data["username"] else ""),
    )
    try:
        save_smtp_account(
            visit.connection,
            visit.context,
            visit.shop,
            typed,
            account_id=known.id if known else None,
            by=person_id_of(visit.request),
        )
    except AccountError as mistake:
        form.add_error(None, str(mistake))
        return show_settings(visit, {"mail_form": form}, status=422)
    messages.success(visit.request, "The account is saved. Send yourself a test e-mail.")
    return back_to_settings(visit, "mail")


@shop_view(post=Action.CHANGE_SHOP)
def try_out(visit: Visit) -> HttpResponse:
    """Send the first message of the shop to the address typed in; show what the server said."""
    account = first_account(visit)
    templates = [one for one in templates_of_shop(visit.connection, visit.shop.id) if one.channel == Channel.EMAIL]
    try:
        to = normalise_email(visit.request.POST.get("to", ""))
    except AddressError as mistake:
        return show_settings(visit, {"trial": Trial(False, f"{mistake}.".capitalize())}, status=422)
    if account is None or not templates:
        return show_settings(visit, {"trial": Trial(False, "Save an account first.")}, status=422)
    trial = try_account(
        visit.connection,
        visit.context,
        visit.shop,
        account_id=account.id,
        version_id=templates[0].version_id,
        to=to,
    )
    return show_settings(visit, {"trial": trial, "trial_to": to})
