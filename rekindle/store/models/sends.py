"""Which tables hold what was decided, planned and sent?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.sharding import Sharded


class Enrolment(Sharded):
    """One cart's run through one flow version; lives in the shopper's bucket. `due_at` is the timer."""

    pk = models.CompositePrimaryKey("bucket", "id")
    flow_id = models.BigIntegerField()
    flow_version_id = models.BigIntegerField()
    cart_bucket = models.IntegerField()
    cart_id = models.UUIDField()
    shopper_id = models.UUIDField()
    arm = models.CharField(max_length=8)
    state = models.CharField(max_length=8)
    exit_reason = models.CharField(max_length=24, null=True)
    step = models.CharField(max_length=40, null=True)
    due_at = models.DateTimeField(null=True)
    abandoned_at = models.DateTimeField()
    entered_at = models.DateTimeField()
    step_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "enrolments"
        indexes = [
            # used by claim_due_enrolments
            models.Index(fields=["bucket", "due_at"], name="enrolments_due", condition=models.Q(state="waiting")),
            # used by orders, opt-outs, re-entry and the shopper's page
            models.Index(fields=["bucket", "shopper_id", "entered_at"], name="enrolments_shopper"),
            # used by orders that find a cart, and by the cart's page
            models.Index(fields=["bucket", "cart_id"], name="enrolments_cart"),
        ]


class Send(Sharded):
    """The immutable record of one message; its state follows from the outbox and its events.

    The id is made of the enrolment's time and of enrolment, step and channel: once only, by primary key.
    Two hashes of tokens are stored, never the tokens: `link_hash` (recovery and clicks), `optout_hash`.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    enrolment_id = models.UUIDField()
    flow_id = models.BigIntegerField()
    flow_version_id = models.BigIntegerField()
    step = models.CharField(max_length=40)
    channel = models.CharField(max_length=8)
    shopper_id = models.UUIDField()
    contact_point_id = models.UUIDField()
    cart_bucket = models.IntegerField()
    cart_id = models.UUIDField()
    template_version_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    planned_at = models.DateTimeField()
    link_hash = models.BinaryField()
    optout_hash = models.BinaryField()
    context = models.JSONField(default=dict)
    #: terms.send.MessageKind; a confirmation has no cart and no run: these columns then repeat its own id
    kind = models.CharField(max_length=12, db_default="reminder")

    class Meta:
        db_table = "sends"
        indexes = [
            # used by caps in may_send, opt-outs and the shopper's page
            models.Index(fields=["bucket", "shopper_id", "created_at"], name="sends_shopper"),
            # used by the cart's page and by orders
            models.Index(fields=["bucket", "cart_id"], name="sends_cart"),
            # used by the short links of text messages
            models.Index(fields=["bucket", "link_hash"], name="sends_short_link", condition=models.Q(channel="sms")),
        ]


class Outbox(Sharded):
    """The narrow row that is claimed, updated and deleted; same id as its send. `seed` dies with the row.

    `first_try_at` and `letter_hash` are set when the send first went to an account that answers a repeated key without
    a second delivery: a repeat must be the same message, and comes only while the provider remembers the key.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    shopper_id = models.UUIDField()
    enrolment_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    state = models.CharField(max_length=12)
    send_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    account_id = models.BigIntegerField(null=True)
    uncertain_at = models.DateTimeField(null=True)
    seed = models.BinaryField()
    first_try_at = models.DateTimeField(null=True)
    letter_hash = models.BinaryField(null=True)

    class Meta:
        db_table = "outbox"
        indexes = [
            # used by claim_due_sends
            models.Index(fields=["bucket", "send_at"], name="outbox_due", condition=models.Q(state="scheduled")),
            # used by fair claims between the shops of a bucket
            models.Index(
                fields=["bucket", "shop_id", "send_at"], name="outbox_shop_due", condition=models.Q(state="scheduled")
            ),
            # used by rescue_ended_leases
            models.Index(
                fields=["bucket", "lease_until"],
                name="outbox_leased",
                condition=models.Q(state__in=["claimed", "sending"]),
            ),
            # used by reconciliation and by the operator's list
            models.Index(
                fields=["bucket", "uncertain_at"], name="outbox_uncertain", condition=models.Q(state="uncertain")
            ),
            # used by orders, opt-outs and erasures
            models.Index(fields=["bucket", "shopper_id"], name="outbox_shopper"),
        ]


class TextSlot(models.Model):
    """The place of a cart's one text message: whoever holds it may send, until ``until_at``. Its key is the rule of the
    carriers as a constraint, whatever way a message takes; it lies in the bucket of the send."""

    pk = models.CompositePrimaryKey("bucket", "shop_id", "cart_id")
    bucket = models.IntegerField()
    shop_id = models.BigIntegerField()
    cart_id = models.UUIDField()
    send_id = models.UUIDField()
    until_at = models.DateTimeField()

    class Meta:
        db_table = "text_slots"


class SendEvent(Sharded):
    """What happened to a send; append-only, partitioned by day. The key deduplicates providers' repeats."""

    pk = models.CompositePrimaryKey("bucket", "id")
    send_id = models.UUIDField()
    shopper_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    reason = models.CharField(max_length=24, null=True)
    provider_key = models.TextField(null=True)
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "send_events"


class Decision(Sharded):
    """Every verdict with its reason and evidence; append-only, partitioned by day on the time-ordered id."""

    pk = models.CompositePrimaryKey("bucket", "id")
    at = models.DateTimeField()
    question = models.CharField(max_length=12)
    outcome = models.CharField(max_length=8)
    reason = models.CharField(max_length=24)
    retry_at = models.DateTimeField(null=True)
    cart_id = models.UUIDField(null=True)
    shopper_id = models.UUIDField(null=True)
    enrolment_id = models.UUIDField(null=True)
    send_id = models.UUIDField(null=True)
    step = models.CharField(max_length=40, null=True)
    evidence = models.JSONField(default=dict)

    class Meta:
        db_table = "decisions"
