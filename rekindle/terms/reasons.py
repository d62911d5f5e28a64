"""Why was it decided so? Every refusal, wait and exit that can be stored, with a sentence for people."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A stored reason. ``Reason.X.sentence`` explains it to an operator; the reference page is made from it."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # --- allowed, done
    ALLOWED = "ALLOWED", "Every check passed."
    ABANDONED = "ABANDONED", "The cart was idle for longer than the threshold."
    ENROLLED = "ENROLLED", "The cart entered the flow."
    STEP_TAKEN = "STEP_TAKEN", "The flow moved on to its next step."
    WAITING = "WAITING", "The flow waits until the step's time."
    FLOW_DONE = "FLOW_DONE", "Every step of the flow is behind this cart."
    FELL_BACK = "FELL_BACK", "The message failed on its channel; the next channel of its step takes it over."

    # --- why a cart was not enrolled
    STILL_ACTIVE = "STILL_ACTIVE", "The shopper was active since; the idle timer was moved on."
    CART_EMPTY = "CART_EMPTY", "Nothing is left in the cart."
    NO_SHOPPER = "NO_SHOPPER", "Nobody is known for this cart: no e-mail address or phone number was given."
    NO_FLOW = "NO_FLOW", "No active flow handles this kind of abandonment."
    ENTRY_FILTER = "ENTRY_FILTER", "The flow's entry filter does not match this cart."
    ALREADY_ENROLLED = "ALREADY_ENROLLED", "This cart already runs, or ran, through the flow."
    OTHER_FLOW_RUNNING = "OTHER_FLOW_RUNNING", "The shopper is already in a flow for another cart."
    REENTRY_TOO_SOON = "REENTRY_TOO_SOON", "The shopper entered this flow too recently."
    BEFORE_ACTIVATION = "BEFORE_ACTIVATION", "The cart was left before the flow was switched on."
    TOO_OLD = "TOO_OLD", "The cart was left too long ago to start writing about it."
    OBJECTED = "OBJECTED", "The shopper objected to marketing and its profiling; nothing is planned for them."
    MOVED_TO_CART = "MOVED_TO_CART", "The visit went on in a cart, which is followed instead."
    ASSIGNED_HOLDOUT = "ASSIGNED_HOLDOUT", "Drawn into the holdout: gets no message, so that the lift can be measured."
    ASSIGNED_TREATED = "ASSIGNED_TREATED", "Drawn into the treated group."

    # --- why a flow was left
    ORDERED = "ORDERED", "The shopper ordered."
    EMPTIED = "EMPTIED", "The shopper emptied the cart."
    RETURNED = "RETURNED", "The shopper came back to the cart; a new pause starts the flow anew."
    LOST = "LOST", "The cart was given up after the shop's number of days."
    FLOW_STOPPED = "FLOW_STOPPED", "The flow was switched off."
    EXIT_STEP = "EXIT_STEP", "The flow's own exit step was reached."
    CATCH_UP = "CATCH_UP", "Due together with another message of its flow, after a wait or an outage; only one is sent."

    # --- may_send, most final first
    EVALUATION_FAILED = "EVALUATION_FAILED", "The decision could not be made; unknown means no."
    PURCHASED = "PURCHASED", "The shopper has ordered since leaving the cart."
    CART_CLOSED = "CART_CLOSED", "The cart is no longer abandoned."
    ERASED = "ERASED", "The shopper's data was erased."
    SUPPRESSED = "SUPPRESSED", "The address is suppressed (bounce, complaint or import)."
    OPTED_OUT = "OPTED_OUT", "The shopper opted out on this channel."
    TOPIC_OFF = "TOPIC_OFF", "The shopper does not want messages about this."
    DECLINED = "DECLINED", "The shopper does not want to be reminded of this cart."
    NO_BASIS = "NO_BASIS", "There is no provable consent or other legal basis for this channel."
    NOTHING_TO_CONFIRM = "NOTHING_TO_CONFIRM", "There is no consent that waits to be confirmed."
    DOUBLE_OPT_IN_MISSING = (
        "DOUBLE_OPT_IN_MISSING",
        "The address has not confirmed its consent, and one of the shopper's possible regions asks for that.",
    )
    CART_NOT_IN_OPTIN_TEXT = (
        "CART_NOT_IN_OPTIN_TEXT",
        "The wording of the consent is not in writing or does not name cart reminders.",
    )
    CONSENT_UNPROVABLE = "CONSENT_UNPROVABLE", "The consent has no wording with it, so that it cannot be proven."
    HELD_OUT = "HELD_OUT", "The shopper is in the holdout; this is when the message would have gone out."
    CONTENT_MISSING = "CONTENT_MISSING", "The rendered content lacks something it must have."
    RENDER_FAILED = "RENDER_FAILED", "The template could not be rendered for this cart."
    NO_ADDRESS = "NO_ADDRESS", "No address is known for this channel."
    ROLE_ADDRESS = "ROLE_ADDRESS", "The address belongs to a function (abuse@, noreply@), not to a person."
    CART_CAP = "CART_CAP", "This cart has had its number of messages on this channel."
    CAP_24H = "CAP_24H", "The shopper has had the most messages allowed within 24 hours."
    CAP_7D = "CAP_7D", "The shopper has had the most messages allowed within 7 days."
    OUTRANKED = "OUTRANKED", "A more important message or flow for the same shopper goes first."
    CHANNEL_GAP = "CHANNEL_GAP", "Another message went out too short a time ago."
    PURCHASE_COOL_OFF = "PURCHASE_COOL_OFF", "The shopper bought something only days ago."
    CLOCK_BACKWARDS = "CLOCK_BACKWARDS", "The cart was left in the future; a clock is wrong."
    TOO_SOON = "TOO_SOON", "The cart is younger than the minimum age."
    STALE = "STALE", "The message is too late to be of use."
    QUIET_HOURS = "QUIET_HOURS", "It is night or a day of rest in one of the shopper's possible time zones."
    SNOOZED = "SNOOZED", "The shopper asked for a pause."
    PAUSED = "PAUSED", "Sending is paused for this shop, channel or provider."

    # --- what became of a send
    PROVIDER_REFUSED = "PROVIDER_REFUSED", "The provider refused the message for good."
    ATTEMPTS_USED_UP = "ATTEMPTS_USED_UP", "The provider kept refusing; no attempt is left."
    CONNECTION_LOST = "CONNECTION_LOST", "The connection broke after the message was sent and before the answer."
    WORKER_DIED = "WORKER_DIED", "The worker died between the start of the call and its answer."
    NOT_REPEATABLE = (
        "NOT_REPEATABLE",
        "It may have been sent, and repeating it is not safe: its content or its key is gone.",
    )
    OPERATOR = "OPERATOR", "An operator decided."
