"""Which tables hold what people asked about their own data, and what was done?"""

from __future__ import annotations

from django.db import models

from rekindle.store.models.sharding import Sharded


class PrivacyRequest(Sharded):
    """One request, in the shop's base bucket. `subjects` are addresses ({channel, hash, address}); the address and
    `note` are empty after erasure, the keyed hash stays, so that it can be shown that the request was answered."""

    pk = models.CompositePrimaryKey("bucket", "id")
    kind = models.CharField(max_length=16)
    state = models.CharField(max_length=12)
    source = models.CharField(max_length=24)
    regions = models.TextField(default="")
    subjects = models.JSONField(default=list)
    customer_key = models.TextField(default="")
    note = models.TextField(default="")
    shopper_bucket = models.IntegerField(null=True)
    shopper_id = models.UUIDField(null=True)
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()
    acknowledge_by = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    escalate_at = models.DateTimeField()
    escalated_at = models.DateTimeField(null=True)
    extended_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "privacy_requests"
        indexes = [
            # used by the list of a shop's requests
            models.Index(fields=["bucket", "shop_id", "received_at"], name="privacy_requests_received"),
            # used by what every page shows about open ones, and by the job that escalates
            models.Index(
                fields=["bucket", "shop_id", "due_at"],
                name="privacy_requests_open",
                condition=models.Q(closed_at=None),
            ),
        ]


class PrivacyEvent(Sharded):
    """What happened to a request; append-only. `detail` holds no address and no name."""

    pk = models.CompositePrimaryKey("bucket", "id")
    request_id = models.UUIDField()
    at = models.DateTimeField()
    what = models.CharField(max_length=16)
    by = models.CharField(max_length=150, default="")
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "privacy_events"
        indexes = [
            # used by a request's page
            models.Index(fields=["bucket", "request_id", "at"], name="privacy_events_request"),
        ]


class SubjectExport(Sharded):
    """A file with everything about a person: ordered, made by a worker, taken once or thrown away after a day.

    `content` is a zip, encrypted with the installation's vault key; NULL before and after. `manifest` stays.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    request_id = models.UUIDField()
    state = models.CharField(max_length=8)
    ordered_at = models.DateTimeField()
    ordered_by = models.CharField(max_length=150, default="")
    lease_until = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    taken_by = models.CharField(max_length=150, default="")
    manifest = models.JSONField(default=dict)
    content = models.BinaryField(null=True)

    class Meta:
        db_table = "subject_exports"
        indexes = [
            # used by a request's page
            models.Index(fields=["bucket", "request_id"], name="subject_exports_request"),
            # used by the worker that makes them, and by the one that throws them away
            models.Index(
                fields=["bucket", "ordered_at"],
                name="subject_exports_waiting",
                condition=models.Q(state__in=["ordered", "ready"]),
            ),
        ]
