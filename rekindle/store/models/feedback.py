"""Which tables hold what providers reported and what shoppers answered, beyond the events of a send?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.config import Shop
from rekindle.store.models.sharding import Sharded


class SeenToken(models.Model):
    """A report's token that counts only once, where the signature covers the token and not the body. Kept for a day."""

    pk = models.CompositePrimaryKey("bucket", "account_id", "token_hash")
    bucket = models.IntegerField()
    account_id = models.BigIntegerField()
    token_hash = models.BinaryField()
    body_hash = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        db_table = "seen_tokens"


class StrangeReport(models.Model):
    """Reports of an account under a name that nothing is known about, or that could not be read: how many, since when.

    One small row per account and name; `sample` is the first one's code and detail, never an address.
    """

    pk = models.CompositePrimaryKey("account_id", "name")
    account_id = models.BigIntegerField()
    name = models.CharField(max_length=60)
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    times = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    sample = models.JSONField(default=dict)

    class Meta:
        db_table = "strange_reports"


class Reply(Sharded):
    """What a shopper wrote back, in the bucket of the address it came from. `text` is empty after erasure.

    `verdict` is what the words were taken for (policy.stop_words.Wish); those that nobody can be sure about wait for a
    person until `settled_at`.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    channel = models.CharField(max_length=8)
    account_id = models.BigIntegerField(null=True)
    address_hash = models.BinaryField()
    shopper_bucket = models.IntegerField(null=True)
    shopper_id = models.UUIDField(null=True)
    text = models.TextField()
    verdict = models.CharField(max_length=12)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_as = models.CharField(max_length=12, blank=True, db_default="")
    settled_by = models.CharField(max_length=150, blank=True, db_default="")

    class Meta:
        db_table = "replies"
        indexes = [
            # used by the list of replies that wait for a person
            models.Index(
                fields=["bucket", "shop_id", "at"],
                name="replies_waiting",
                condition=models.Q(verdict="review", settled_at=None),
            ),
            # used by an erasure, and by the decision about one of several replies from an address
            models.Index(fields=["bucket", "address_hash"], name="replies_address"),
        ]
