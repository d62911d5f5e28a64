"""Which tables hold who a shopper is, how to reach them, and what they agreed to?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.sharding import Sharded


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
    objected_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    traits = models.JSONField(default=dict)
    preferences = models.JSONField(null=True)
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
    consent_confirmed = models.BooleanField(default=False, db_default=False)
    consent_written = models.BooleanField(default=False, db_default=False)
    consent_names_carts = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "contact_points"
        indexes = [
            # used by the facts of a send and by a shopper's page
            models.Index(fields=["bucket", "shopper_id"], name="contact_points_shopper"),
        ]


class Device(Sharded):
    """A browser or app that shows messages: beside its contact point of the same id, in the shopper's bucket.

    `public_key` and `auth` (empty for apps) encrypt for this browser only. They are not sealed: they let nobody read
    anything, and nobody send anything without the shop's VAPID key, which is.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    shopper_id = models.UUIDField()
    public_key = models.BinaryField()
    auth = models.BinaryField()
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "devices"
        indexes = [
            # used by the message that goes to all of a shopper's devices, and by an erasure
            models.Index(fields=["bucket", "shopper_id"], name="devices_shopper"),
        ]


class Consent(Sharded):
    """Append-only ledger of what an address agreed to or withdrew; hash-chained per address and channel.

    `channel` is a channel, or another purpose that an address can agree to (terms.consent.Purpose).
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    channel = models.CharField(max_length=12)
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
        indexes = [
            # used by the anchors, which seal what was written down in a span of time
            models.Index(fields=["bucket", "recorded_at"], name="consents_recorded"),
        ]


class OptInRequest(Sharded):
    """An address that was asked to confirm; `id` is its contact point's, in the shopper's bucket.

    `times`: questions without an answer between them. What is agreed to lies with the send that asks.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    send_id = models.UUIDField()
    asked_at = models.DateTimeField()
    times = models.SmallIntegerField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "opt_in_requests"


class OptInNetwork(models.Model):
    """How many addresses were given from one network lately, so that nobody can have many strangers asked."""

    pk = models.CompositePrimaryKey("shop_id", "network")
    shop_id = models.BigIntegerField()
    network = models.CharField(max_length=64)
    since = models.DateTimeField()
    times = models.IntegerField()

    class Meta:
        db_table = "opt_in_networks"


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
