"""Which small tables hold what people configure? Plain tables, referenced without a database constraint."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Shop(models.Model):
    """A tenant. `spread` (1..1024) is fixed once events have arrived: changing it orphans rows."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    spread = models.IntegerField(default=1)
    write_key = models.CharField(max_length=64, unique=True)
    #: SHA-256 of the key of the shop's own servers; NULL while there is none
    secret_key_hash = models.BinaryField(null=True, unique=True)
    secret_key_at = models.DateTimeField(null=True)
    currency = models.CharField(max_length=3, default="EUR")
    locale = models.CharField(max_length=12, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    country = models.CharField(max_length=2, blank=True, default="")
    url = models.URLField(blank=True, default="")
    restore_url = models.URLField(blank=True, default="")
    logo_url = models.URLField(blank=True, default="")
    brand_color = models.CharField(max_length=7, default="#2f6f4f")
    postal_address = models.TextField(blank=True, default="")
    support_email = models.EmailField(blank=True, default="")
    sender_name = models.CharField(max_length=120, blank=True, default="")
    sender_email = models.EmailField(blank=True, default="")
    reply_to = models.EmailField(blank=True, default="")
    cart_idle_s = models.IntegerField(default=1800)
    checkout_idle_s = models.IntegerField(default=900)
    browse_idle_s = models.IntegerField(default=3600)
    lost_after_days = models.IntegerField(default=30)
    max_cart_age_days = models.IntegerField(default=14)
    holdout_rate = models.FloatField(default=0.1)
    attribution_click_days = models.FloatField(default=5.0)
    sending_paused = models.BooleanField(default=False)
    capture_before_submit = models.BooleanField(default=False)
    limits = models.JSONField(null=True)
    own_rules = models.JSONField(null=True)
    #: when Rekindle asks addresses to confirm (policy.confirmation.DoubleOptIn)
    double_opt_in = models.CharField(max_length=8, db_default="law")
    retention = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "shops"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(double_opt_in__in=["law", "always", "never"]), name="shops_double_opt_in"
            ),
            models.CheckConstraint(condition=models.Q(spread__gte=1, spread__lte=1024), name="shops_spread"),
            models.CheckConstraint(
                condition=models.Q(holdout_rate__gte=0, holdout_rate__lte=0.9), name="shops_holdout"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleChangeRow(models.Model):
    """Who changed which of a shop's own rules when and why; append-only, a trigger holds that."""

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    person_id = models.BigIntegerField()
    person_name = models.CharField(max_length=150)
    role = models.CharField(max_length=12)
    loosens = models.BooleanField()
    reason = models.TextField()
    changes = models.JSONField()
    own_rules = models.JSONField(null=True)

    class Meta:
        db_table = "rule_changes"


class Membership(models.Model):
    """Which person may do what in which shop."""

    OWNER, MARKETER, VIEWER = "owner", "marketer", "viewer"
    ROLES = [(OWNER, "Owner"), (MARKETER, "Marketer"), (VIEWER, "Viewer")]

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=12, choices=ROLES, default=VIEWER)

    class Meta:
        db_table = "memberships"
        constraints = [models.UniqueConstraint(fields=["person", "shop"], name="memberships_once")]


class ConsentAnchor(models.Model):
    """What was written down in the ledger of consents after `since`, up to `until`: a digest of `row_count` rows.

    One chain over the installation, whose head is also kept outside of the database.
    """

    seq = models.IntegerField(primary_key=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    row_count = models.BigIntegerField()
    digest = models.BinaryField()
    previous_hash = models.BinaryField()
    own_hash = models.BinaryField()

    class Meta:
        db_table = "consent_anchors"


class ConsentRemoval(models.Model):
    """Rows of the ledger of consents that were deleted lawfully, and what is left of each anchor's span:
    `spans` are [anchor, rows gone, rows left, digest of those]. A chain of its own, its head kept outside as well.
    """

    seq = models.IntegerField(primary_key=True)
    at = models.DateTimeField()
    shop_id = models.BigIntegerField()
    before = models.DateTimeField()
    row_count = models.BigIntegerField()
    spans = models.JSONField()
    previous_hash = models.BinaryField()
    own_hash = models.BinaryField()

    class Meta:
        db_table = "consent_removals"


class ConsentWording(models.Model):
    """A text that shoppers are shown before they agree to something. Rows are only ever added: a changed text is
    another version. `text_hash` is the SHA-256 of the text, by which an event that brings the text finds its version.
    """

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=12)
    language = models.CharField(max_length=12)
    version = models.CharField(max_length=40)
    text = models.TextField()
    text_hash = models.BinaryField()
    mentions_cart = models.BooleanField(db_default=False)
    valid_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, db_default="")

    class Meta:
        db_table = "consent_wordings"
        constraints = [
            models.UniqueConstraint(fields=["shop", "purpose", "language", "version"], name="consent_wordings_version")
        ]


class Template(models.Model):
    """A message's content under a key; what is sent is its published version."""

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    channel = models.CharField(max_length=8, default="email")
    published_version_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "templates"
        constraints = [models.UniqueConstraint(fields=["shop", "key"], name="templates_key")]


class TemplateVersion(models.Model):
    """One immutable state of a template: MJML as written, HTML as compiled when saved."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    number = models.IntegerField()
    subject = models.TextField()
    preheader = models.TextField(blank=True, default="")
    source = models.TextField()
    html = models.TextField()
    text = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "template_versions"
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_versions_number")]


class FlowRow(models.Model):
    """A flow by key; `active_version_id` is what new enrolments get, `activated_at` keeps old carts out."""

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    active_version_id = models.BigIntegerField(null=True)
    activated_at = models.DateTimeField(null=True)
    priority = models.IntegerField(default=0)

    class Meta:
        db_table = "flows"
        constraints = [models.UniqueConstraint(fields=["shop", "key"], name="flows_key")]


class FlowVersion(models.Model):
    """One immutable definition of a flow (JSON, validated by terms.flow.parse_flow)."""

    flow = models.ForeignKey(FlowRow, on_delete=models.CASCADE, related_name="+")
    number = models.IntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "flow_versions"
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flow_versions_number")]


class ProviderAccount(models.Model):
    """One account at a provider; `secret` is encrypted with the installation's key.

    `hook_serial` is the number of the address under which the provider reports, `hook_serial_before` that of the one
    before it while both are good; the addresses are made from these numbers and a key, and stored nowhere.
    `hook_secret`, encrypted too, holds what proves reports: two values while a key is changed.
    """

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    channel = models.CharField(max_length=8)
    kind = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    options = models.JSONField(default=dict)
    secret = models.BinaryField(default=b"")
    position = models.IntegerField(default=0)
    enabled = models.BooleanField(default=True)
    #: share of an account among those of its shop, channel and position; 0 = only when the others cannot
    weight = models.IntegerField(db_default=100)
    #: rates, mailbox rates and warm-up as JSON (terms.route_limits); NULL = none
    limits = models.JSONField(null=True)
    paused_until = models.DateTimeField(null=True)
    paused_reason = models.TextField(blank=True, default="")
    #: why it pauses (terms.route_limits.PauseKind), empty while it works
    pause_kind = models.CharField(max_length=12, blank=True, db_default="")
    #: pauses in a row without a message that was taken in between
    trip_count = models.SmallIntegerField(db_default=0)
    #: after a pause one worker tries one message; until then the others leave the account alone
    probe_until = models.DateTimeField(null=True)
    hook_serial = models.IntegerField(db_default=1)
    hook_serial_before = models.IntegerField(null=True)
    hook_secret = models.BinaryField(db_default=b"")

    class Meta:
        db_table = "provider_accounts"
        constraints = [
            models.CheckConstraint(condition=models.Q(weight__gte=0, weight__lte=1000), name="provider_accounts_weight")
        ]


class AccountQuota(models.Model):
    """How much of a limit is used: one row per account and scope ("" or a mailbox provider), taken from in batches.

    `next_at` is when the next message may go at the account's rate, `queue_at` the end of what waits for its turn,
    `day_count` how many messages were granted on `day` (UTC).
    """

    pk = models.CompositePrimaryKey("account_id", "scope")
    account_id = models.BigIntegerField()
    scope = models.CharField(max_length=253)
    next_at = models.DateTimeField()
    queue_at = models.DateTimeField()
    day = models.DateField()
    day_count = models.IntegerField()

    class Meta:
        db_table = "account_quotas"


class Alert(models.Model):
    """Something that needs a person. One open row per shop, kind and subject; closed when it is over or seen to."""

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24)
    subject_id = models.BigIntegerField()
    text = models.TextField()
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    times = models.IntegerField(db_default=1)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True, db_default="")

    class Meta:
        db_table = "alerts"
        constraints = [
            models.UniqueConstraint(
                fields=["shop", "kind", "subject_id"], condition=models.Q(closed_at=None), name="alerts_open"
            )
        ]


class Job(models.Model):
    """A periodic job: claimed by SKIP LOCKED when `due_at` has come; one row a job, never deleted."""

    name = models.CharField(max_length=60, primary_key=True)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    last_ok_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True, default="")

    class Meta:
        db_table = "jobs"


class Installation(models.Model):
    """Which database this is (`key`), and how far it has come (`beat`): one row. See engine/restore_gate.py."""

    number = models.SmallIntegerField(primary_key=True)
    key = models.CharField(max_length=40)
    beat = models.BigIntegerField()
    beaten_at = models.DateTimeField()

    class Meta:
        db_table = "installation"


class ShopPlatform(models.Model):
    """Where a shop is run: by its domain the platform's own hooks find it. `secret`, sealed, proves them: one value, or
    two while it is changed."""

    shop = models.ForeignKey(Shop, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    domain = models.CharField(max_length=253, unique=True)
    secret = models.BinaryField()

    class Meta:
        db_table = "shop_platforms"


class RetentionRun(models.Model):
    """What the daily run took away: rows of a shop, or whole partitions (then without a shop)."""

    shop_id = models.BigIntegerField(null=True)
    data_class = models.CharField(max_length=20)
    at = models.DateTimeField()
    before = models.DateTimeField()
    row_count = models.BigIntegerField()
    partitions = models.TextField(default="")

    class Meta:
        db_table = "retention_runs"
        indexes = [models.Index(fields=["at"], name="retention_runs_at")]


class SignInAttempts(models.Model):
    """Failed sign-ins under one keyed hash (of account and address); a success or the end of the window clears it."""

    key = models.CharField(max_length=64, primary_key=True)
    failed_count = models.IntegerField()
    first_at = models.DateTimeField()

    class Meta:
        db_table = "sign_in_attempts"


class AuditEntry(models.Model):
    """What somebody did, in one chain of keyed hashes over the installation. A trigger refuses changes and deletions."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    shop_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=200)
    outcome = models.CharField(max_length=12)
    subject = models.CharField(max_length=200)
    facts = models.JSONField(default=dict)
    network = models.CharField(max_length=200)
    previous_hash = models.BinaryField()
    row_hash = models.BinaryField()

    class Meta:
        db_table = "audit_log"
        indexes = [
            # used by the log's page of a shop
            models.Index(fields=["shop_id", "seq"], name="audit_log_shop"),
        ]
