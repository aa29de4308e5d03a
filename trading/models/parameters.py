"""Parameter revisions: append-only snapshots of every parameter; the newest one is in force."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Gate(models.TextChoices):
    """How a revision came into force."""

    DIRECT = "direct", "written by Julaba itself"
    PASSED = "passed", "compared and not worse"
    SAFER = "safer", "only lowers risk"
    OVERRULED = "overruled", "gate overruled by a person"
    ROLLED_BACK = "rolled_back", "rolled back"


class ParameterRevision(models.Model):
    """The whole set of parameters as of one change. A trigger refuses UPDATE and DELETE."""

    number = models.PositiveIntegerField(unique=True)
    values = models.JSONField(help_text="Every parameter by name.")
    changes = models.JSONField(help_text="List of {name, old, new} against the revision before.")
    reason = models.TextField(help_text="Why it was changed.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # The name as text outlives a renamed account.
    author_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    gate = models.CharField(max_length=12, choices=Gate.choices, default=Gate.DIRECT)

    def __str__(self) -> str:
        return f"revision {self.number}"
