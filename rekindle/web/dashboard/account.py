"""How is one provider account set up, how much may it take, and does it work? Owners change it and try it out."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.accounts import AccountError, CatalogueAccount, SmtpAccount, save_account, save_smtp_account
from rekindle.engine.change_route import AccountRoute, RouteError, change_route, hold_account, resume_account
from rekindle.engine.make_provider import DEFAULT_CONNECTIONS, SMTP
from rekindle.engine.try_account import Trial, try_account
from rekindle.lib.addresses import AddressError, normalise_email, normalise_phone
from rekindle.store.dashboard.flows import templates_of_shop
from rekindle.store.provider_accounts import AccountLine, accounts_of_shop
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.account_forms import AccountForm, form_for
from rekindle.web.dashboard.account_hook import show_hook
from rekindle.web.dashboard.account_view import channel_of, state_of, title_of, turns_of
from rekindle.web.dashboard.accounts import load_account, put_route
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.route_form import RouteForm


@shop_view(get=Action.READ, post=Action.CHANGE_SHOP)
def add(visit: Visit, kind: str) -> HttpResponse:
    try:
        channel = channel_of(kind)
    except KeyError:
        raise Http404("there is no such provider") from None
    if visit.request.method != "POST":
        return _show_new(visit, kind, form_for(kind))
    form = form_for(kind, visit.request.POST)
    account_id = _save(visit, kind, form, None)
    if account_id is None:
        return _show_new(visit, kind, form, status=422)
    what = "an e-mail" if channel is Channel.EMAIL else "a message"
    messages.success(visit.request, f"The account is saved. Send yourself {what} to see whether it works.")
    return _to_account(visit, account_id)


@shop_view(get=Action.READ, post=Action.CHANGE_SHOP)
def account(visit: Visit, account_id: int) -> HttpResponse:
    found = load_account(visit, account_id)
    if visit.request.method != "POST":
        return show_account(visit, found, {})
    form = form_for(found.kind, visit.request.POST, account=found)
    if _save(visit, found.kind, form, found) is None:
        return show_account(visit, found, {"form": form}, status=422)
    messages.success(visit.request, "Saved. Workers use it within seconds.")
    return _to_account(visit, account_id)


@shop_view(post=Action.CHANGE_SHOP)
def route(visit: Visit, account_id: int) -> HttpResponse:
    """Turn, weight and limits."""
    found = load_account(visit, account_id)
    form = RouteForm(visit.request.POST)
    if not form.is_valid():
        return show_account(visit, found, {"route_form": form}, status=422)
    beside = accounts_of_shop(visit.connection, visit.shop.id, found.channel)
    turns = turns_of(beside)
    wanted = AccountRoute(
        position=form.cleaned_data["turn"] - 1,
        weight=form.cleaned_data["weight"],
        limits=form.limits(),
        enabled=found.enabled,
    )
    try:
        with visit.connection.transaction():
            for other in beside:
                if other.id != found.id:
                    put_route(visit, other, position=turns[other.id] - 1)
            change_route(visit.connection, visit.context, visit.shop, found.id, wanted, by=person_id_of(visit.request))
    except RouteError as mistake:
        form.add_error(None, str(mistake))
        return show_account(visit, found, {"route_form": form}, status=422)
    messages.success(visit.request, "Saved. Workers use it within seconds.")
    return _to_account(visit, account_id)


@shop_view(post=Action.CHANGE_SHOP)
def switch(visit: Visit, account_id: int) -> HttpResponse:
    """On or off, stopped or started again: ``to`` is on, off, stop or start."""
    found, by = load_account(visit, account_id), person_id_of(visit.request)
    wanted = visit.request.POST.get("to", "")
    visit.noted["to"] = wanted[:10]
    if wanted in ("on", "off"):
        kept = AccountRoute(
            position=found.position, weight=found.weight, limits=found.limits or {}, enabled=wanted == "on"
        )
        change_route(visit.connection, visit.context, visit.shop, found.id, kept, by=by)
    elif wanted == "stop":
        hold_account(visit.connection, visit.shop, found.id, by=by, why=f"stopped by {visit.account}")
    elif wanted == "start":
        resume_account(visit.connection, visit.context, visit.shop, found.id, by=by, name=visit.account)
        messages.success(visit.request, "The pause has ended; the next message shows whether the account works.")
    else:
        raise Http404("there is no such switch")
    return _to_account(visit, account_id)


@shop_view(post=Action.CHANGE_SHOP)
def try_out(visit: Visit, account_id: int) -> HttpResponse:
    """Send a real message through this account to the address typed in; show what the provider said."""
    found, typed = load_account(visit, account_id), visit.request.POST.get("to", "").replace("\x00", "")
    sender = visit.request.POST.get("sender", "").replace("\x00", "").strip()[:20]
    shown = {"trial_to": typed, "trial_sender": sender}
    try:
        to = (
            normalise_email(typed)
            if found.channel == Channel.EMAIL
            else normalise_phone(typed, visit.shop.country or None)
        )
    except AddressError as mistake:
        return show_account(visit, found, {**shown, "trial": Trial(False, f"{mistake}.".capitalize())}, status=422)
    trial = try_account(
        visit.connection,
        visit.context,
        visit.shop,
        account_id=found.id,
        to=to,
        version_id=_first_template(visit) if found.channel == Channel.EMAIL else None,
        sender=sender,
    )
    return show_account(visit, found, {**shown, "trial": trial})


def show_account(
    visit: Visit, found: AccountLine, replaced: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    """The account's page; ``replaced`` puts a form with mistakes, or a result, in the place of the stored state."""
    beside = accounts_of_shop(visit.connection, visit.shop.id, found.channel)
    content: dict[str, object] = {
        "account": found,
        "title": title_of(found.kind),
        "state": state_of(found, visit.now),
        "form": form_for(found.kind, account=found) if channel_known(found.kind) else None,
        "route_form": RouteForm.of(found, turns_of(beside)[found.id]),
        "hook": show_hook(visit, found),
        "may_change": visit.may(Action.CHANGE_SHOP),
        "can_try": found.channel in (Channel.EMAIL, Channel.SMS),
    }
    return show_page(visit, "dashboard/account.html", {**content, **replaced}, section=Section.ACCOUNTS, status=status)


def channel_known(kind: str) -> bool:
    """Whether this version of ours knows such accounts."""
    try:
        channel_of(kind)
    except KeyError:
        return False
    return True


def _show_new(visit: Visit, kind: str, form: AccountForm, *, status: int = 200) -> HttpResponse:
    content = {"kind": kind, "title": title_of(kind), "form": form, "may_change": visit.may(Action.CHANGE_SHOP)}
    return show_page(visit, "dashboard/account_new.html", content, section=Section.ACCOUNTS, status=status)


def _save(visit: Visit, kind: str, form: AccountForm, known: AccountLine | None) -> int | None:
    """The account's id; None when the form now says what is wrong."""
    if not form.is_valid():
        return None
    data, by = form.cleaned_data, person_id_of(visit.request)
    visit.noted.update(kind=kind, typed=sorted(name for name, value in data.items() if value))
    account_id = known.id if known else None
    where = (visit.connection, visit.context, visit.shop)
    try:
        if kind == SMTP:
            return save_smtp_account(*where, _smtp(data, known), account_id=account_id, by=by)
        values = {name: str(value) for name, value in data.items() if name != "name"}
        typed = CatalogueAccount(kind=kind, name=data["name"], values=values)
        return save_account(*where, typed, account_id=account_id, by=by)
    except AccountError as mistake:
        form.add_error(None, str(mistake))
        return None


def _smtp(data: Mapping[str, object], known: AccountLine | None) -> SmtpAccount:
    return SmtpAccount(
        name=str(data["name"]),
        host=str(data["host"]),
        port=int(str(data["port"])),
        tls=str(data["tls"]),
        connections=int(str(data["connections"] or DEFAULT_CONNECTIONS)),
        username=str(data["username"]),
        password=str(data["password"]) or (None if known and data["username"] else ""),
    )


def _first_template(visit: Visit) -> int | None:
    found = [one for one in templates_of_shop(visit.connection, visit.shop.id) if one.channel == Channel.EMAIL]
    return found[0].version_id if found else None


def _to_account(visit: Visit, account_id: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard:account", args=[visit.shop.slug, account_id]))
