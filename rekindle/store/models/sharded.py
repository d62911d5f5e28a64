"""Which tables grow with shoppers? Each begins with its bucket and keeps it first in every key.

Django sees them for migrations and for the dashboard's reads; hot paths use rekindle/store/sql. No foreign key
constraint leads out of them, no trigger, no row-level security (see docs/adr/0002).
"""

from __future__ import annotations

from django.db import models


class Sharded(models.Model):
    """First column of every table that grows with shoppers."""

    bucket = models.IntegerField()
    id = models.UUIDField()
    shop_id = models.BigIntegerField()

    class Meta:
        abstract = True


class Event(Sharded):
    """What happened at the shop; append-only, partitioned by day on the time-ordered id. The key is the deduplication."""

    pk = models.CompositePrimaryKey("bucket", "id")
    kind = models.CharField(max_length=24)
    name = models.TextField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    visitor_key = models.TextField(null=True)
    cart_id = models.UUIDField(null=True)
    payload = models.JSONField()

    class Meta:
        db_table = "events"


class Visitor(Sharded):
    """An outside key of a person or visit (anonymous id, customer id, checkout token) and whom and what it leads to."""

    pk = models.CompositePrimaryKey("bucket", "id")
    visitor_key = models.TextField()
    shopper_bucket = models.IntegerField(null=True)
    shopper_id = models.UUIDField(null=True)
    cart_bucket = models.IntegerField(null=True)
    cart_id = models.UUIDField(null=True)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    visit_count = models.IntegerField(default=1)
    facts = models.JSONField(default=dict)

    class Meta:
        db_table = "visitors"


class Shopper(Sharded):
    """A person who can be written to. This row's lock is the one that orders, opt-outs, erasures and sends share."""

    pk = models.CompositePrimaryKey("bucket", "id")
    customer_key = models.TextField(null=True)
    first_name = models.TextField(default="")
    last_name = models.TextField(default="")
    locale = models.TextField(default="")
    country = models.TextField(default="")
    region = models.TextField(default="")
    timezones = models.JSONField(default=list)
    gpc = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    last_order_at = models.DateTimeField(null=True)
    order_count = models.IntegerField(default=0)
    spent_cents = models.BigIntegerField(default=0)
    opted_out_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    traits = models.JSONField(default=dict)
    seq = models.BigIntegerField(default=0)

    class Meta:
        db_table = "shoppers"


class ContactPoint(Sharded):
    """One address of a shopper, found by its keyed hash; `address` is empty after erasure."""

    pk = models.CompositePrimaryKey("bucket", "id")
    shopper_bucket = models.IntegerField()
    shopper_id = models.UUIDField()
    channel = models.CharField(max_length=8)
    address = models.TextField()
    address_hash = models.BinaryField()
    consent = models.CharField(max_length=12, null=True)
    consent_at = models.DateTimeField(null=True)
    consent_wording = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "contact_points"
        indexes = [
            # used by the facts of a send and by a shopper's page
            models.Index(fields=["bucket", "shopper_id"], name="contact_points_shopper"),
        ]


class CartRow(Sharded):
    """Current state of each cart. Activity touches no indexed column; `check_at` is the lazy idle timer."""

    pk = models.CompositePrimaryKey("bucket", "id")
    cart_key = models.TextField()
    state = models.CharField(max_length=12)
    stage = models.CharField(max_length=12)
    items = models.JSONField(default=list)
    currency = models.CharField(max_length=3, null=True)
    total_cents = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField()
    check_at = models.DateTimeField(null=True)
    abandoned_at = models.DateTimeField(null=True)
    snapshot_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    visitor_key = models.TextField(null=True)
    shopper_bucket = models.IntegerField(null=True)
    shopper_id = models.UUIDField(null=True)
    order_key = models.TextField(null=True)
    checkout_key = models.TextField(null=True)
    recover_url = models.TextField(null=True)
    views = models.JSONField(default=list)
    facts = models.JSONField(default=dict)
    seq = models.BigIntegerField(default=0)

    class Meta:
        db_table = "carts"
        indexes = [
            # used by claim_idle_carts; rows leave it when they close
            models.Index(
                fields=["bucket", "check_at"], name="carts_check", condition=models.Q(check_at__isnull=False)
            ),
            # used by an order or opt-out that looks for the shopper's other carts, and by a shopper's page
            models.Index(
                fields=["bucket", "shopper_id"], name="carts_shopper", condition=models.Q(shopper_id__isnull=False)
            ),
            # used by the dashboard's list (newest first within a shop)
            models.Index(fields=["bucket", "shop_id", "created_at"], name="carts_created"),
        ]


class Order(Sharded):
    """A purchase, found by the shop's own order key (its anchor), so that two sources meet in one row."""

    pk = models.CompositePrimaryKey("bucket", "id")
    order_key = models.TextField()
    state = models.CharField(max_length=12)
    currency = models.CharField(max_length=3)
    total_cents = models.BigIntegerField()
    refunded_cents = models.BigIntegerField(default=0)
    ordered_at = models.DateTimeField()
    received_at = models.DateTimeField()
    cart_bucket = models.IntegerField(null=True)
    cart_id = models.UUIDField(null=True)
    shopper_bucket = models.IntegerField(null=True)
    shopper_id = models.UUIDField(null=True)
    matched_by = models.TextField(default="")
    coupons = models.JSONField(default=list)
    items = models.JSONField(default=list)

    class Meta:
        db_table = "orders"
        indexes = [
            # used by the overview and the hourly roll-up
            models.Index(fields=["bucket", "shop_id", "ordered_at"], name="orders_ordered"),
        ]


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

    class Meta:
        db_table = "sends"
        indexes = [
            # used by caps in may_send, opt-outs and the shopper's page
            models.Index(fields=["bucket", "shopper_id", "created_at"], name="sends_shopper"),
            # used by the cart's page and by orders
            models.Index(fields=["bucket", "cart_id"], name="sends_cart"),
        ]


class Outbox(Sharded):
    """The narrow row that is claimed, updated and deleted; same id as its send. `seed` dies with the row."""

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
            models.Index(fields=["bucket", "uncertain_at"], name="outbox_uncertain", condition=models.Q(state="uncertain")),
            # used by orders, opt-outs and erasures
            models.Index(fields=["bucket", "shopper_id"], name="outbox_shopper"),
        ]


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


class Consent(Sharded):
    """Append-only ledger of what an address agreed to or withdrew; hash-chained per address and channel."""

    pk = models.CompositePrimaryKey("bucket", "id")
    channel = models.CharField(max_length=8)
    address_hash = models.BinaryField()
    seq = models.IntegerField()
    kind = models.CharField(max_length=12)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    wording = models.TextField(default="")
    source = models.TextField(default="")
    evidence = models.JSONField(default=dict)
    previous_hash = models.BinaryField()
    row_hash = models.BinaryField()

    class Meta:
        db_table = "consents"
        constraints = [
            models.UniqueConstraint(
                fields=["bucket", "shop_id", "channel", "address_hash", "seq"], name="consents_chain"
            )
        ]


class Suppression(models.Model):
    """An address that must not be written to, by keyed hash; survives erasure and re-import."""

    pk = models.CompositePrimaryKey("bucket", "shop_id", "channel", "address_hash")
    bucket = models.IntegerField()
    shop_id = models.BigIntegerField()
    channel = models.CharField(max_length=8)
    address_hash = models.BinaryField()
    reason = models.CharField(max_length=16)
    at = models.DateTimeField()
    source = models.TextField(default="")

    class Meta:
        db_table = "suppressions"


class Coupon(Sharded):
    """A code issued to one shopper for one cart."""

    pk = models.CompositePrimaryKey("bucket", "id")
    offer_id = models.BigIntegerField()
    code = models.TextField()
    shopper_id = models.UUIDField()
    cart_id = models.UUIDField()
    state = models.CharField(max_length=12)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    redeemed_at = models.DateTimeField(null=True)
    order_key = models.TextField(null=True)

    class Meta:
        db_table = "coupons"
        constraints = [models.UniqueConstraint(fields=["bucket", "shop_id", "code"], name="coupons_code")]


class Exposure(Sharded):
    """Holdout and experiment assignment of one enrolment, with the probability it was drawn with."""

    pk = models.CompositePrimaryKey("bucket", "id")
    experiment_key = models.TextField()
    variant = models.TextField()
    probability = models.FloatField()
    at = models.DateTimeField()
    shopper_id = models.UUIDField()
    enrolment_id = models.UUIDField()
    cart_id = models.UUIDField()

    class Meta:
        db_table = "exposures"
        indexes = [models.Index(fields=["bucket", "enrolment_id"], name="exposures_enrolment")]


class Attribution(Sharded):
    """Which order belongs to which send, under which rule; recomputable, in the order's bucket."""

    pk = models.CompositePrimaryKey("bucket", "id")
    order_id = models.UUIDField()
    rule = models.CharField(max_length=24)
    send_bucket = models.IntegerField(null=True)
    send_id = models.UUIDField(null=True)
    enrolment_id = models.UUIDField(null=True)
    flow_id = models.BigIntegerField(null=True)
    touched_at = models.DateTimeField(null=True)
    ordered_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    net_cents = models.BigIntegerField()

    class Meta:
        db_table = "attributions"
        indexes = [models.Index(fields=["bucket", "shop_id", "ordered_at"], name="attributions_ordered")]


class Rollup(models.Model):
    """Hourly sums per shop: sufficient statistics (n, sum, sum of squares) of a metric under a label."""

    pk = models.CompositePrimaryKey("bucket", "shop_id", "metric", "label", "hour")
    bucket = models.IntegerField()
    shop_id = models.BigIntegerField()
    metric = models.CharField(max_length=40)
    label = models.CharField(max_length=60)
    hour = models.DateTimeField()
    n = models.BigIntegerField()
    total = models.BigIntegerField()
    total_sq = models.DecimalField(max_digits=38, decimal_places=0)

    class Meta:
        db_table = "rollups"


class Product(Sharded):
    """A product as last seen in the shop's events; lives in the shop's base bucket."""

    pk = models.CompositePrimaryKey("bucket", "id")
    product_key = models.TextField()
    title = models.TextField(default="")
    url = models.TextField(default="")
    image_url = models.TextField(default="")
    unit_cents = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, null=True)
    category = models.TextField(default="")
    popularity = models.FloatField(default=0)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "products"


class ProductPair(models.Model):
    """How often two products met in one order or cart (weighted); for recommendations."""

    pk = models.CompositePrimaryKey("bucket", "shop_id", "product_key", "other_key")
    bucket = models.IntegerField()
    shop_id = models.BigIntegerField()
    product_key = models.TextField()
    other_key = models.TextField()
    weight = models.FloatField()

    class Meta:
        db_table = "product_pairs"
