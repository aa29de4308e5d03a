"""What all rows have that a worker works on; trading.services.attempts says who owns one."""

from __future__ import annotations

from django.db import models


class RunStatus(models.TextChoices):
    QUEUED = "queued", "waits for a worker"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELED = "canceled", "canceled"


UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


class Attempted(models.Model):
    """Work that is begun anew where its worker died; only the newest attempt writes."""

    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How many workers have begun it.")
    worker = models.CharField(max_length=150, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True, help_text="When its worker was last heard of.")

    class Meta:
        abstract = True


class Job(Attempted):
    """Work that somebody asked for and follows."""

    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    log = models.JSONField(default=list, help_text="List of {at, text}.")

    class Meta:
        abstract = True
