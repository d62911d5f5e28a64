"""Which tables hold what happened at the shop: events, carts, orders, products?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.sharding import Sharded


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
            models.Index(fields=["bucket", "check_at"], name="carts_check", condition=models.Q(check_at__isnull=False)),
            # used by an order or opt-out that looks for the shopper's other carts, and by a shopper's page
            models.Index(
                fields=["bucket", "shopper_id"], name="carts_shopper", condition=models.Q(shopper_id__isnull=False)
            ),
            # used by the dashboard's list (newest first within a shop)
            models.Index(fields=["bucket", "shop_id", "created_at"], name="carts_created"),
        ]


class Order(Sharded):
    """A purchase, found by the shop's own order key (its anchor), so that two sources meet in one row.

    `facts` keeps what makes updates, refunds and cancellations order-free: when the totals were told, and by which
    event each refund was.
    """

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
    facts = models.JSONField(default=dict)

    class Meta:
        db_table = "orders"
        indexes = [
            # used by the overview and the hourly roll-up
            models.Index(fields=["bucket", "shop_id", "ordered_at"], name="orders_ordered"),
        ]


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
