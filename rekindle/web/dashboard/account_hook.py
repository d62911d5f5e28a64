"""Where does a provider report to, and what proves its reports? The part of an account's page about its hook."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.hooks import HookAddresses, HookError, drop_old_hook, hook_addresses, renew_hook, save_hook_keys
from rekindle.providers.catalogue import KINDS
from rekindle.store.hooks import hook_account
from rekindle.store.provider_accounts import AccountLine
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.accounts import load_account


@dataclass(frozen=True, slots=True, kw_only=True)
class HookView:
    """``label`` and ``hint``: of the field for what proves reports; ``is_proved``: something is stored already."""

    addresses: HookAddresses
    label: str
    hint: str
    is_proved: bool


def show_hook(visit: Visit, account: AccountLine) -> HookView | None:
    """None for a provider that reports to no address, and for people who may not see it: it is as good as a key."""
    kind = KINDS.get(account.kind)
    if kind is None or not kind.hook_fields or not visit.may(Action.CHANGE_SHOP):
        return None
    stored = hook_account(visit.connection, account.id)
    field = kind.hook_fields[0]
    return HookView(
        addresses=hook_addresses(visit.connection, visit.context, visit.shop, account.id),
        label=field.label[:1].upper() + field.label[1:],
        hint=field.hint[:1].upper() + field.hint[1:],
        is_proved=bool(stored and stored.secret),
    )


@shop_view(post=Action.CHANGE_SHOP)
def change_hook(visit: Visit, account_id: int) -> HttpResponse:
    """Store what proves reports, make a second address, or drop the old one: ``do`` is keys, renew or drop."""
    account, wanted = load_account(visit, account_id), visit.request.POST.get("do", "")
    where = (visit.connection, visit.context, visit.shop, account.id)
    try:
        if wanted == "keys":
            save_hook_keys(*where, visit.request.POST.get("keys", "").replace("\x00", ""))
            messages.success(visit.request, "Saved. Reports that prove themselves by it are believed from now on.")
        elif wanted == "renew":
            renew_hook(*where)
            messages.success(visit.request, "There is a new address. Enter it at the provider, then drop the old one.")
        elif wanted == "drop":
            drop_old_hook(*where)
            messages.success(visit.request, "The old address is good no longer.")
        else:
            raise Http404("there is no such change")
    except HookError as mistake:
        messages.error(visit.request, str(mistake))
    return HttpResponseRedirect(reverse("dashboard:account", args=[visit.shop.slug, account.id]) + "#hook")
