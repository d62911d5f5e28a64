"""Which tables hold what it brought: assignment, attribution, sums?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.sharding import Sharded


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
        indexes = [
            # used by the hourly sums of revenue
            models.Index(fields=["bucket", "shop_id", "ordered_at"], name="attributions_ordered"),
            # used by the hourly sums of what runs led to
            models.Index(fields=["bucket", "shop_id", "enrolment_id"], name="attributions_run"),
        ]


class ChangedHour(Sharded):
    """A note that something of this hour changed after it was counted; gone when it is counted again."""

    pk = models.CompositePrimaryKey("bucket", "id")
    hour = models.DateTimeField()

    class Meta:
        db_table = "changed_hours"


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
