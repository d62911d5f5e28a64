"""What do all tables that grow with shoppers share? They begin with their bucket and keep it first in every key.

Django sees them for migrations; hot paths and pages use rekindle/store/sql. No foreign key constraint leads out of
them, no trigger, no row-level security (see docs/adr/0002-bucket-first.md).
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
