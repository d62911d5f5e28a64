"""May it be noticed who followed a link, or opened a letter? Pure: the region's rules, and what the shopper said."""

from __future__ import annotations

from rekindle.terms.policy_pack import Rules


def may_note_clicks(rules: Rules | None, answer: bool | None) -> bool:
    """``rules`` None: none are known, so only a yes counts. ``answer`` None: never asked, or never answered.

    Where no consent is needed silence is enough; a plain no ends it there, too (2002/58/EC art. 5(3) asks for a yes).

    >>> may_note_clicks(None, None), may_note_clicks(None, True)
    (False, True)
    """
    if answer is not None:
        return answer
    return rules is not None and not rules.click_needs_consent


def may_note_opens(rules: Rules | None) -> bool:
    """An open that a provider's own pixel reports. Nobody is ever asked about opens, so nobody has agreed to it.

    >>> may_note_opens(None)
    False
    """
    return rules is not None and not rules.open_needs_consent
