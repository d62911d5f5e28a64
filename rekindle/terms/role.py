"""What may a person do in a shop? Three roles and one table of actions; everything else is refused."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is in one shop; the same person may be something else in another."""

    OWNER = "owner"
    MARKETER = "marketer"
    VIEWER = "viewer"


class Action(StrEnum):
    """What can be done in a shop's dashboard."""

    READ = "read"  #: see every page, addresses masked
    REVEAL_ADDRESS = "reveal_address"  #: see a shopper's full address, one at a time
    PAUSE_SENDING = "pause_sending"  #: pause and resume everything the shop sends
    SWITCH_FLOW = "switch_flow"  #: switch a flow on or off
    SETTLE_SEND = "settle_send"  #: decide what becomes of an uncertain send
    TIGHTEN_LAW = "tighten_law"  #: lay stricter rules over the policy pack
    LOOSEN_LAW = "loosen_law"  #: lay looser ones over it, with a reason
    CHANGE_SHOP = "change_shop"  #: thresholds, sender, holdout, write key, mail account
    CHANGE_PEOPLE = "change_people"  #: give and take access
    HANDLE_REQUESTS = "handle_requests"  #: answer requests about personal data: files, erasures, corrections
    READ_LOG = "read_log"  #: see and export what people did


_EVERYBODY = frozenset({Action.READ})
_DAILY_WORK = _EVERYBODY | {
    Action.REVEAL_ADDRESS,
    Action.PAUSE_SENDING,
    Action.SWITCH_FLOW,
    Action.SETTLE_SEND,
    Action.TIGHTEN_LAW,
}

ALLOWED_ACTIONS: dict[Role, frozenset[Action]] = {
    Role.OWNER: _DAILY_WORK
    | {Action.LOOSEN_LAW, Action.CHANGE_SHOP, Action.CHANGE_PEOPLE, Action.HANDLE_REQUESTS, Action.READ_LOG},
    Role.MARKETER: _DAILY_WORK,
    Role.VIEWER: _EVERYBODY,
}


def may(role: Role, action: Action) -> bool:
    """Whether a role includes an action.

    >>> may(Role.VIEWER, Action.READ), may(Role.VIEWER, Action.PAUSE_SENDING)
    (True, False)
    """
    return action in ALLOWED_ACTIONS[role]
