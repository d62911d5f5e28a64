"""How is the shop set up? One page of cards; each card saves itself, an owner only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.configure import change_shop, pause_sending, renew_secret_key, renew_write_key, resume_sending
from rekindle.store.dashboard.access import people_of_shop
from rekindle.store.shop_changes import secret_key_made_at, write_key_of
from rekindle.terms.role import Action, Role
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.page import Section, show_page
from rekindle.web.dashboard.shop_forms import RulesForm, SenderForm, ShopForm


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChoice:
    value: str
    label: str
    note: str


ROLES = (
    RoleChoice(value=Role.OWNER, label="Owner", note="everything, also settings and people"),
    RoleChoice(
        value=Role.MARKETER,
        label="Marketer",
        note="pauses sending, switches flows, decides uncertain sends, tightens rules",
    ),
    RoleChoice(value=Role.VIEWER, label="Viewer", note="reads; addresses stay masked"),
)


@shop_view(get=Action.READ)
def settings_page(visit: Visit) -> HttpResponse:
    return show_settings(visit, {})


@shop_view(post=Action.CHANGE_SHOP)
def change_identity(visit: Visit) -> HttpResponse:
    return _save(visit, "shop_form", ShopForm(visit.request.POST), "shop")


@shop_view(post=Action.CHANGE_SHOP)
def change_sender(visit: Visit) -> HttpResponse:
    return _save(visit, "sender_form", SenderForm(visit.request.POST), "sender")


@shop_view(post=Action.CHANGE_SHOP)
def change_rules(visit: Visit) -> HttpResponse:
    return _save(visit, "rules_form", RulesForm(visit.request.POST), "rules")


@shop_view(post=Action.CHANGE_SHOP)
def renew_key(visit: Visit) -> HttpResponse:
    renew_write_key(visit.connection, visit.shop.id, by=person_id_of(visit.request))
    messages.success(visit.request, "The shop has a new write key. Put the new snippet on its pages now.")
    return back_to_settings(visit, "tracking")


@shop_view(post=Action.CHANGE_SHOP)
def renew_secret(visit: Visit) -> HttpResponse:
    """The new key is in this answer and nowhere else: it is not stored, and not shown again."""
    key = renew_secret_key(visit.connection, visit.context, visit.shop.id, by=person_id_of(visit.request))
    answer = show_settings(visit, {"new_secret_key": key})
    answer["Cache-Control"] = "no-store"
    return answer


@shop_view(post=Action.PAUSE_SENDING)
def pause(visit: Visit) -> HttpResponse:
    pause_sending(visit.connection, visit.shop.id, by=person_id_of(visit.request))
    return HttpResponseRedirect(reverse("dashboard:sends", args=[visit.shop.slug]))


@shop_view(post=Action.PAUSE_SENDING)
def resume(visit: Visit) -> HttpResponse:
    if resume_sending(visit.connection, visit.context, visit.shop, by=person_id_of(visit.request)):
        messages.success(visit.request, "Sending goes on.")
    return HttpResponseRedirect(reverse("dashboard:sends", args=[visit.shop.slug]))


def show_settings(visit: Visit, replaced: Mapping[str, object], *, status: int = 200) -> HttpResponse:
    """The page; ``replaced`` puts a form with mistakes, or a result, in the place of the stored state."""
    shop = visit.shop
    content: dict[str, object] = {
        "shop_form": ShopForm.of(shop),
        "sender_form": SenderForm.of(shop),
        "rules_form": RulesForm.of(shop),
        "may_change": visit.may(Action.CHANGE_SHOP),
        "may_read_log": visit.may(Action.READ_LOG),
        "may_change_people": visit.may(Action.CHANGE_PEOPLE),
        "write_key": write_key_of(visit.connection, shop.id) if visit.may(Action.CHANGE_SHOP) else "",
        "secret_key_at": secret_key_made_at(visit.connection, shop.id) if visit.may(Action.CHANGE_SHOP) else None,
        "public_url": visit.context.public_url,
        "people": people_of_shop(visit.connection, shop.id),
        "roles": ROLES,
        "me": person_id_of(visit.request),
    }
    return show_page(visit, "dashboard/settings.html", {**content, **replaced}, section=Section.SETTINGS, status=status)


def back_to_settings(visit: Visit, card: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('dashboard:settings', args=[visit.shop.slug])}#{card}")


def _save(visit: Visit, name: str, form: ShopForm | SenderForm | RulesForm, card: str) -> HttpResponse:
    if not form.is_valid():
        return show_settings(visit, {name: form, "wrong": card}, status=422)
    changes = form.changes()
    visit.noted["changed"] = {
        name: [getattr(visit.shop, name, None), value]
        for name, value in changes.items()
        if getattr(visit.shop, name, None) != value
    }
    change_shop(visit.connection, visit.shop.id, changes, by=person_id_of(visit.request))
    messages.success(visit.request, "Saved. Workers use it within seconds.")
    return back_to_settings(visit, card)
