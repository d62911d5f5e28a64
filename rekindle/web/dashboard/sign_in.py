"""Who is this person? Sign-in with a limit on guessing, sign-out, and what a fresh installation shows."""

from __future__ import annotations

import math

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from rekindle.engine.audit_log import note
from rekindle.engine.sign_in import note_failed_sign_in, note_sign_in, sign_in_blocked_until
from rekindle.store.dashboard.access import any_person, shops_of_person
from rekindle.store.database import Connection
from rekindle.store.memberships import person_by_account
from rekindle.terms.log_entry import Deed, LogOutcome
from rekindle.web import runtime
from rekindle.web.dashboard.access import network_of_request, person_id_of, to_sign_in
from rekindle.web.http import remote_of

_WRONG = "This name and password do not match. Passwords are case-sensitive."
_MOST_CHARACTERS = 254


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page; a POST tries the name and password."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(_target(request))
    if request.method == "POST":
        return _try(request)
    with runtime.database().control() as connection:
        anybody = any_person(connection)
    return _page(request, anybody=anybody)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        with runtime.database().control() as connection:
            deed = Deed(actor=request.user.get_username(), action="sign_out", network=network_of_request(request))
            note(connection, runtime.context(), deed)
    logout(request)
    return HttpResponseRedirect(settings.LOGIN_URL)


@require_http_methods(["GET", "HEAD"])
def home(request: HttpRequest) -> HttpResponse:
    """Lead to the person's first shop, or say that there is none."""
    if not request.user.is_authenticated:
        return to_sign_in(request)
    with runtime.database().control() as connection:
        shops = shops_of_person(connection, person_id_of(request))
    if shops:
        return HttpResponseRedirect(f"/shops/{shops[0].slug}/")
    return render(request, "dashboard/no_shop.html", {"account": request.user.get_username()})


def _try(request: HttpRequest) -> HttpResponse:
    account = request.POST.get("account", "").replace("\x00", "").strip()[:_MOST_CHARACTERS]
    password = request.POST.get("password", "")[:1024]
    address = remote_of(request.META.get("REMOTE_ADDR", ""), lambda name: request.headers.get(name, ""))
    context = runtime.context()
    with runtime.database().control() as connection:
        until = sign_in_blocked_until(connection, context, account=account, address=address)
        if until is not None:
            _note(request, connection, account, LogOutcome.REFUSED, why="too many attempts")
            minutes = max(1, math.ceil((until - context.clock.now()).total_seconds() / 60))
            text = f"Too many attempts. Try again in {minutes} minute{'' if minutes == 1 else 's'}."
            return _page(request, account=account, problem=text, status=429)
        person = authenticate(request, username=account, password=password)
        if person is None:
            note_failed_sign_in(connection, context, account=account, address=address)
            _note(request, connection, account, LogOutcome.REFUSED, why="wrong name or password")
            return _page(request, account=account, problem=_WRONG, status=422)
        note_sign_in(connection, context, account=account, address=address)
        _note(request, connection, person.get_username(), LogOutcome.DONE)
    login(request, person)
    return HttpResponseRedirect(_target(request))


def _note(request: HttpRequest, connection: Connection, account: str, outcome: LogOutcome, **facts: object) -> None:
    """Names that no account has are not written down: they may be a password in the wrong field."""
    is_known = person_by_account(connection, account) is not None
    actor = account if is_known else "unknown account"
    deed = Deed(actor=actor, action="sign_in", outcome=outcome, facts=facts, network=network_of_request(request))
    note(connection, runtime.context(), deed)


def _target(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    fine = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if fine and wanted.startswith("/") else settings.LOGIN_REDIRECT_URL


def _page(
    request: HttpRequest, *, anybody: bool = True, account: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    content = {
        "anybody": anybody,
        "account": account,
        "problem": problem,
        "next": request.POST.get("next") or request.GET.get("next") or "",
    }
    return render(request, "dashboard/sign_in.html", content, status=status)
