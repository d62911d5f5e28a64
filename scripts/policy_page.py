"""The reference page of the policy pack: what each region says about each channel."""

from __future__ import annotations

from rekindle.engine.law import default_pack
from rekindle.terms.policy_pack import ChannelRules, Tracked, Window
from rekindle.terms.send import Channel

_DAYS = (("mon_fri", "Mon-Fri"), ("sat", "Sat"), ("sun", "Sun"), ("holidays", "holidays"))


def policy_pack(made: str) -> str:
    """The page in Markdown; ``made`` is the mark of a generated page."""
    pack = default_pack()
    assert pack is not None, "the policy pack that ships cannot be read"
    lines = [
        "# Policy pack",
        "",
        made,
        f"`{pack.meta.id}`, version {pack.meta.version}, reviewed {pack.meta.reviewed}. "
        f"How it is used: [What the law lets through](../explanation/what-the-law-lets-through.md).",
        "",
        pack.meta.disclaimer,
        "",
        "All regions that anything known of a shopper makes plausible apply together, the strictest rule of each kind. "
        "EU stands for its members and the EEA without an entry of their own, ZZ for a region that is unknown.",
        "",
        "Basis, double opt-in, caps, ages, hours and the sender's identity decide sends. Consent to record opens "
        "decides what of a provider's reports is kept; Rekindle itself puts no pixel into a letter.",
    ]
    for channel in Channel:
        lines += ["", f"## {channel.value}", "", "| region | basis, any of | asks for | per cart | hours | source |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [_row(code, region.of(channel)) for code, region in pack.regions.items()]
    lines += ["", "## Dates to watch", ""]
    lines += [f"- {one.date or 'no date'}: {one.what} ({one.src})" for one in pack.meta.watch]
    return "\n".join(lines) + "\n"


def _row(code: str, rules: ChannelRules) -> str:
    basis = ", ".join(f"`{one.value}`" for one in rules.basis)
    cells = [code, basis, ", ".join(_asks(rules)) or "-", str(rules.max_per_cart), _hours(rules.window), rules.src]
    return "| " + " | ".join(cells) + " |"


def _asks(rules: ChannelRules) -> list[str]:
    asks = ["double opt-in"] if rules.double_opt_in else []
    if rules.trigger_max_age_hours is not None:
        asks.append(f"within {rules.trigger_max_age_hours:g} h")
    if rules.tracking.open is Tracked.CONSENT:
        asks.append("consent to record opens")
    return asks


def _hours(window: Window | None) -> str:
    if window is None:
        return "any"
    open_days = [(name, getattr(window, day)) for day, name in _DAYS]
    return ", ".join(f"{name} {hours[0]:g}-{hours[1]:g}" for name, hours in open_days if hours)
