"""Who did or tried what: a chain of rows in which each seals the one before it, and the head that says where it ends."""

from __future__ import annotations

from django.db import models

GENESIS = "0" * 64
"""What the first entry names as the one before it."""


class AuditOutcome(models.TextChoices):
    DONE = "done", "done"
    REFUSED = "refused", "refused"


class AuditEntry(models.Model):
    """One act, log-in or refusal; append-only. `digest` covers every other column and the digest before it."""

    number = models.PositiveBigIntegerField(primary_key=True, help_text="From 1 on, without a gap.")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150, blank=True, help_text="Empty: nobody who is known here.")
    act = models.CharField(max_length=40)
    outcome = models.CharField(max_length=7, choices=AuditOutcome.choices)
    about = models.CharField(max_length=200, blank=True, help_text="What it was done to.")
    text = models.TextField()
    details = models.JSONField(default=dict)
    address = models.CharField(max_length=45, blank=True, help_text="From where it was asked.")
    request_id = models.CharField(max_length=64, blank=True)
    previous = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(condition=models.Q(number__gt=0), name="audit_begins_at_one"),
            models.CheckConstraint(condition=~models.Q(act="") & ~models.Q(text=""), name="audit_says_what"),
        ]
        indexes = [
            models.Index(fields=["-at"], name="audit_newest"),
            models.Index(fields=["actor", "-number"], name="audit_of_actor"),
            models.Index(fields=["act", "-number"], name="audit_of_act"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.act} by {self.actor or 'a stranger'}: {self.outcome}"


class AuditHead(models.Model):
    """The one row that says where the chain ends; it moves by compare-and-set, so two writers never fork the chain."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default=GENESIS)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_audit_head")]

    def __str__(self) -> str:
        return f"audit up to {self.number}"
