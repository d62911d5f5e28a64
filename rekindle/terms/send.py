"""What is a send, on which channels, and which states does it pass?"""

from __future__ import annotations

from enum import StrEnum


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class MessageKind(StrEnum):
    """What a message is for."""

    REMINDER = "reminder"  #: about a cart or a visit; marketing everywhere
    CONFIRMATION = "confirmation"  #: asks an address to confirm that it agreed; nothing else is in it


class SendState(StrEnum):
    """`scheduled -> claimed -> sending -> handed_over -> delivered | bounced | failed`, or `skipped`, or
    `uncertain -> handed_over | failed | resent`. Facts only move forward."""

    SCHEDULED = "scheduled"  #: waits in the outbox for its time
    CLAIMED = "claimed"  #: a worker holds it; nothing was sent, safe to hand back when the lease ends
    SENDING = "sending"  #: committed just before the provider call; after a crash it may have been sent
    UNCERTAIN = "uncertain"  #: nobody knows whether it went out; never repeated blindly
    HANDED_OVER = "handed_over"  #: the provider took it
    DELIVERED = "delivered"  #: the provider says it arrived
    BOUNCED = "bounced"  #: the address refused it
    FAILED = "failed"  #: it can not be sent, and will not be
    SKIPPED = "skipped"  #: decided not to send; always with a reason
    RESENT = "resent"  #: an operator sent an uncertain one again


#: States whose row still lies in the outbox.
IN_OUTBOX = frozenset({SendState.SCHEDULED, SendState.CLAIMED, SendState.SENDING, SendState.UNCERTAIN})


class SendEventKind(StrEnum):
    """What happened to a send; the send's state follows from its events."""

    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    FAILED = "failed"
    DROPPED = "dropped"  #: the provider took it, and gave it up
    SKIPPED = "skipped"
    UNCERTAIN = "uncertain"
    RESENT = "resent"
    OPENED = "opened"
    CLICKED = "clicked"
    RESTORED = "restored"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"


class EnrolmentState(StrEnum):
    """`waiting -> done | exited(reason)`."""

    WAITING = "waiting"
    DONE = "done"  #: every step is behind it
    EXITED = "exited"  #: left before the end, with a reason


class Arm(StrEnum):
    """Which side of the holdout an enrolment is on."""

    TREATED = "treated"
    HOLDOUT = "holdout"
