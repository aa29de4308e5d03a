"""What operation leaves behind: backups and their trials, and what was taken over from the old bot's files."""

from __future__ import annotations

from django.db import models


class BackupKind(models.TextChoices):
    BACKUP = "backup", "backup"
    TRIAL = "trial", "trial restore"


class BackupRun(models.Model):
    """One backup that was made, or one trial in which a backup was restored; `text` says what came of it."""

    kind = models.CharField(max_length=6, choices=BackupKind.choices)
    at = models.DateTimeField()
    passed = models.BooleanField()
    name = models.CharField(max_length=200, blank=True, help_text="Name of the file, without its folder.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the file.")
    is_sealed = models.BooleanField(default=False, help_text="It can be opened only with BACKUP_KEY.")
    seconds = models.FloatField(default=0.0, help_text="How long it took.")
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["kind", "-at"], name="backup_newest")]
        permissions = [("view_log", "Can read the log of every process")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S} {'passed' if self.passed else 'failed'}"


class LegacyKind(models.TextChoices):
    TRADE = "trade", "trade"
    DECISION = "decision", "AI decision"


class LegacyRecord(models.Model):
    """One row of the old bot's files, kept to be looked at; no figure of the account counts it."""

    kind = models.CharField(max_length=8, choices=LegacyKind.choices)
    key = models.CharField(max_length=64, unique=True, help_text="SHA-256 of kind and content: taken once.")
    at = models.DateTimeField(help_text="When it happened, as the old bot wrote it.")
    symbol = models.CharField(max_length=30, blank=True)
    side = models.CharField(max_length=5, blank=True)
    pnl = models.FloatField(null=True, blank=True, help_text="Quote, as the old bot counted: without costs.")
    values = models.JSONField(help_text="The row as it was.")
    source = models.CharField(max_length=200, help_text="Name of the file.")
    imported_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["kind", "-at"], name="legacy_newest")]

    def __str__(self) -> str:
        return f"{self.kind} of the old bot, {self.at:%Y-%m-%d %H:%M}"
