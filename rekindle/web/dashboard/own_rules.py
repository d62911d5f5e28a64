"""Which rules hold for this shop, in each region, and which of them are its own? Read by all, changed with care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from rekindle.engine.law import default_pack, laws
from rekindle.engine.own_rules import LEAST_REASON, OwnRulesError, Person, Proposal, change_own_rules, propose
from rekindle.policy.own_rules import compare
from rekindle.policy.rule_behind import basis_words, window_words
from rekindle.store.own_rules import rule_changes
from rekindle.terms.policy_pack import ChannelRules, PolicyPack
from rekindle.terms.role import Action
from rekindle.terms.send import Channel
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.own_rules_form import OwnRulesForm
from rekindle.web.dashboard.page import Section, show_page

_MOST_CHANGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesLine:
    """One region on one channel. ``own``: how many fields are the shop's own, ``looser``: one lets more through."""

    region: str
    rules: ChannelRules
    basis: str
    hours: str
    own: int
    looser: bool


@shop_view(get=Action.READ)
def all_rules(visit: Visit) -> HttpResponse:
    base, pack = default_pack(), laws().pack_of(visit.shop)
    channel = _channel(visit.request.GET.get("channel", Channel.EMAIL.value))
    content = {
        "lines": _lines(base, pack, channel) if base and pack else [],
        "unusable": pack is None,
        "channel": channel.value,
        "channels": [one.value for one in Channel],
        "history": rule_changes(visit.connection, visit.shop.id, _MOST_CHANGES),
        "pack": pack.meta if pack else None,
        "review_due": pack is None or pack.is_review_due(visit.now.date()),
    }
    return show_page(visit, "dashboard/own_rules.html", content, section=Section.LAW)


@shop_view(get=Action.READ, post=Action.TIGHTEN_LAW)
def rules_of_region(visit: Visit, region: str, channel: str) -> HttpResponse:
    rules = _rules(visit, region, channel)
    if visit.request.method != "POST":
        return _show(visit, region, channel, OwnRulesForm.of(rules))
    form = OwnRulesForm(visit.request.POST)
    if not form.is_valid():
        return _show(visit, region, channel, form, status=422)
    try:
        proposal = propose(visit.shop.own_rules, region=region, channel=Channel(channel), rules=form.rules())
        if not proposal.changes:
            messages.info(visit.request, "Nothing would change.")
            return HttpResponseRedirect(_back(visit, channel))
        if visit.request.POST.get("confirmed") != "yes":
            return _show(visit, region, channel, form, proposal=proposal)
        by = Person(person_id_of(visit.request), visit.account, visit.role)
        reason = visit.request.POST.get("reason", "")
        change_own_rules(visit.connection, visit.shop.id, proposal, by=by, reason=reason, now=visit.now)
    except OwnRulesError as error:
        return _show(visit, region, channel, form, trouble=str(error), status=422)
    messages.success(visit.request, "Saved. Workers go by it within seconds.")
    return HttpResponseRedirect(_back(visit, channel))


def _show(
    visit: Visit,
    region: str,
    channel: str,
    form: OwnRulesForm,
    *,
    proposal: Proposal | None = None,
    trouble: str = "",
    status: int = 200,
) -> HttpResponse:
    content = {
        "region": region,
        "channel": channel,
        "form": form,
        "rules": _rules(visit, region, channel),
        "proposal": proposal,
        "trouble": trouble,
        "may_tighten": visit.may(Action.TIGHTEN_LAW),
        "may_loosen": visit.may(Action.LOOSEN_LAW),
        "least_reason": LEAST_REASON,
        "reason": visit.request.POST.get("reason", ""),
    }
    return show_page(visit, "dashboard/own_rules_region.html", content, section=Section.LAW, status=status)


def _rules(visit: Visit, region: str, channel: str) -> ChannelRules:
    """What holds for the shop now; the pack's own rules where the shop's cannot be used."""
    pack = laws().pack_of(visit.shop) or default_pack()
    if pack is None or region not in pack.regions:
        raise Http404("the pack has no such region")
    return pack.regions[region].of(_channel(channel))


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        raise Http404("there is no such channel") from None


def _lines(base: PolicyPack, pack: PolicyPack, channel: Channel) -> Sequence[RulesLine]:
    own: Mapping[str, list[bool]] = {code: [] for code in pack.regions}
    for change in compare(base, pack):
        if change.channel == channel.value:
            own[change.region].append(change.loosens)
    return [
        RulesLine(
            region=code,
            rules=(rules := region.of(channel)),
            basis=basis_words(rules),
            hours=window_words(rules.window),
            own=len(own[code]),
            looser=any(own[code]),
        )
        for code, region in sorted(pack.regions.items())
    ]


def _back(visit: Visit, channel: str) -> str:
    return f"{reverse('dashboard:own_rules', args=[visit.shop.slug])}?channel={channel}"
