"""Who may enter this shop? An owner adds people, changes their role and takes their access."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse

from rekindle.engine.memberships import MembershipError, add_to_shop, change_role, remove_from_shop
from rekindle.terms.role import Action, Role
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.settings_page import back_to_settings, show_settings


@shop_view(post=Action.CHANGE_PEOPLE)
def add(visit: Visit) -> HttpResponse:
    """Add somebody; a new account's password is shown on the page that answers, and never again."""
    account = visit.request.POST.get("account", "").strip()
    role = _role(visit)
    visit.noted.update(account=account, role=role.value if role else "")
    if role is None:
        return _mistake(visit, "Choose a role.", account)
    try:
        added = add_to_shop(
            visit.connection,
            visit.context,
            shop_id=visit.shop.id,
            account=account,
            role=role,
            by=person_id_of(visit.request),
        )
    except MembershipError as mistake:
        return _mistake(visit, str(mistake), account)
    if added.password is None:
        messages.success(visit.request, f"{added.account} may now enter as {role.value}.")
        return back_to_settings(visit, "people")
    return show_settings(visit, {"added": added})


@shop_view(post=Action.CHANGE_PEOPLE)
def change(visit: Visit, person_id: int) -> HttpResponse:
    """Give somebody another role, or take their access."""
    by = person_id_of(visit.request)
    role = _role(visit)
    visit.noted["role"] = "removed" if visit.request.POST.get("remove") else role.value if role else ""
    try:
        if visit.request.POST.get("remove"):
            remove_from_shop(visit.connection, shop_id=visit.shop.id, person_id=person_id, by=by)
            messages.success(visit.request, "Access was taken.")
        elif role is None:
            return _mistake(visit, "Choose a role.", "")
        else:
            change_role(visit.connection, shop_id=visit.shop.id, person_id=person_id, role=role, by=by)
            messages.success(visit.request, "The role was changed.")
    except MembershipError as mistake:
        return _mistake(visit, str(mistake), "")
    return back_to_settings(visit, "people")


def _role(visit: Visit) -> Role | None:
    wanted = visit.request.POST.get("role", "")
    return Role(wanted) if wanted in list(Role) else None


def _mistake(visit: Visit, text: str, account: str) -> HttpResponse:
    return show_settings(visit, {"people_problem": text, "people_account": account, "wrong": "people"}, status=422)
