"""Access, and nothing of the business: tokens, sessions, locks of the log-in, and what was answered to a repeated request."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models


class Scope(models.TextChoices):
    """What a token may do; each includes those before it, and none does more than its account may."""

    READ = "read", "read"
    TRADE = "trade", "trade"
    ADMIN = "admin", "admin"


class ApiToken(models.Model):
    """A way into the API for a program. Its value is shown once; only the hash of it is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60, help_text="What it is for.")
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.READ)
    prefix = models.CharField(max_length=12, help_text="The first characters, by which people know it.")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the whole token, as hexadecimal.")
    per_minute = models.PositiveIntegerField(default=600, help_text="Requests that it may make in a minute.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(scope__in=Scope.values), name="token_has_a_scope"),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")), name="token_expires_after_it_was_made"
            ),
            models.CheckConstraint(condition=models.Q(per_minute__gt=0), name="token_may_ask_something"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_good(self, *, now: datetime) -> bool:
        """Return whether it opens anything at this moment."""
        return self.revoked_at is None and self.expires_at > now


class SessionRecord(models.Model):
    """What people see of one session; the session itself is Django's, and both end together."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="session_records")
    session_key = models.CharField(max_length=40, unique=True)
    address = models.CharField(max_length=45, blank=True)
    agent = models.CharField(max_length=200, blank=True, help_text="What the browser calls itself.")
    begun_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="To the minute.")

    def __str__(self) -> str:
        return f"session of {self.user_id} from {self.address or 'somewhere'}"


class LoginLock(models.Model):
    """Failed tries of one account, one address or both together; `key` is a hash, so it tells no name."""

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    locks = models.PositiveIntegerField(default=0, help_text="How often it was locked in a row; each lasts longer.")
    locked_until = models.DateTimeField(null=True)
    at = models.DateTimeField(help_text="When it was last tried.")

    def __str__(self) -> str:
        return f"{self.failures} tries, locked until {self.locked_until}"


class Quota(models.Model):
    """How much of a limit was taken in the window that began at `window_at`."""

    key = models.CharField(max_length=80, primary_key=True)
    window_at = models.DateTimeField()
    taken = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.key}: {self.taken}"


class KeptAnswer(models.Model):
    """The answer to one request with an idempotency key; `status` is empty while it is being worked on."""

    asker = models.CharField(max_length=40, help_text="user:ID or token:ID.")
    key = models.CharField(max_length=100)
    method = models.CharField(max_length=7)
    path = models.CharField(max_length=300)
    asked = models.CharField(max_length=64, help_text="SHA-256 of the body, as hexadecimal.")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=60, blank=True, help_text="Content type.")
    body = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asker", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} of {self.asker}: {self.status or 'not yet'}"


class Tally(models.Model):
    """What a stretch of rows that change no more adds up to, so that nobody adds them up again."""

    name = models.CharField(max_length=20, help_text="What was counted.")
    first = models.BigIntegerField(help_text="Keys of rows, or days since 0001-01-01: the first of the stretch,")
    last = models.BigIntegerField(help_text="and its last.")
    counts = models.JSONField()
    checked_at = models.DateTimeField(help_text="When it was last compared with the rows.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "first"], name="one_tally_per_stretch")]
        indexes = [models.Index(fields=["checked_at"], name="tally_checked")]

    def __str__(self) -> str:
        return f"{self.name} {self.first} to {self.last}"
